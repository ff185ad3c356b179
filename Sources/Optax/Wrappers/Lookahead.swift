// Lookahead: slow parameters that follow fast ones.
import TensorEngine

/// The pair of fast and slow parameters that `lookahead` works on, both starting at `params`.
public func lookaheadParams(_ params: Tree) -> Tree { lookaheadPair(fast: params, slow: params) }

private func lookaheadPair(fast: Tree, slow: Tree) -> Tree {
    .record(name: "LookaheadParams", fields: [Tree.Field("fast", fast), Tree.Field("slow", slow)])
}

/// Lookahead (Zhang et al., 2019, arXiv:1907.08610): every `syncPeriod` steps the slow parameters move by `slowStepSize` towards the
/// fast ones, and the fast ones jump there. Works on pairs: see `lookaheadParams`. Gradients are those of the fast parameters.
///
/// - Parameter resetsState: starts `fast`'s state anew at each jump.
public func lookahead(
    _ fast: GradientTransformation, syncPeriod: Int, slowStepSize: Double, resetsState: Bool = false
) throws -> GradientTransformation {
    guard syncPeriod > 0, (0...1).contains(slowStepSize) else {
        throw TensorError(
            .argument, "lookahead", expected: "a period of 1 or more and a step size within 0 and 1",
            got: "period \(syncPeriod), step size \(slowStepSize)")
    }
    let name = "lookahead"
    return GradientTransformation { params in
        .state(
            "LookaheadState",
            [
                "fast_state": try fast.initialize(params: params.field("fast", of: name)),
                "steps_since_sync": try .counter(),
            ])
    } update: { updates, state, params, context in
        let pair = try required(params, for: name)
        let (fastParams, slowParams) = (try pair.field("fast", of: name), try pair.field("slow", of: name))
        let count = try state.scalar("steps_since_sync", of: name)
        let (changed, newState) = try fast.update(
            updates: updates, state: state.field("fast_state", of: name), params: fastParams, context: context
        )
        let jumps = try equal(count, syncPeriod - 1)
        let distance = try mapLeaves(name, fastParams, changed, slowParams) { fast, update, slow in
            try fast + update - slow
        }
        let slowUpdates = try mapLeaves(name, distance, distance) { d, _ in
            try select(jumps, slowStepSize * d, zerosLike(d))
        }
        let fastUpdates = try mapLeaves(name, changed, distance) { update, d in
            try update - select(jumps, (1 - slowStepSize) * d, zerosLike(d))
        }
        let kept =
            resetsState ? try Tree.select(jumps, fast.initialize(params: fastParams), newState) : newState
        return (
            lookaheadPair(fast: fastUpdates, slow: slowUpdates),
            .state(
                "LookaheadState",
                ["fast_state": kept, "steps_since_sync": .tensor(try rem(count + 1, syncPeriod))])
        )
    }
}
