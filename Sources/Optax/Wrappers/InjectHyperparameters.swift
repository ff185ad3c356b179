// Hyperparameters in the state, where they can be read, changed, and follow schedules.
import TensorEngine

/// Makes a transformation whose hyperparameters are tensors in its state, under `hyperparams`: they can be read, or replaced from
/// outside, and any of them can follow a schedule.
///
///     injectHyperparameters(["learning_rate": .schedule(decay), "weight_decay": 1e-4]) { values in
///         adamw(learningRate: try values["learning_rate"], weightDecay: try values["weight_decay"])
///     }
///
/// - Parameter make: called in every step with the present values.
public func injectHyperparameters(
    _ hyperparameters: KeyValuePairs<String, Hyperparameter>,
    _ make: @escaping @Sendable (InjectedHyperparameters) throws -> GradientTransformation
) -> GradientTransformation {
    injectHyperparameters(hyperparameters.map { ($0.key, $0.value) }, make)
}

/// The same for a list of names and values, whose order the state keeps. Of a repeated name the last value counts.
public func injectHyperparameters(
    _ list: [(name: String, value: Hyperparameter)],
    _ make: @escaping @Sendable (InjectedHyperparameters) throws -> GradientTransformation
) -> GradientTransformation {
    let name = "injectHyperparameters"
    let hyperparameters = Dictionary(list.map { ($0.name, $0.value) }) { _, last in last }
    let names = list.map(\.name)
    /// The values at a step: of schedules the new ones, of everything else what the state has.
    @Sendable func values(at count: Tensor, previous: Tree?, dtype: DType) throws -> FrozenDict {
        FrozenDict(
            try names.map { key in
                let value: Tensor
                switch (hyperparameters[key], previous?[key]?.tensor) {
                case (.schedule(let schedule), _): value = try schedule(count)
                case (_, let kept?): value = kept
                case (let given, nil): value = try (given ?? 0).scalar()
                }
                return (key, .tensor(try value.astype(dtype)))
            })
    }
    @Sendable func state(_ count: Tensor, _ values: FrozenDict, _ inner: Tree) -> Tree {
        let schedules = names.filter { if case .schedule = hyperparameters[$0] { true } else { false } }
        let states = schedules.map { ($0, Tree.state("WrappedScheduleState", ["count": .tensor(count)])) }
        return .state(
            "InjectStatefulHyperparamsState",
            [
                "count": .tensor(count), "hyperparams": .dictionary(values),
                "hyperparams_states": .dictionary(FrozenDict(states)), "inner_state": inner,
            ])
    }
    return GradientTransformation { params in
        let count = try zeros([], dtype: .int32)
        let values = try values(at: count, previous: nil, dtype: .float32)
        let inner = try make(InjectedHyperparameters(values: values)).initialize(params: params)
        return state(count, values, inner)
    } update: { updates, previous, params, context in
        let count = try previous.scalar("count", of: name)
        let values = try values(
            at: count, previous: previous.field("hyperparams", of: name), dtype: .float32)
        let (changed, inner) = try make(InjectedHyperparameters(values: values)).update(
            updates: updates, state: previous.field("inner_state", of: name), params: params, context: context
        )
        return (changed, state(try safeIncrement(count), values, inner))
    }
}

/// The present values of injected hyperparameters.
public struct InjectedHyperparameters: Sendable {
    let values: FrozenDict

    /// The value of this name. Throws an error that lists the names there are.
    public subscript(_ name: String) -> Hyperparameter {
        get throws { .tensor(try values.tensor(at: name)) }
    }
}
