// COCOB: optimisation as betting, without a learning rate.
import TensorEngine

/// Backprop COCOB's updates (Orabona & Tommasi, 2017, arXiv:1705.07795): each number bets a part of what its earlier bets have won on
/// the sign of its next gradient.
///
/// - Parameters:
///   - alpha: bounds the first bets: larger ones are more careful.
///   - epsilon: the largest gradient seen before the first step.
public func scaleByCOCOB(alpha: Hyperparameter = 100, epsilon: Double = 1e-8) -> GradientTransformation {
    let name = "scaleByCOCOB"
    return GradientTransformation { params in
        let start = try Tree.zerosLike(params)
        return .state(
            "COCOBState",
            [
                "init_particles": params, "cumulative_gradients": start,
                "scale": try Tree.fullLike(params, epsilon), "subgradients": start, "reward": start,
            ])
    } update: { updates, state, params, _ in
        let params = try required(params, for: name)
        let start = try state.field("init_particles", of: name)
        let scale = try mapLeaves(name, state.field("scale", of: name), updates) { largest, g in
            try maximum(largest, TensorEngine.abs(g))
        }
        let magnitudes = try mapLeaves(name, state.field("subgradients", of: name), updates) { total, g in
            try total + TensorEngine.abs(g)
        }
        let reward = try mapLeaves(name, state.field("reward", of: name), updates, params, start) {
            r, g, p, p0 in
            try maximum(r - g * (p - p0), 0)
        }
        let sums = try mapLeaves(name, state.field("cumulative_gradients", of: name), updates) { try $0 - $1 }
        let bets = try mapLeaves(name, sums, scale, magnitudes, reward) { sum, largest, total, reward in
            try sum / (largest * maximum(total + largest, alpha * largest)) * (largest + reward)
        }
        let result = try mapLeaves(name, params, start, bets) { p, p0, bet in try (p0 + bet) - p }
        return (
            result,
            .state(
                "COCOBState",
                [
                    "init_particles": start, "cumulative_gradients": sums, "scale": scale,
                    "subgradients": magnitudes, "reward": reward,
                ])
        )
    }
}

/// Backprop COCOB (Orabona & Tommasi, 2017, arXiv:1705.07795). See `scaleByCOCOB`.
///
/// - Parameter learningRate: a factor on the gradients; 1 as a rule.
public func cocob(
    learningRate: Hyperparameter = 1, alpha: Hyperparameter = 100, epsilon: Double = 1e-8,
    weightDecay: Hyperparameter = 0, mask: ParameterMask? = nil
) -> GradientTransformation {
    chain(
        addDecayedWeights(weightDecay, mask: mask), scaleByLearningRate(learningRate, flipsSign: false),
        scaleByCOCOB(alpha: alpha, epsilon: epsilon))
}
