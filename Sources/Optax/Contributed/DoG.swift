// Step sizes from the distance travelled: DoG and DoWG.
import TensorEngine

/// The first step of `scaleByDoG`, before which no distance has been travelled.
public enum DoGStart: Sendable, Hashable {
    /// As if this distance had been travelled.
    case distance(Double)
    /// This learning rate in the first step.
    case learningRate(Double)
    /// As if this times `1 + |params|` had been travelled.
    case heuristic(Double)
}

/// Distance over gradients (Ivgi et al., 2023, arXiv:2302.12022): the learning rate is the largest distance from the start so far, over
/// the root of the sum of all squared gradient norms. Average the parameters (`ema`, `incrementalUpdate`) to get the paper's results.
public func scaleByDoG(start: DoGStart, epsilon: Double = 1e-8) -> GradientTransformation {
    let name = "scaleByDoG"
    return GradientTransformation { params in
        let dtype = Tree.lowestDType(params)
        let distance: Tensor =
            switch start {
            case .distance(let value): try full([], value)
            case .learningRate: try zeros([])
            case .heuristic(let value): try value * (1 + Tree.norm(params))
            }
        return .state(
            "DoGState",
            [
                "is_init_step": .tensor(try Tensor(true)), "init_params": params,
                "max_dist": .tensor(try distance.astype(dtype)),
                "sum_sq_norm_grads": .tensor(try zeros([], dtype: dtype)),
            ])
    } update: { updates, state, params, _ in
        let first = try state.field("init_params", of: name)
        let (farthest, squares) = (
            try state.scalar("max_dist", of: name), try state.scalar("sum_sq_norm_grads", of: name)
        )
        let distance = try Tree.norm(mapLeaves(name, first, required(params, for: name)) { try $0 - $1 })
        let newFarthest = try maximum(farthest, distance)
        let newSquares = try squares + Tree.squaredNorm(updates)
        var rate = try newFarthest / sqrt(newSquares + epsilon)
        if case .learningRate(let value) = start {
            rate = try select(state.scalar("is_init_step", of: name), value, rate)
        }
        return (
            try Tree.scale(.tensor(rate), updates),
            .state(
                "DoGState",
                [
                    "is_init_step": .tensor(try Tensor(false)), "init_params": first,
                    "max_dist": .tensor(try newFarthest.astype(farthest.dtype)),
                    "sum_sq_norm_grads": .tensor(try newSquares.astype(squares.dtype)),
                ])
        )
    }
}

/// Distance over gradients (Ivgi et al., 2023, arXiv:2302.12022). See `scaleByDoG`.
///
/// - Parameter learningRate: a factor on DoG's own; 1 as a rule.
public func dog(
    learningRate: Hyperparameter = 1, start: DoGStart = .heuristic(1e-6), epsilon: Double = 1e-8,
    weightDecay: Hyperparameter? = nil, mask: ParameterMask? = nil
) -> GradientTransformation {
    chain(
        weightDecay.map { addDecayedWeights($0, mask: mask) } ?? identity(),
        scaleByDoG(start: start, epsilon: epsilon), scaleByLearningRate(learningRate))
}

/// Distance over weighted gradients (Khaled et al., 2023, arXiv:2305.16284): as DoG, with gradients weighted by the distance at their time.
///
/// - Parameter initialEstimate: of the squared distance from the start; epsilon by default.
public func scaleByDoWG(initialEstimate: Double? = nil, epsilon: Double = 1e-4) -> GradientTransformation {
    let name = "scaleByDoWG"
    return GradientTransformation { params in
        let dtype = Tree.lowestDType(params)
        return .state(
            "DoWGState",
            [
                "init_params": params, "weighted_sq_norm_grads": .tensor(try zeros([], dtype: dtype)),
                "estim_sq_dist": .tensor(try full([], initialEstimate ?? epsilon, dtype: dtype)),
            ])
    } update: { updates, state, params, _ in
        let first = try state.field("init_params", of: name)
        let (estimate, weighted) = (
            try state.scalar("estim_sq_dist", of: name), try state.scalar("weighted_sq_norm_grads", of: name)
        )
        let distance = try Tree.squaredNorm(
            mapLeaves(name, first, required(params, for: name)) { try $0 - $1 })
        let newEstimate = try maximum(estimate, distance)
        let newWeighted = try newEstimate * Tree.squaredNorm(updates) + weighted
        let rate = try newEstimate / (sqrt(newWeighted) + epsilon)
        return (
            try Tree.scale(.tensor(rate), updates),
            .state(
                "DoWGState",
                [
                    "init_params": first,
                    "weighted_sq_norm_grads": .tensor(try newWeighted.astype(weighted.dtype)),
                    "estim_sq_dist": .tensor(try newEstimate.astype(estimate.dtype)),
                ])
        )
    }
}

/// Distance over weighted gradients (Khaled et al., 2023, arXiv:2305.16284). See `scaleByDoWG`.
///
/// - Parameter learningRate: a factor on DoWG's own; 1 as a rule.
public func dowg(
    learningRate: Hyperparameter = 1, initialEstimate: Double? = nil, epsilon: Double = 1e-4,
    weightDecay: Hyperparameter? = nil, mask: ParameterMask? = nil
) -> GradientTransformation {
    chain(
        weightDecay.map { addDecayedWeights($0, mask: mask) } ?? identity(),
        scaleByDoWG(initialEstimate: initialEstimate, epsilon: epsilon), scaleByLearningRate(learningRate))
}
