// Losses between numbers. All are element by element: take the mean where one number is wanted.
import TensorEngine

/// `(prediction - target)²`, without the factor 1/2; without targets, the predictions are the errors.
public func squaredError(_ predictions: Tensor, _ targets: Tensor? = nil) throws -> Tensor {
    try square(errors(predictions, targets, for: "squaredError"))
}

/// `(prediction - target)² / 2`.
public func l2Loss(_ predictions: Tensor, _ targets: Tensor? = nil) throws -> Tensor {
    try 0.5 * squaredError(predictions, targets)
}

/// `|prediction - target|`.
public func absoluteError(_ predictions: Tensor, _ targets: Tensor? = nil) throws -> Tensor {
    try TensorEngine.abs(errors(predictions, targets, for: "absoluteError"))
}

/// Quadratic up to `delta`, linear beyond (Huber, 1964): `min(|e|, δ)² / 2 + δ * (|e| - min(|e|, δ))`.
public func huberLoss(_ predictions: Tensor, _ targets: Tensor? = nil, delta: Double = 1) throws -> Tensor {
    let error = try TensorEngine.abs(errors(predictions, targets, for: "huberLoss"))
    let quadratic = try minimum(error, delta)
    return try 0.5 * square(quadratic) + delta * (error - quadratic)
}

/// `log(cosh(e))`, about e² / 2 for small errors and |e| - log 2 for large ones.
public func logCosh(_ predictions: Tensor, _ targets: Tensor? = nil) throws -> Tensor {
    let error = try errors(predictions, targets, for: "logCosh")
    return try logAddExp(error, 0 - error) - 0.6931471805599453
}

/// `1 - cosineSimilarity`.
public func cosineDistance(
    _ predictions: Tensor, _ targets: Tensor, axis: Int = -1, epsilon: Double = 0
) throws -> Tensor {
    try 1 - cosineSimilarity(predictions, targets, axis: axis, epsilon: epsilon)
}

/// The cosine of the angle between vectors along `axis`.
///
/// - Parameter epsilon: the smallest norm that a vector is taken to have.
public func cosineSimilarity(
    _ predictions: Tensor, _ targets: Tensor, axis: Int = -1, epsilon: Double = 0
) throws -> Tensor {
    _ = try errors(predictions, targets, for: "cosineSimilarity")
    let (a, b) = (
        try normalized(predictions, axis: axis, epsilon: epsilon),
        try normalized(targets, axis: axis, epsilon: epsilon)
    )
    return try sum(a * b, axes: [axis])
}

/// Vectors along `axis` divided by their norms, or by `epsilon` where those are smaller.
func normalized(_ x: Tensor, axis: Int, epsilon: Double) throws -> Tensor {
    let squares = try sum(square(x), axes: [axis], keepDims: true)
    let isZero = try equal(squares, 0)
    // The root's derivative at zero is infinite: a zero vector goes around it.
    let norm = try select(isZero, 0.0, sqrt(select(isZero, 1.0, squares)))
    return try x / maximum(norm, epsilon)
}

/// The differences, for predictions and targets of one shape: broadcasting `[n, 1]` against `[n]` is a common and silent mistake.
func errors(_ predictions: Tensor, _ targets: Tensor?, for operation: String) throws -> Tensor {
    guard predictions.dtype.isFloating else {
        throw TensorError(.dtype, operation, expected: "predictions in floats", got: "\(predictions.type)")
    }
    guard let targets else { return predictions }
    guard targets.shape == predictions.shape else {
        throw TensorError(
            .shape, operation, expected: "targets of the predictions' shape \(predictions.shape)",
            got: "\(targets.shape)", fix: "Reshape one of them.")
    }
    return try predictions - targets
}
