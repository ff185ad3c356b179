// The effective spec as JSON: every default filled in, in the order of the blocks; it decodes to the same value.

import OrderedCollections

extension JobSpec {
    package var effectiveJSON: JSONValue {
        object([
            ("spec_version", 1),
            ("name", .string(name)),
            ("labels", .object(labels.mapValues(JSONValue.string))),
            ("seed", JSONValue(seed)),
            ("priority", JSONValue(priority)),
            ("queue", .string(queue)),
            ("model", model.json),
            ("init", initial?.json),
            ("data", data.json),
            ("loss", loss.json),
            ("metrics", .array(metrics.map(\.json))),
            ("optimizer", optimizer.json),
            ("budget", budget.json),
            ("evaluation", evaluation?.json),
            ("checkpoint", checkpoint.json),
            ("callbacks", .array(callbacks.map(\.json))),
            ("retry", retry.json),
        ])
    }

    /// What the digest of a spec is taken of: the canonical bytes of all that a run's results depend on, and so
    /// without name, labels, priority, queue and retry.
    package var digestBytes: [UInt8] {
        guard case .object(var members) = effectiveJSON else { return [] }
        for name in ["name", "labels", "priority", "queue", "retry"] { members.removeValue(forKey: name) }
        return JSONValue.object(members).canonicalBytes()
    }
}

/// Without the members that are nil.
private func object(_ members: [(String, JSONValue?)]) -> JSONValue {
    JSONValue(members: members.compactMap { name, value in value.map { (name, $0) } })
}

private func integer(_ value: Int?) -> JSONValue? { value.map { JSONValue($0) } }
private func number(_ value: Double?) -> JSONValue? { value.map(JSONValue.double) }

extension Interval {
    fileprivate func member(steps: String, epochs: String) -> (String, JSONValue?) {
        switch self {
        case .steps(let count): (steps, JSONValue(count))
        case .epochs(let count): (epochs, JSONValue(count))
        }
    }
}

extension DataSpec {
    fileprivate var json: JSONValue {
        object([
            ("train", train.json),
            ("validation", validation?.json),
            ("test", test?.json),
            ("inputs", inputs.map { JSONValue($0) }),
            ("target", target.map(JSONValue.string) ?? shift.map { ["shift": JSONValue($0)] }),
            ("transforms", .array(transforms.map(\.json))),
            ("batch_size", JSONValue(batchSize)),
            ("shuffle", .string(shuffle.rawValue)),
            ("drop_remainder", .bool(dropRemainder)),
        ])
    }
}

extension SourceSpec {
    fileprivate var json: JSONValue {
        switch self {
        case .dataset(let files, let split):
            object([
                ("dataset", .string(files.inputs.description)),
                ("target_dataset", files.target.map { .string($0.description) }),
                ("split", .string(split.description)),
            ])
        case .generator(let generator): ["generator": generator.json]
        }
    }
}

extension BudgetSpec {
    fileprivate var json: JSONValue {
        object([
            end.member(steps: "steps", epochs: "epochs"),
            ("wall_seconds", number(wallSeconds)),
            ("memory_bytes", integer(memoryBytes)),
            ("threads", integer(threads)),
        ])
    }
}

extension EvaluationSpec {
    fileprivate var json: JSONValue {
        object([
            every.member(steps: "every_steps", epochs: "every_epochs"),
            ("max_batches", integer(maxBatches)),
        ])
    }
}

extension CheckpointSpec {
    fileprivate var json: JSONValue {
        object([
            ("every_steps", integer(everySteps)),
            ("every_seconds", number(everySeconds)),
            ("every_epochs", integer(everyEpochs)),
            (
                "keep",
                object([
                    ("last", JSONValue(keep.last)),
                    (
                        "best",
                        keep.best.map { best in
                            [
                                "metric": .string(best.metric), "mode": .string(best.mode.rawValue),
                                "count": JSONValue(best.count),
                            ]
                        }
                    ),
                    ("every_steps", integer(keep.everySteps)),
                ])
            ),
        ])
    }
}

extension RetrySpec {
    fileprivate var json: JSONValue {
        ["max_attempts": JSONValue(maxAttempts), "backoff_seconds": .double(backoffSeconds)]
    }
}
