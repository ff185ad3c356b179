// Transformations that are applied in some steps only.
import TensorEngine

/// Applies `inner` where all updates are finite, and gives zeros (keeping inner's state) where they are not; after more than
/// `maximumConsecutiveErrors` bad steps in a row a bad update passes.
public func applyIfFinite(
    _ inner: GradientTransformation, maximumConsecutiveErrors: Int
) -> GradientTransformation {
    let name = "applyIfFinite"
    return GradientTransformation { params in
        .state(
            "ApplyIfFiniteState",
            [
                "notfinite_count": try .counter(), "last_finite": .tensor(try Tensor(true)),
                "total_notfinite": try .counter(), "inner_state": try inner.initialize(params: params),
            ])
    } update: { updates, state, params, context in
        var finite = try full([], 1, dtype: .bool)
        for leaf in updates.leaves { finite = try and(finite, TensorEngine.all(isFinite(leaf))) }
        let (bad, total) = (
            try state.scalar("notfinite_count", of: name), try state.scalar("total_notfinite", of: name)
        )
        let nextBad = try select(finite, zerosLike(bad), safeIncrement(bad))
        let applies = try or(finite, greater(nextBad, maximumConsecutiveErrors))
        let innerState = try state.field("inner_state", of: name)
        let (changed, newInnerState) = try inner.update(
            updates: updates, state: innerState, params: params, context: context)
        return (
            try Tree.select(applies, changed, Tree.zerosLike(changed)),
            .state(
                "ApplyIfFiniteState",
                [
                    "notfinite_count": .tensor(nextBad), "last_finite": .tensor(finite),
                    "total_notfinite": .tensor(try select(finite, total, safeIncrement(total))),
                    "inner_state": try Tree.select(applies, newInnerState, innerState),
                ])
        )
    }
}

/// Applies `inner` in the steps for which `condition` holds, and lets updates pass unchanged in the others.
///
/// - Parameter condition: from the step count, from 0, to a bool scalar.
public func conditionallyTransform(
    _ inner: GradientTransformation, when condition: @escaping @Sendable (Tensor) throws -> Tensor
) -> GradientTransformation {
    conditional("ConditionallyTransformState", inner, condition) { $0 }
}

/// Applies `inner` in the steps for which `condition` holds, and gives zeros in the others.
///
/// - Parameter condition: from the step count, from 0, to a bool scalar.
public func conditionallyMask(
    _ inner: GradientTransformation, when condition: @escaping @Sendable (Tensor) throws -> Tensor
) -> GradientTransformation {
    conditional("ConditionallyMaskState", inner, condition) { try Tree.zerosLike($0) }
}

private func conditional(
    _ stateName: String, _ inner: GradientTransformation,
    _ condition: @escaping @Sendable (Tensor) throws -> Tensor,
    otherwise: @escaping @Sendable (Tree) throws -> Tree
) -> GradientTransformation {
    GradientTransformation { params in
        // Optax's field order differs between the two; both are read by name.
        let innerState = try inner.initialize(params: params)
        return stateName == "ConditionallyMaskState"
            ? .state(stateName, ["step": try .counter(), "inner_state": innerState])
            : .state(stateName, ["inner_state": innerState, "step": try .counter()])
    } update: { updates, state, params, context in
        let step = try state.scalar("step", of: stateName)
        let innerState = try state.field("inner_state", of: stateName)
        let applies = try condition(step)
        let (changed, newInnerState) = try inner.update(
            updates: updates, state: innerState, params: params, context: context)
        let kept = try Tree.select(applies, newInnerState, innerState)
        let next = Tree.tensor(try safeIncrement(step))
        return (
            try Tree.select(applies, changed, otherwise(updates)),
            stateName == "ConditionallyMaskState"
                ? .state(stateName, ["step": next, "inner_state": kept])
                : .state(stateName, ["inner_state": kept, "step": next])
        )
    }
}
