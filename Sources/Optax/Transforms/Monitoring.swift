// Measurements of updates, kept in the state where they can be read with `Tree.get`.
import TensorEngine

/// Keeps `measure(updates)` of the last step in the state under `name`, and lets the updates pass. Before the first step it is
/// `measure(params)`.
///
///     let optimizer = chain(sgd(learningRate: 0.1), snapshot("update_norm") { .tensor(try globalNorm($0)) })
///     let norm = try Tree.get(state, "update_norm")
public func snapshot(
    _ name: String, _ measure: @escaping @Sendable (_ updates: Tree) throws -> Tree
) -> GradientTransformation {
    @Sendable func state(_ measured: Tree) -> Tree {
        .state("SnapshotState", ["measurement": .dictionary(FrozenDict([(name, measured)]))])
    }
    return GradientTransformation { params in
        state(try measure(params))
    } update: { updates, _, _, _ in
        (updates, state(try measure(updates)))
    }
}

/// Keeps the updates that each of `measures` would make of the present ones in the state under its name, and lets the updates pass.
///
/// Before the first step there are no measurements, as in Optax, so that the state's structure changes once: a step compiled by `jit` is
/// compiled twice. A plain function is `.stateless { updates, _ in … }`; `measureWithEMA` smooths one.
public func monitor(_ measures: KeyValuePairs<String, GradientTransformation>) throws
    -> GradientTransformation
{
    let (names, transformations) = (measures.map(\.key), measures.map(\.value))
    guard Set(names).count == names.count else {
        throw TensorError(.argument, "monitor", expected: "each name once", got: "\(names)")
    }
    return GradientTransformation { params in
        .state(
            "MonitorState",
            [
                "measurements": .dictionary(FrozenDict()),
                "measure_states": .tuple(try transformations.map { try $0.initialize(params: params) }),
            ])
    } update: { updates, state, params, context in
        let previous = try state.field("measure_states", of: "monitor")
        var (measurements, states) = ([(String, Tree)](), [Tree]())
        for (index, transformation) in transformations.enumerated() {
            let (measured, next) = try transformation.update(
                updates: updates, state: previous.field("\(index)", of: "monitor"), params: params,
                context: context)
            measurements.append((names[index], measured))
            states.append(next)
        }
        return (
            updates,
            .state(
                "MonitorState",
                ["measurements": .dictionary(FrozenDict(measurements)), "measure_states": .tuple(states)])
        )
    }
}

/// The exponential moving average of a measurement of updates, for `monitor`. See `ema`.
public func measureWithEMA(
    decay: Hyperparameter, debias: Bool = true, accumulatorDType: DType? = nil,
    _ measure: @escaping @Sendable (_ updates: Tree) throws -> Tree
) -> GradientTransformation {
    let average = ema(decay: decay, debias: debias, accumulatorDType: accumulatorDType)
    let measuredAverage = GradientTransformation { params in
        try average.initialize(params: measure(params))
    } update: { updates, state, params, context in
        try average.update(updates: updates, state: state, params: params, context: context)
    }
    return chain(.stateless { updates, _ in try measure(updates) }, measuredAverage)
}
