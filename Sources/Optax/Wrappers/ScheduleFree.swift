// Schedule-free learning: averaging in place of a schedule.
import TensorEngine

/// Schedule-free learning (Defazio et al., 2024, arXiv:2405.15682): `base` moves z; x averages z; gradients are taken, and the
/// parameters are, at `y = b1 * x + (1 - b1) * z`. Evaluate at x: see `scheduleFreeEvaluationParams`. `base` must have no momentum of
/// its own.
///
/// - Parameters:
///   - learningRate: base's, which weighs the average.
///   - weightPower: the weight of a step is its largest learning rate so far to this power.
public func scheduleFree(
    _ base: GradientTransformation, learningRate: Hyperparameter, b1: Double = 0.9, weightPower: Double = 2
) throws -> GradientTransformation {
    guard b1 > 0, b1 <= 1 else {
        throw TensorError(.argument, "scheduleFree", expected: "b1 above 0 and at most 1", got: "\(b1)")
    }
    let name = "scheduleFree"
    return GradientTransformation { params in
        .state(
            "ScheduleFreeState",
            [
                "b1": .tensor(try full([], b1)), "weight_sum": .tensor(try full([], 0)),
                "step_count": .tensor(try full([], 1, dtype: .int32)), "max_lr": .tensor(try full([], 0)),
                "base_optimizer_state": try base.initialize(params: params), "z": params,
            ])
    } update: { updates, state, params, context in
        let params = try required(params, for: name)
        let count = try state.scalar("step_count", of: name)
        let largest = try maximum(state.scalar("max_lr", of: name), learningRate.scalar(at: count))
        let weight = try weightPower == 2 ? square(largest) : pow(largest, weightPower)
        let total = try state.scalar("weight_sum", of: name) + weight
        let share = try select(greater(total, 0), weight / total, 0.0)

        let z = try state.field("z", of: name)
        let (changed, newBaseState) = try base.update(
            updates: updates, state: state.field("base_optimizer_state", of: name), params: params,
            context: context)
        let newZ = try applyUpdates(z, changed)
        // x is not kept but recomputed from y and z: saves memory, and stays right when something else changes the parameters.
        // Times the reciprocal, as XLA divides by a constant: updates are small differences of numbers that round here.
        let x = try mapLeaves(name, params, z) { y, z in try (y - (1 - b1) * z) * (1 / b1) }
        let result = try mapLeaves(name, x, newZ, params) { x, z, y in
            let part = share.dtype == x.dtype ? share : try share.astype(x.dtype)
            let newX = try (1 - part) * x + part * z
            return try b1 * newX + (1 - b1) * z - y
        }
        return (
            result,
            .state(
                "ScheduleFreeState",
                [
                    "b1": try state.field("b1", of: name), "weight_sum": .tensor(total),
                    "step_count": .tensor(try safeIncrement(count)), "max_lr": .tensor(largest),
                    "base_optimizer_state": newBaseState, "z": newZ,
                ])
        )
    }
}

/// The averaged parameters x, at which a model that was trained schedule-free is evaluated.
public func scheduleFreeEvaluationParams(_ state: Tree, _ params: Tree) throws -> Tree {
    let name = "scheduleFreeEvaluationParams"
    let b1 = try state.scalar("b1", of: name)
    return try mapLeaves(name, params, state.field("z", of: name)) { y, z in
        let b = try b1.astype(y.dtype)
        return try (y - (1 - b) * z) / b
    }
}

/// Schedule-free gradient descent. See `scheduleFree`.
///
/// - Parameter warmupSteps: over which the learning rate rises from 0; none for no warm-up.
public func scheduleFreeSGD(
    learningRate: Double, warmupSteps: Int? = nil, b1: Double = 0.9, weightDecay: Hyperparameter? = nil
) throws -> GradientTransformation {
    let rate = try warmedUp(learningRate, warmupSteps)
    let decay = weightDecay.map { addDecayedWeights($0) }
    let base = chain([decay, sgd(learningRate: rate)].compactMap { $0 })
    return try scheduleFree(base, learningRate: rate, b1: b1)
}

/// Schedule-free AdamW. See `scheduleFree`.
///
/// - Parameter warmupSteps: over which the learning rate rises from 0; none for no warm-up.
public func scheduleFreeAdamW(
    learningRate: Double = 0.0025, warmupSteps: Int? = nil, b1: Double = 0.9, b2: Hyperparameter = 0.999,
    epsilon: Hyperparameter = 1e-8, weightDecay: Hyperparameter = 0
) throws -> GradientTransformation {
    let rate = try warmedUp(learningRate, warmupSteps)
    let base = chain(
        scaleByRMS(decay: b2, epsilon: epsilon, epsilonInRoot: false, biasCorrection: true),
        addDecayedWeights(weightDecay), scaleByLearningRate(rate))
    return try scheduleFree(base, learningRate: rate, b1: b1)
}

private func warmedUp(_ rate: Double, _ steps: Int?) throws -> Hyperparameter {
    guard let steps else { return .constant(rate) }
    return .schedule(try warmupConstantSchedule(initial: 0, peak: rate, warmupSteps: steps))
}
