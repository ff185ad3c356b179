// Optimizers made of others.
import JobSpec
import Optax
import TensorEngine

extension OptimizerBuilder {
    static let wrappers: [TransformationBuilder] = [
        .init("chain") { a in chain(try a.arguments.specs("transforms").map { try transformation($0) }) },
        .init("named_chain") { a in
            let transforms = try a.arguments.specs("transforms").map { try transformation($0) }
            return try namedChain(Array(zip(try a.arguments.texts("names"), transforms)))
        },
        .init("MultiSteps") { a in
            let skip: SkipRule? =
                switch a.arguments.optionalText("should_skip_update_fn") {
                case "skip_not_finite": .notFinite
                case "skip_large_updates": .largeUpdates(maximumSquaredNorm: try a.number("max_squared_norm"))
                default: nil
                }
            let usesMean = try a.flag("use_grad_mean")
            if let schedule = a.arguments.optionalSpec("every_k_schedule") {
                return multiSteps(
                    try a.inner(), every: try ScheduleBuilder.schedule(schedule), usesMean: usesMean,
                    skip: skip)
            }
            return try multiSteps(
                try a.inner(), every: try a.integer("every_k_schedule"), usesMean: usesMean, skip: skip)
        },
        .init("masked") { a in masked(try a.inner(), try a.mask("mask")) },
        .init("partition", labelled), .init("multi_transform", labelled),
        .init("selective_transform") { a in
            selectiveTransform(try a.inner(), freezing: try a.mask("freeze_mask"))
        },
        .init("apply_if_finite") { a in
            applyIfFinite(try a.inner(), maximumConsecutiveErrors: try a.integer("max_consecutive_errors"))
        },
        .init("flatten") { a in flatten(try a.inner()) },
        .init("conditionally_transform") { a in
            let period = try a.integer("every")
            return conditionallyTransform(try a.inner()) { try equal(rem($0, period), 0) }
        },
        .init("conditionally_mask") { a in
            let period = try a.integer("every")
            return conditionallyMask(try a.inner()) { try equal(rem($0, period), 0) }
        },
        .init("schedule_free") { a in
            try scheduleFree(
                try a.inner("base_optimizer"), learningRate: try a.learningRate, b1: try a.number("b1"),
                weightPower: try a.number("weight_lr_power"))
        },
        .init("inject_hyperparams", injecting), .init("lookahead", lookingAhead),
    ]

    private static let labelled: @Sendable (OptaxArguments) throws -> GradientTransformation = { a in
        let labels = try a.arguments.labels("labels").map { (pattern: PathPattern($0.key), label: $0.value) }
        let transforms = try a.arguments.specMap("transforms").map { ($0.key, try transformation($0.value)) }
        return partition(
            Dictionary(uniqueKeysWithValues: transforms),
            labels: .rule { path, _ in
                // A path without a label is an error of `partition`, which lists the labels there are.
                labels.first { $0.pattern.matches(path) }?.label ?? "(no pattern matches \(path))"
            })
    }

    /// Every number of the inner optimizer goes into the state, in the order of Optax's signature, unless it is static.
    private static let injecting: @Sendable (OptaxArguments) throws -> GradientTransformation = { a in
        let inner = try a.arguments.spec("inner")
        let fixed = Set(try a.arguments.texts("static_args"))
        let given = OptaxArguments(inner)
        let values = try (Catalog.entry(inner.kind, inner.name)?.injectable ?? []).compactMap { name in
            fixed.contains(name) ? nil : try given.optional(name).map { (name: name, value: $0) }
        }
        let names = values.map(\.name)
        return injectHyperparameters(values) { present in
            let pairs = try names.map { ($0, try present[$0]) }
            return try transformation(inner, injected: Dictionary(uniqueKeysWithValues: pairs))
        }
    }
}
