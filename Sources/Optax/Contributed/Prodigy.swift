// Adam without a learning rate to tune: Prodigy and D-Adaptation estimate the distance to the solution.
import TensorEngine

/// Prodigy (Mishchenko & Defazio, 2023, arXiv:2306.06101): Adam whose step size is an estimate of the distance from the start to a
/// solution, which only grows. Start with a learning rate of 1, or a schedule around it.
///
/// - Parameters:
///   - b3: the decay of the estimate's sums; by default the root of b2.
///   - initialEstimate: of the distance.
///   - estimateFactor: multiplies the estimate; smaller values make smaller steps.
///   - safeguardsWarmup: leaves the schedule out of the sums, for schedules that start small.
public func prodigy(
    learningRate: Hyperparameter = 1, b1: Double = 0.9, b2: Double = 0.999, b3: Double? = nil,
    epsilon: Double = 1e-8, initialEstimate: Double = 1e-6, estimateFactor: Double = 1,
    weightDecay: Hyperparameter = 0, safeguardsWarmup: Bool = false
) -> GradientTransformation {
    let name = "prodigy"
    let b3 = b3 ?? b2.squareRoot()
    return GradientTransformation { params in
        let start = try Tree.zerosLike(params)
        let dtype = Tree.lowestDType(params)
        return .state(
            "ProdigyState",
            [
                "exp_avg": start, "exp_avg_sq": start, "grad_sum": start, "params0": params,
                "estim_lr": .tensor(try full([], initialEstimate, dtype: dtype)),
                "numerator_weighted": .tensor(try zeros([], dtype: dtype)), "count": try .counter(),
            ])
    } update: { updates, state, params, _ in
        let params = try required(params, for: name)
        let (previousCount, estimate) = (
            try state.scalar("count", of: name), try state.scalar("estim_lr", of: name)
        )
        let count = try safeIncrement(previousCount)
        let rate = try (estimate * learningRate.scalar(at: previousCount) * adamCorrection(b1, b2, count))
            .astype(estimate.dtype)
        let start = try state.field("params0", of: name)
        let progress = try sumOverLeaves(name, updates, mapLeaves(name, start, params) { try $0 - $1 }) {
            try sum($0 * $1)
        }
        let scaled = try Tree.scale(.tensor(estimate), updates)
        let mean = try mapLeaves(name, state.field("exp_avg", of: name), scaled) { m, g in
            try b1 * m + (1 - b1) * g
        }
        let squares = try mapLeaves(name, state.field("exp_avg_sq", of: name), scaled) { v, g in
            try b2 * v + (1 - b2) * square(g)
        }
        let weight = Hyperparameter.tensor(safeguardsWarmup ? estimate : rate)
        let sums = try mapLeaves(name, state.field("grad_sum", of: name), scaled) { s, g in
            try b3 * s + weight * g / initialEstimate
        }
        let numerator =
            try b3 * state.scalar("numerator_weighted", of: name)
            + estimate / initialEstimate * rate * progress
        let newEstimate = try maximum(estimate, estimateFactor * numerator / Tree.norm(sums, order: .one))
        let (step, size) = (Hyperparameter.tensor(rate), Hyperparameter.tensor(newEstimate))
        let result = try mapLeaves(name, mean, squares, params) { m, v, p in
            try 0 - weightDecay * (step * p) - step * m / (sqrt(v) + size * full([], epsilon, dtype: v.dtype))
        }
        return (
            result,
            .state(
                "ProdigyState",
                [
                    "exp_avg": mean, "exp_avg_sq": squares, "grad_sum": sums, "params0": start,
                    "estim_lr": .tensor(try newEstimate.astype(estimate.dtype)),
                    "numerator_weighted": .tensor(try numerator.astype(estimate.dtype)),
                    "count": .tensor(count),
                ])
        )
    }
}

/// AdamW with D-Adaptation (Defazio & Mishchenko, 2023, arXiv:2301.07733): the step size is a lower bound of the distance from the
/// start to a solution. Start with a learning rate of 1.
///
/// - Parameter initialEstimate: of the distance.
public func dadaptAdamW(
    learningRate: Hyperparameter = 1, b1: Double = 0.9, b2: Double = 0.999, epsilon: Double = 1e-8,
    initialEstimate: Double = 1e-6, weightDecay: Hyperparameter = 0
) -> GradientTransformation {
    let name = "dadaptAdamW"
    let root = b2.squareRoot()
    return GradientTransformation { params in
        let start = try Tree.zerosLike(params)
        let dtype = Tree.lowestDType(params)
        return .state(
            "DAdaptAdamWState",
            [
                "exp_avg": start, "exp_avg_sq": start, "grad_sum": start,
                "estim_lr": .tensor(try full([], initialEstimate, dtype: dtype)),
                "numerator_weighted": .tensor(try zeros([], dtype: dtype)), "count": try .counter(),
            ])
    } update: { updates, state, params, _ in
        let params = try required(params, for: name)
        let (previousCount, estimate) = (
            try state.scalar("count", of: name), try state.scalar("estim_lr", of: name)
        )
        let (previousSums, previousSquares) = (
            try state.field("grad_sum", of: name), try state.field("exp_avg_sq", of: name)
        )
        let count = try safeIncrement(previousCount)
        let rate = try (estimate * learningRate.scalar(at: previousCount) * adamCorrection(b1, b2, count))
            .astype(estimate.dtype)
        let step = Hyperparameter.tensor(rate)
        let weighted = try mapLeaves(name, previousSums, previousSquares) { s, v in
            try s / (sqrt(v) + epsilon)
        }
        let progress = try Tree.vdot(updates, weighted)
        let mean = try mapLeaves(name, state.field("exp_avg", of: name), updates) { m, g in
            try b1 * m + (1 - b1) * (step * g)
        }
        let squares = try mapLeaves(name, previousSquares, updates) { v, g in
            try b2 * v + (1 - b2) * square(g)
        }
        let sums = try mapLeaves(name, previousSums, updates) { s, g in
            try root * s + (1 - root) * (step * g)
        }
        let numerator = try root * state.scalar("numerator_weighted", of: name) + (1 - root) * rate * progress
        let newEstimate = try maximum(
            estimate, numerator / ((1 - root) * Tree.norm(sums, order: .one)))
        let result = try mapLeaves(name, mean, squares, params) { m, v, p in
            try 0 - weightDecay * (step * p) - m / (sqrt(v) + epsilon)
        }
        return (
            result,
            .state(
                "DAdaptAdamWState",
                [
                    "exp_avg": mean, "exp_avg_sq": squares, "grad_sum": sums,
                    "estim_lr": .tensor(try newEstimate.astype(estimate.dtype)),
                    "numerator_weighted": .tensor(try numerator.astype(estimate.dtype)),
                    "count": .tensor(count),
                ])
        )
    }
}

/// Adam's two corrections of the averages' start at zero as one factor of the step: `sqrt(1 - b2ᵗ) / (1 - b1ᵗ)`.
private func adamCorrection(_ b1: Double, _ b2: Double, _ count: Tensor) throws -> Tensor {
    try sqrt(1 - powerBySquaring(.constant(b2), count)) / (1 - powerBySquaring(.constant(b1), count))
}
