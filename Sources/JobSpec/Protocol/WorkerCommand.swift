// What the server tells a worker on its standard input: one JSON object per line.

import OrderedCollections

/// Where a worker finds a dataset that a spec refers to.
package struct DatasetLocation: Sendable, Hashable {
    package var path: String
    /// "csv"
    package var format: String

    package init(path: String, format: String) {
        self.path = path
        self.format = format
    }
}

/// The committed checkpoint that an attempt continues from.
package struct ResumePoint: Sendable, Hashable {
    package var folder: String
    package var stateSHA256: String
    package var resumeSHA256: String

    package init(folder: String, stateSHA256: String, resumeSHA256: String) {
        self.folder = folder
        self.stateSHA256 = stateSHA256
        self.resumeSHA256 = resumeSHA256
    }
}

package struct RunCommand: Sendable, Hashable {
    /// "job_…"
    package var job: String
    /// From 1.
    package var attempt: Int
    /// Effective, with every dataset pinned.
    package var spec: JSONValue
    /// By pinned reference, "digits@sha256:HEX".
    package var datasets: OrderedDictionary<String, DatasetLocation>
    /// Where checkpoints go, one folder each.
    package var folder: String
    package var resume: ResumePoint?
    package var threads: Int

    package init(
        job: String, attempt: Int, spec: JSONValue, datasets: OrderedDictionary<String, DatasetLocation>,
        folder: String, resume: ResumePoint?, threads: Int
    ) {
        self.job = job
        self.attempt = attempt
        self.spec = spec
        self.datasets = datasets
        self.folder = folder
        self.resume = resume
        self.threads = threads
    }
}

/// A checkpoint to write in another form.
package struct ExportCommand: Sendable, Hashable {
    package var options: ExportOptions
    /// The effective spec of the checkpoint's job; nil for a checkpoint that was brought from outside.
    package var spec: JSONValue?
    /// By pinned reference: where the shape of an input is found.
    package var datasets: OrderedDictionary<String, DatasetLocation>
    /// The TrainState and its digest.
    package var state: String
    package var stateSHA256: String
    /// The rest of a job's checkpoint, which has what its transforms have learned.
    package var resume: String?
    /// The file to write; it does not exist yet.
    package var output: String

    package init(
        options: ExportOptions, spec: JSONValue?, datasets: OrderedDictionary<String, DatasetLocation>,
        state: String, stateSHA256: String, resume: String?, output: String
    ) {
        self.options = options
        self.spec = spec
        self.datasets = datasets
        self.state = state
        self.stateSHA256 = stateSHA256
        self.resume = resume
        self.output = output
    }
}

/// A file from outside to check and to write as a checkpoint.
package struct ImportCommand: Sendable, Hashable {
    package var input: String
    /// Of all arrays together.
    package var maximumBytes: Int
    /// The TrainState to write; it does not exist yet.
    package var output: String

    package init(input: String, maximumBytes: Int, output: String) {
        self.input = input
        self.maximumBytes = maximumBytes
        self.output = output
    }
}

package enum WorkerCommand: Sendable, Hashable {
    /// Answered by `planned` or `plan_failed` with the same id.
    case plan(id: Int, spec: JSONValue, datasets: OrderedDictionary<String, DatasetLocation>)
    /// At most once in a worker's life.
    case run(RunCommand)
    /// Answered by `written` or `refused`, as the next.
    case export(ExportCommand)
    case importFile(ImportCommand)
    /// Checkpoint at the next step boundary, `stopped`, exit 0.
    case pause
    /// Stop at the next step boundary, `cancelled`, exit 0.
    case cancel(checkpoint: Bool)
}

extension WorkerCommand {
    package var json: JSONValue {
        switch self {
        case .plan(let id, let spec, let datasets):
            [
                "type": "plan", "id": JSONValue(id), "spec": spec,
                "datasets": Self.json(datasets),
            ]
        case .run(let run):
            [
                "type": "run", "job": .string(run.job), "attempt": JSONValue(run.attempt), "spec": run.spec,
                "datasets": Self.json(run.datasets), "folder": .string(run.folder),
                "resume": run.resume.map { resume in
                    [
                        "folder": .string(resume.folder), "state_sha256": .string(resume.stateSHA256),
                        "resume_sha256": .string(resume.resumeSHA256),
                    ]
                } ?? .null,
                "threads": JSONValue(run.threads),
            ]
        case .export(let export):
            [
                "type": "export", "options": export.options.json, "spec": export.spec ?? .null,
                "datasets": Self.json(export.datasets), "state": .string(export.state),
                "state_sha256": .string(export.stateSHA256),
                "resume": export.resume.map { .string($0) } ?? .null, "output": .string(export.output),
            ]
        case .importFile(let file):
            [
                "type": "import", "input": .string(file.input),
                "maximum_bytes": JSONValue(file.maximumBytes), "output": .string(file.output),
            ]
        case .pause: ["type": "pause"]
        case .cancel(let checkpoint): ["type": "cancel", "checkpoint": .bool(checkpoint)]
        }
    }

    package init(json: JSONValue) throws(WorkerProtocolError) {
        let type = try MessageReader(json, "command").string("type")
        let reader = try MessageReader(json, type)
        switch type {
        case "plan":
            self = .plan(
                id: try reader.integer("id"), spec: try reader.value("spec"),
                datasets: try Self.datasets(reader))
        case "run":
            var resume: ResumePoint?
            if let value = reader.optional("resume") {
                let point = try MessageReader(value, "run.resume")
                resume = ResumePoint(
                    folder: try point.string("folder"), stateSHA256: try point.string("state_sha256"),
                    resumeSHA256: try point.string("resume_sha256"))
            }
            self = .run(
                RunCommand(
                    job: try reader.string("job"), attempt: try reader.integer("attempt"),
                    spec: try reader.value("spec"), datasets: try Self.datasets(reader),
                    folder: try reader.string("folder"), resume: resume,
                    threads: try reader.integer("threads")))
        case "export":
            self = .export(
                ExportCommand(
                    options: try ExportOptions(MessageReader(reader.value("options"), "export.options")),
                    spec: reader.optional("spec"), datasets: try Self.datasets(reader),
                    state: try reader.string("state"), stateSHA256: try reader.string("state_sha256"),
                    resume: reader.optional("resume") == nil ? nil : try reader.string("resume"),
                    output: try reader.string("output")))
        case "import":
            self = .importFile(
                ImportCommand(
                    input: try reader.string("input"), maximumBytes: try reader.integer("maximum_bytes"),
                    output: try reader.string("output")))
        case "pause": self = .pause
        case "cancel": self = .cancel(checkpoint: try reader.boolean("checkpoint"))
        default: throw WorkerProtocolError("unknown command \(excerpt(type))")
        }
    }

    private static func json(_ datasets: OrderedDictionary<String, DatasetLocation>) -> JSONValue {
        .object(
            datasets.mapValues { location in
                ["path": .string(location.path), "format": .string(location.format)]
            })
    }

    private static func datasets(
        _ reader: MessageReader
    ) throws(WorkerProtocolError) -> OrderedDictionary<String, DatasetLocation> {
        let value = try reader.value("datasets")
        guard let members = value.objectValue else {
            throw WorkerProtocolError(
                "\(reader.message): datasets should be an object, got \(value.kindDescription)")
        }
        var datasets: OrderedDictionary<String, DatasetLocation> = [:]
        for (reference, member) in members {
            let location = try MessageReader(member, "\(reader.message).datasets")
            datasets[reference] = DatasetLocation(
                path: try location.string("path"), format: try location.string("format"))
        }
        return datasets
    }
}
