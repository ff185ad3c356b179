// Normalisation over several axes: softmax and logSoftmax, mean and variance together.

/// eˣ / Σ eˣ over `axes`.
public func softmax(_ x: Tensor, axes: [Int]) throws -> Tensor {
    let unnormalized = try exp(x - stopGradient(max(x, axes: axes, keepDims: true)))
    return try unnormalized / sum(unnormalized, axes: axes, keepDims: true)
}

/// log(softmax(x)) over `axes`.
public func logSoftmax(_ x: Tensor, axes: [Int]) throws -> Tensor {
    let shifted = try x - stopGradient(max(x, axes: axes, keepDims: true))
    return try shifted - log(sum(exp(shifted), axes: axes, keepDims: true))
}

/// The mean and the population variance over `axes`.
public func moments(_ x: Tensor, axes: [Int], keepDims: Bool = false) throws -> (
    mean: Tensor, variance: Tensor
) {
    (try mean(x, axes: axes, keepDims: keepDims), try variance(x, axes: axes, keepDims: keepDims))
}
