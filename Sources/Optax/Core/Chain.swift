// Transformations one after the other.
import TensorEngine

/// The transformations one after the other: each gets the updates of the one before. The state is the tuple of their states.
public func chain(_ transformations: GradientTransformation...) -> GradientTransformation {
    chain(transformations)
}

/// The transformations of a list, one after the other.
public func chain(_ transformations: [GradientTransformation]) -> GradientTransformation {
    GradientTransformation { params in
        .tuple(try transformations.map { try $0.initialize(params: params) })
    } update: { updates, state, params, context in
        guard case .tuple(let states) = state, states.count == transformations.count else {
            throw TensorError(
                .structure, "chain", expected: "a tuple of \(transformations.count) states",
                got: "another tree",
                fix: "Pass the state that this chain returned.")
        }
        var (updates, next) = (updates, [Tree]())
        for (transformation, state) in zip(transformations, states) {
            let (changed, newState) = try transformation.update(
                updates: updates, state: state, params: params, context: context)
            updates = changed
            next.append(newState)
        }
        return (updates, .tuple(next))
    }
}

/// Transformations one after the other, whose states are found under their names.
public func namedChain(
    _ transformations: KeyValuePairs<String, GradientTransformation>
) throws -> GradientTransformation {
    try namedChain(transformations.map { ($0.key, $0.value) })
}

/// The transformations of a list with their names, one after the other.
public func namedChain(
    _ transformations: [(name: String, transformation: GradientTransformation)]
) throws -> GradientTransformation {
    let names = transformations.map(\.name)
    guard Set(names).count == names.count else {
        throw TensorError(.argument, "namedChain", expected: "each name once", got: "\(names)")
    }
    let inner = chain(transformations.map(\.transformation))
    return GradientTransformation { params in
        guard case .tuple(let states) = try inner.initialize(params: params) else { return .emptyState }
        return .dictionary(FrozenDict(zip(names, states)))
    } update: { updates, state, params, context in
        let states = try names.map { try state.field($0, of: "namedChain") }
        let (updates, next) = try inner.update(
            updates: updates, state: .tuple(states), params: params, context: context)
        guard case .tuple(let newStates) = next else { return (updates, next) }
        return (updates, .dictionary(FrozenDict(zip(names, newStates))))
    }
}

/// Leaves updates as they are.
public func identity() -> GradientTransformation { .stateless { updates, _ in updates } }

/// Replaces updates by zeros: the parameters stay.
public func setToZero() -> GradientTransformation { .stateless { updates, _ in try Tree.zerosLike(updates) } }
