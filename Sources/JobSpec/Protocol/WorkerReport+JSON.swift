// Worker reports to and from JSON.

import OrderedCollections

extension WorkerReport {
    package var json: JSONValue {
        switch self {
        case .ready(let ready):
            [
                "type": "ready", "pid": JSONValue(ready.pid),
                "engine_version": .string(ready.engineVersion),
                "kernel_level": .string(ready.kernelLevel), "threads": JSONValue(ready.threads),
            ]
        case .planned(let id, let plan):
            ["type": "planned", "id": JSONValue(id), "plan": plan.json]
        case .planFailed(let id, let problems):
            ["type": "plan_failed", "id": JSONValue(id), "problems": .array(problems.map(\.json))]
        case .started(let step, let stepsTotal):
            ["type": "started", "step": JSONValue(step), "steps_total": JSONValue(stepsTotal)]
        case .metrics(let report): report.json
        case .checkpoint(let checkpoint): checkpoint.json
        case .stopped(let step): ["type": "stopped", "step": JSONValue(step)]
        case .cancelled(let step): ["type": "cancelled", "step": JSONValue(step)]
        case .done(let step, let metrics, let reason):
            [
                "type": "done", "step": JSONValue(step), "metrics": JSONValue(numbers: metrics),
                "reason": reason.map(JSONValue.string) ?? .null,
            ]
        case .failed(let failure):
            [
                "type": "failed", "code": .string(failure.code), "detail": .string(failure.detail),
                "step": failure.step.map { JSONValue($0) } ?? .null, "retryable": .bool(failure.retryable),
                "problems": .array(failure.problems.map(\.json)),
            ]
        case .written(let file):
            [
                "type": "written", "sha256": .string(file.sha256), "bytes": JSONValue(file.bytes),
                "contents": file.contents,
            ]
        case .refused(let problems):
            ["type": "refused", "problems": .array(problems.map(\.json))]
        }
    }

    package init(json: JSONValue) throws(WorkerProtocolError) {
        let type = try MessageReader(json, "report").string("type")
        let reader = try MessageReader(json, type)
        switch type {
        case "ready":
            self = .ready(
                WorkerReady(
                    pid: try reader.integer("pid"), engineVersion: try reader.string("engine_version"),
                    kernelLevel: try reader.string("kernel_level"), threads: try reader.integer("threads")))
        case "planned":
            self = .planned(id: try reader.integer("id"), plan: try JobPlan(json: reader.value("plan")))
        case "plan_failed":
            self = .planFailed(id: try reader.integer("id"), problems: try reader.problems("problems"))
        case "started":
            self = .started(step: try reader.integer("step"), stepsTotal: try reader.integer("steps_total"))
        case "metrics": self = .metrics(try MetricsReport(reader))
        case "checkpoint": self = .checkpoint(try CheckpointReport(reader))
        case "stopped": self = .stopped(step: try reader.integer("step"))
        case "cancelled": self = .cancelled(step: try reader.integer("step"))
        case "done":
            self = .done(
                step: try reader.integer("step"), metrics: try reader.numbers("metrics"),
                reason: reader.optional("reason") == nil ? nil : try reader.string("reason"))
        case "failed":
            self = .failed(
                FailureReport(
                    code: try reader.string("code"), detail: try reader.string("detail"),
                    step: reader.optional("step") == nil ? nil : try reader.integer("step"),
                    retryable: try reader.boolean("retryable"),
                    problems: reader.optional("problems") == nil ? [] : try reader.problems("problems")))
        case "written":
            self = .written(
                WrittenFile(
                    sha256: try reader.string("sha256"), bytes: try reader.integer("bytes"),
                    contents: try reader.value("contents")))
        case "refused": self = .refused(problems: try reader.problems("problems"))
        default: throw WorkerProtocolError("unknown report \(excerpt(type))")
        }
    }
}

extension MetricsReport {
    var json: JSONValue {
        [
            "type": "metrics", "step": JSONValue(step), "epoch": .double(epoch),
            "examples": JSONValue(examples),
            "steps_per_second": .double(stepsPerSecond),
            "points": .array(
                points.map { point in
                    [
                        "name": .string(point.name), "step": JSONValue(point.step),
                        "finished": JSONValue(point.finished), "value": .double(point.value),
                    ]
                }),
        ]
    }

    init(_ reader: MessageReader) throws(WorkerProtocolError) {
        step = try reader.integer("step")
        epoch = try reader.number("epoch")
        examples = try reader.integer("examples")
        stepsPerSecond = try reader.number("steps_per_second")
        points = try reader.objects("points") { (point) throws(WorkerProtocolError) in
            ReportedMetric(
                name: try point.string("name"), step: try point.integer("step"),
                finished: try point.integer("finished"), value: try point.number("value"))
        }
    }

    /// The bytes of `json`, written without building it: a worker sends thousands of points a second.
    func write(to writer: inout JSONWriter) {
        writer.write(raw: "{\"type\":\"metrics\",\"step\":")
        writer.write(Int64(step))
        writer.write(raw: ",\"epoch\":")
        writer.write(epoch)
        writer.write(raw: ",\"examples\":")
        writer.write(Int64(examples))
        writer.write(raw: ",\"steps_per_second\":")
        writer.write(stepsPerSecond)
        writer.write(raw: ",\"points\":[")
        for index in points.indices {
            writer.write(raw: index == 0 ? "{\"name\":" : ",{\"name\":")
            writer.write(points[index].name)
            writer.write(raw: ",\"step\":")
            writer.write(Int64(points[index].step))
            writer.write(raw: ",\"finished\":")
            writer.write(Int64(points[index].finished))
            writer.write(raw: ",\"value\":")
            writer.write(points[index].value)
            writer.write(raw: "}")
        }
        writer.write(raw: "]}")
    }
}

extension CheckpointReport {
    var json: JSONValue {
        [
            "type": "checkpoint", "step": JSONValue(step), "folder": .string(folder),
            "state_sha256": .string(stateSHA256), "state_bytes": JSONValue(stateBytes),
            "resume_sha256": .string(resumeSHA256), "resume_bytes": JSONValue(resumeBytes),
            "metrics": JSONValue(numbers: metrics), "cause": .string(cause.rawValue),
        ]
    }

    init(_ reader: MessageReader) throws(WorkerProtocolError) {
        step = try reader.integer("step")
        folder = try reader.string("folder")
        stateSHA256 = try reader.string("state_sha256")
        stateBytes = try reader.integer("state_bytes")
        resumeSHA256 = try reader.string("resume_sha256")
        resumeBytes = try reader.integer("resume_bytes")
        metrics = try reader.numbers("metrics")
        let name = try reader.string("cause")
        guard let cause = Cause(rawValue: name) else {
            throw WorkerProtocolError("checkpoint: unknown cause \(excerpt(name))")
        }
        self.cause = cause
    }
}
