// Sharpness-aware minimisation: gradients taken at the worst point nearby.
import TensorEngine

/// Sharpness-aware minimisation (Foret et al., 2021, arXiv:2010.01412) in steps of its own: of `syncPeriod` steps all but the last climb
/// with `adversary`, and the last applies `optimizer` to the gradients found there, from where the climb began.
///
/// `adversary` is a descent whose sign is flipped, as a rule `chain(normalize(), sgd(learningRate: rho))`. Parameters between two
/// synchronisations are those of the climb.
///
/// - Parameter resetsState: starts `adversary`'s state anew after each climb.
public func sam(
    _ optimizer: GradientTransformation, adversary: GradientTransformation, syncPeriod: Int = 2,
    resetsState: Bool = true
) throws -> GradientTransformation {
    let name = "sam"
    try checkPeriod(syncPeriod, name)
    return GradientTransformation { params in
        samState(
            try zeros([], dtype: .int32), try optimizer.initialize(params: params),
            try adversary.initialize(params: params), params)
    } update: { updates, state, params, context in
        let params = try required(params, for: name)
        let count = try state.scalar("steps_since_sync", of: name)
        let (isFirst, isLast) = (try equal(count, 0), try equal(count, syncPeriod - 1))
        let (optimizerState, adversaryState) = (
            try state.field("opt_state", of: name), try state.field("adv_state", of: name)
        )
        let origin = try state.field("cache", of: name)
        let (climb, newAdversaryState) = try adversary.update(
            updates: updates, state: adversaryState, params: params, context: context)
        let (descent, newOptimizerState) = try optimizer.update(
            updates: updates, state: optimizerState, params: origin, context: context)
        let back = try mapLeaves(name, origin, params, descent) { origin, p, u in try origin - p + u }
        let reset = resetsState ? try adversary.initialize(params: params) : adversaryState
        return (
            try Tree.select(isLast, back, climb.map { try 0 - $0 }),
            samState(
                try rem(count + 1, syncPeriod), try Tree.select(isLast, newOptimizerState, optimizerState),
                try Tree.select(isLast, reset, newAdversaryState), try Tree.select(isFirst, params, origin))
        )
    }
}

/// Sharpness-aware minimisation within one update: the climb takes its gradients from `context.valueFunction`, and the parameters only
/// ever take the descent's steps. See `sam`.
public func opaqueSAM(
    _ optimizer: GradientTransformation, adversary: GradientTransformation, syncPeriod: Int = 2,
    resetsState: Bool = true
) throws -> GradientTransformation {
    let name = "opaqueSAM"
    try checkPeriod(syncPeriod, name)
    return GradientTransformation { params in
        samState(
            try zeros([], dtype: .int32), try optimizer.initialize(params: params),
            try adversary.initialize(params: params), .none)
    } update: { updates, state, params, context in
        let params = try required(params, for: name)
        let gradient = grad(try context.valueFunction(for: name))
        var (gradients, place) = (updates, params)
        var adversaryState = try state.field("adv_state", of: name)
        for _ in 0..<(syncPeriod - 1) {
            let (climb, next) = try adversary.update(
                updates: gradients, state: adversaryState, params: place, context: context)
            adversaryState = next
            place = try applyUpdates(place, climb.map { try 0 - $0 })
            gradients = try gradient(place)
        }
        if resetsState { adversaryState = try adversary.initialize(params: params) }
        let (changed, optimizerState) = try optimizer.update(
            updates: gradients, state: state.field("opt_state", of: name), params: params, context: context)
        return (changed, samState(try zeros([], dtype: .int32), optimizerState, adversaryState, .none))
    }
}

private func samState(_ count: Tensor, _ optimizer: Tree, _ adversary: Tree, _ cache: Tree) -> Tree {
    .state(
        "SAMState",
        ["steps_since_sync": .tensor(count), "opt_state": optimizer, "adv_state": adversary, "cache": cache])
}

private func checkPeriod(_ period: Int, _ operation: String) throws {
    guard period > 0, Int32(exactly: period) != nil else {
        throw TensorError(.argument, operation, expected: "a period of 1 or more steps", got: "\(period)")
    }
}
