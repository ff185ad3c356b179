// Divergences between distributions.
import TensorEngine

/// The Kullback-Leibler divergence `Σ t * (log t - log p)`; a target of 0 contributes 0.
///
/// - Parameters:
///   - logPredictions: log probabilities, `[..., classes]`.
///   - targets: probabilities, of the same shape.
public func klDivergence(_ logPredictions: Tensor, _ targets: Tensor, axis: Int = -1) throws -> Tensor {
    try requireFloats(logPredictions, for: "klDivergence")
    let isZero = try equal(targets, 0)
    // The logarithm's derivative at zero is infinite: zeros go around it.
    let logTargets = try select(isZero, 0.0, log(select(isZero, onesLike(targets), targets)))
    return try sum(targets * (logTargets - logPredictions), axes: [axis])
}

/// The Kullback-Leibler divergence for targets given as log probabilities.
public func klDivergenceWithLogTargets(
    _ logPredictions: Tensor, _ logTargets: Tensor, axis: Int = -1
) throws -> Tensor {
    try requireFloats(logPredictions, for: "klDivergenceWithLogTargets")
    return try sum(exp(logTargets) * (logTargets - logPredictions), axes: [axis])
}

/// The Kullback-Leibler divergence plus `Σ (p - t)`: also 0 only for equal, and convex, where predictions and targets do not sum to 1.
public func generalizedKLDivergence(
    _ logPredictions: Tensor, _ targets: Tensor, axis: Int = -1
) throws -> Tensor {
    try klDivergence(logPredictions, targets, axis: axis) + sum(exp(logPredictions) - targets, axes: [axis])
}

/// The older name of `generalizedKLDivergence`.
public func convexKLDivergence(_ logPredictions: Tensor, _ targets: Tensor, axis: Int = -1) throws -> Tensor {
    try generalizedKLDivergence(logPredictions, targets, axis: axis)
}
