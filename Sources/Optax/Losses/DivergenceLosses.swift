// Divergences between distributions.
import TensorEngine

/// The Kullback-Leibler divergence `Σ t * (log t - log p)`; a target of 0 contributes 0.
///
/// - Parameters:
///   - logPredictions: log probabilities, `[..., classes]`.
///   - targets: probabilities, of the same shape.
///   - mask: true for the classes that count; all by default.
public func klDivergence(
    _ logPredictions: Tensor, _ targets: Tensor, axis: Int = -1, mask: Tensor? = nil
) throws -> Tensor {
    try requireFloats(logPredictions, for: "klDivergence")
    let isZero = try equal(targets, 0)
    // The logarithm's derivative at zero is infinite: zeros go around it.
    let logTargets = try select(isZero, 0.0, log(select(isZero, onesLike(targets), targets)))
    return try counted(targets * (logTargets - logPredictions), axis, mask)
}

/// The Kullback-Leibler divergence for targets given as log probabilities.
public func klDivergenceWithLogTargets(
    _ logPredictions: Tensor, _ logTargets: Tensor, axis: Int = -1, mask: Tensor? = nil
) throws -> Tensor {
    try requireFloats(logPredictions, for: "klDivergenceWithLogTargets")
    return try counted(exp(logTargets) * (logTargets - logPredictions), axis, mask)
}

/// The Kullback-Leibler divergence plus `Σ (p - t)`: also 0 only for equal, and convex, where predictions and targets do not sum to 1.
public func generalizedKLDivergence(
    _ logPredictions: Tensor, _ targets: Tensor, axis: Int = -1, mask: Tensor? = nil
) throws -> Tensor {
    try klDivergence(logPredictions, targets, axis: axis, mask: mask)
        + counted(exp(logPredictions) - targets, axis, mask)
}

/// The sum of the terms that a mask selects.
private func counted(_ terms: Tensor, _ axis: Int, _ mask: Tensor?) throws -> Tensor {
    try sum(mask.map { try select($0, terms, 0.0) } ?? terms, axes: [axis])
}

/// The older name of `generalizedKLDivergence`.
public func convexKLDivergence(
    _ logPredictions: Tensor, _ targets: Tensor, axis: Int = -1, mask: Tensor? = nil
) throws -> Tensor {
    try generalizedKLDivergence(logPredictions, targets, axis: axis, mask: mask)
}
