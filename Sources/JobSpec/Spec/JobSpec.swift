// A job spec as values: everything that says what a run is, checked, with every default filled in.

import OrderedCollections

package struct JobSpec: Sendable, Hashable {
    package var name: String
    package var labels: OrderedDictionary<String, String>
    /// PRNGKey(seed), 0 to 2^32 - 1.
    package var seed: Int
    /// 0 to 100; higher runs first.
    package var priority: Int
    package var queue: String
    package var model: ModuleSpec
    /// Nil for fresh parameters.
    package var initial: InitSpec?
    package var data: DataSpec
    package var loss: LossSpec
    package var metrics: [MetricSpec]
    package var optimizer: OptimizerSpec
    package var budget: BudgetSpec
    /// Nil exactly if there is no validation data.
    package var evaluation: EvaluationSpec?
    package var checkpoint: CheckpointSpec
    package var callbacks: [CallbackSpec]
    package var retry: RetrySpec
}

/// Every so many steps or epochs.
package enum Interval: Sendable, Hashable {
    case steps(Int)
    case epochs(Int)
}

package struct BudgetSpec: Sendable, Hashable {
    /// When training ends: after so many steps, or so many passes over the training data.
    package var end: Interval
    package var wallSeconds: Double?
    package var memoryBytes: Int?
    package var threads: Int?
}

package struct EvaluationSpec: Sendable, Hashable {
    package var every: Interval
    package var maxBatches: Int?
}

package struct CheckpointSpec: Sendable, Hashable {
    package struct Keep: Sendable, Hashable {
        package var last: Int
        package var best: Best?
        package var everySteps: Int?
    }

    package struct Best: Sendable, Hashable {
        package enum Mode: String, Sendable {
            case min, max
        }

        /// "train/loss", "validation/loss" or "validation/" and one of the spec's metrics.
        package var metric: String
        package var mode: Mode
        package var count: Int
    }

    /// Any of the three may be set; a final checkpoint is written in any case.
    package var everySteps: Int?
    package var everySeconds: Double?
    package var everyEpochs: Int?
    package var keep: Keep
}

package struct RetrySpec: Sendable, Hashable {
    package var maxAttempts: Int
    package var backoffSeconds: Double
}

extension JobSpec {
    /// Decodes and checks a spec, submitted or effective. Throws all its problems at once.
    package static func decode(_ json: JSONValue) throws(SpecErrors) -> JobSpec {
        guard case .object(let fields) = json else {
            throw SpecErrors(problems: [
                SpecProblem(
                    .wrongType, at: .root, "a job spec is a JSON object, got \(json.kindDescription)")
            ])
        }
        let decoder = SpecDecoder()
        var arguments = decoder.arguments(fields, of: SpecBlocks.job, at: .root)
        SpecChecks.run(arguments, decoder)
        guard decoder.problems.isEmpty else { throw SpecErrors(problems: decoder.problems) }
        SpecChecks.fillDependentDefaults(&arguments)
        do {
            return try JobSpec(arguments)
        } catch {
            // Only if blocks and initialisers of this target disagree; the tests decode every field.
            throw SpecErrors(problems: [SpecProblem(.invalidValue, at: .root, "internal: \(error)")])
        }
    }

    private init(_ arguments: Arguments) throws {
        name = try arguments.text("name")
        labels = try arguments.labels("labels")
        seed = try arguments.integer("seed")
        priority = try arguments.integer("priority")
        queue = try arguments.text("queue")
        model = try arguments.spec("model")
        initial = try arguments.optionalBlock("init").map(InitSpec.init)
        data = try DataSpec(arguments.block("data"))
        loss = try arguments.spec("loss")
        metrics = try arguments.specs("metrics")
        optimizer = try arguments.spec("optimizer")
        budget = try BudgetSpec(arguments.block("budget"))
        evaluation = try arguments.optionalBlock("evaluation").map(EvaluationSpec.init)
        checkpoint = try CheckpointSpec(arguments.block("checkpoint"))
        callbacks = try arguments.specs("callbacks")
        retry = try RetrySpec(arguments.block("retry"))
    }

    /// What the loss compares predictions with, and so the type of the target.
    package var targetKind: TargetKind {
        Catalog.entry(.loss, loss.name)?.target ?? .values
    }

    /// The kind of the target before data.transforms: one_hot makes values of labels.
    package var storedTargetKind: TargetKind {
        guard !data.transforms.contains(where: { $0.name == "one_hot" }) else { return .classes }
        return switch targetKind {
        case .labelSequences, .groups: .classes
        case let kind: kind
        }
    }

    /// Names of the values that evaluations report: of "validation" data, or of "test" data.
    package func evaluationMetricNames(_ source: String) -> [String] {
        ["\(source)/loss"] + metrics.map { "\(source)/\($0.name)" }
    }

    /// Every dataset that the spec refers to, each once.
    package var datasetReferences: [DatasetReference] {
        var references: OrderedSet<DatasetReference> = []
        for source in [data.train, data.validation, data.test].compactMap({ $0 }) {
            guard case .dataset(let files, _) = source else { continue }
            references.append(files.inputs)
            if let target = files.target { references.append(target) }
        }
        if let initial { references.append(initial.checkpoint) }
        return Array(references)
    }

    /// Pins references by name to the digest that `digest` gives for the name (64 hexadecimal digits); those that it
    /// gives nil for, and those that are pinned already, stay as they are.
    package func pinned(_ digest: (String) -> String?) -> JobSpec {
        func pin(_ reference: DatasetReference) -> DatasetReference {
            guard reference.sha256 == nil, let sha256 = digest(reference.name) else { return reference }
            return DatasetReference(name: reference.name, sha256: sha256)
        }
        func pin(_ source: SourceSpec) -> SourceSpec {
            guard case .dataset(var files, let split) = source else { return source }
            files.inputs = pin(files.inputs)
            files.target = files.target.map(pin)
            return .dataset(files, split: split)
        }
        var spec = self
        // A job's checkpoint never changes; an uploaded one can have the name of an older.
        if let initial { spec.initial?.checkpoint = pin(initial.checkpoint) }
        spec.data.train = pin(data.train)
        spec.data.validation = data.validation.map(pin)
        spec.data.test = data.test.map(pin)
        return spec
    }
}

extension Arguments {
    func block(_ name: String) throws -> Arguments {
        guard let block = optionalBlock(name) else { throw mismatch(name) }
        return block
    }

    /// The `every_steps` or `every_epochs`, or `steps` or `epochs`, of a block.
    fileprivate func interval(steps: String, epochs: String) throws -> Interval {
        if let count = optionalInteger(steps) { return .steps(count) }
        return .epochs(try integer(epochs))
    }
}

extension BudgetSpec {
    fileprivate init(_ arguments: Arguments) throws {
        end = try arguments.interval(steps: "steps", epochs: "epochs")
        wallSeconds = arguments.optionalNumber("wall_seconds")
        memoryBytes = arguments.optionalInteger("memory_bytes")
        threads = arguments.optionalInteger("threads")
    }
}

extension EvaluationSpec {
    fileprivate init(_ arguments: Arguments) throws {
        every = try arguments.interval(steps: "every_steps", epochs: "every_epochs")
        maxBatches = arguments.optionalInteger("max_batches")
    }
}

extension CheckpointSpec {
    fileprivate init(_ arguments: Arguments) throws {
        everySteps = arguments.optionalInteger("every_steps")
        everySeconds = arguments.optionalNumber("every_seconds")
        everyEpochs = arguments.optionalInteger("every_epochs")
        let keep = try arguments.block("keep")
        self.keep = Keep(
            last: try keep.integer("last"), best: try keep.optionalBlock("best").map(Best.init),
            everySteps: keep.optionalInteger("every_steps"))
    }
}

extension CheckpointSpec.Best {
    fileprivate init(_ arguments: Arguments) throws {
        metric = try arguments.text("metric")
        guard let mode = Mode(rawValue: try arguments.text("mode")) else { throw arguments.mismatch("mode") }
        self.mode = mode
        count = try arguments.integer("count")
    }
}

extension RetrySpec {
    fileprivate init(_ arguments: Arguments) throws {
        maxAttempts = try arguments.integer("max_attempts")
        backoffSeconds = try arguments.number("backoff_seconds")
    }
}
