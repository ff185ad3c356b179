// Means, deviations, quantiles, and reductions that pass NaN over.

extension DType {
    /// The type that half-precision sums, products and means are computed in, to be rounded once.
    var accumulation: DType { isHalfPrecision ? .float32 : self }
}

/// Computes in the accumulation type of the floats that `x` is or becomes, and rounds the result to those.
private func inFloats(_ x: Tensor, _ body: (Tensor) throws -> Tensor) throws -> Tensor {
    let result = x.dtype.floating
    return try body(x.astype(result.accumulation)).astype(result)
}

/// The number of elements that a reduction over `axes` (all without) takes together.
private func reducedCount(_ x: Tensor, _ axes: [Int]?, for operation: String) throws -> Int {
    try x.shape.normalized(axes: axes ?? Array(x.shape.indices), for: operation).reduce(1) {
        $0 * x.shape[$1]
    }
}

// MARK: - Means and deviations

/// The mean over `axes` (all without); float32 for integers. float16 and bfloat16 are summed in float32.
public func mean(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    let count = try reducedCount(x, axes, for: "mean")
    return try inFloats(x) { try sum($0, axes: axes, keepDims: keepDims) / Double(count) }
}

/// The variance over `axes` (all without): the squared distances from the mean, added and divided by n - `ddof`, the
/// "delta degrees of freedom" (0: of a population, 1: estimated from a sample). NaN where that is not positive.
public func variance(
    _ x: Tensor, axes: [Int]? = nil, ddof: Int = 0, keepDims: Bool = false
) throws -> Tensor {
    let difference = try Double(reducedCount(x, axes, for: "variance")) - Double(ddof)
    let divisor = difference > 0 ? difference : .nan
    return try inFloats(x) {
        let centered = try $0 - mean($0, axes: axes, keepDims: true)
        return try sum(square(centered), axes: axes, keepDims: keepDims) / divisor
    }
}

/// The standard deviation over `axes` (all without), the root of the variance with the same `ddof`.
public func std(_ x: Tensor, axes: [Int]? = nil, ddof: Int = 0, keepDims: Bool = false) throws -> Tensor {
    try sqrt(variance(x, axes: axes, ddof: ddof, keepDims: keepDims))
}

/// `x` less its mean, over its standard deviation, along `axes`. jax.nn.standardize takes E[x²] - E[x]² for the variance; the mean
/// of the squared distances is the same number without that difference's loss of digits.
public func standardize(_ x: Tensor, axes: [Int] = [-1], epsilon: Double = 1e-5) throws -> Tensor {
    let centered = try x - mean(x, axes: axes, keepDims: true)
    return try centered * rsqrt(mean(square(centered), axes: axes, keepDims: true) + epsilon)
}

/// The largest less the smallest element over `axes` (all without).
public func ptp(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    try max(x, axes: axes, keepDims: keepDims) - min(x, axes: axes, keepDims: keepDims)
}

/// How many elements are not 0 (false) over `axes` (all without), int32.
public func countNonzero(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    try sum(notEqual(x, zerosLike(x)), axes: axes, keepDims: keepDims)
}

// MARK: - Reductions without NaN

/// The elements with `value` for NaN.
private func replacingNaN(_ x: Tensor, _ value: Double) throws -> Tensor {
    x.dtype.isFloating ? try select(isNaN(x), value, x) : x
}

/// How many elements are numbers, in the type of `x`.
private func countOfNumbers(_ x: Tensor, _ axes: [Int]?, keepDims: Bool) throws -> Tensor {
    try sum(equal(x, x), axes: axes, keepDims: keepDims).astype(x.dtype)
}

/// NaN where all elements are NaN, otherwise `result`.
private func orNaN(_ result: Tensor, _ x: Tensor, _ axes: [Int]?, keepDims: Bool) throws -> Tensor {
    guard x.dtype.isFloating else { return result }
    return try select(all(isNaN(x), axes: axes, keepDims: keepDims), Double.nan, result)
}

/// The sum over `axes` (all without) of what is not NaN.
public func nansum(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    try sum(replacingNaN(x, 0), axes: axes, keepDims: keepDims)
}

/// The product over `axes` (all without) of what is not NaN.
public func nanprod(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    try prod(replacingNaN(x, 1), axes: axes, keepDims: keepDims)
}

/// The mean over `axes` (all without) of what is not NaN; NaN where everything is.
public func nanmean(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    try inFloats(x) {
        try nansum($0, axes: axes, keepDims: keepDims) / countOfNumbers($0, axes, keepDims: keepDims)
    }
}

/// The variance over `axes` (all without) of what is not NaN; NaN where fewer than `ddof` + 1 numbers are left.
public func nanvar(
    _ x: Tensor, axes: [Int]? = nil, ddof: Int = 0, keepDims: Bool = false
) throws -> Tensor {
    try inFloats(x) { x in
        let centered = try x - nanmean(x, axes: axes, keepDims: true)
        let divisor = try countOfNumbers(x, axes, keepDims: keepDims) - Double(ddof)
        let positive = try select(greater(divisor, 0), divisor, Double.nan)
        return try nansum(square(centered), axes: axes, keepDims: keepDims) / positive
    }
}

/// The standard deviation over `axes` (all without) of what is not NaN, the root of `nanvar`.
public func nanstd(
    _ x: Tensor, axes: [Int]? = nil, ddof: Int = 0, keepDims: Bool = false
) throws -> Tensor {
    try sqrt(nanvar(x, axes: axes, ddof: ddof, keepDims: keepDims))
}

/// The largest element over `axes` (all without) that is not NaN; NaN where all are.
public func nanmax(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    try orNaN(
        max(replacingNaN(x, -.infinity), axes: axes, keepDims: keepDims), x, axes, keepDims: keepDims)
}

/// The smallest element over `axes` (all without) that is not NaN; NaN where all are.
public func nanmin(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    try orNaN(
        min(replacingNaN(x, .infinity), axes: axes, keepDims: keepDims), x, axes, keepDims: keepDims)
}

// MARK: - Quantiles

/// What lies between two neighbours of the sorted elements.
public enum QuantileMethod: String, Sendable {
    case linear, lower, higher, midpoint, nearest
}

/// The values below which the shares `q` of the elements lie, over `axes` (all without). NaN where an element is NaN.
///
/// - Parameter q: in 0...1, a scalar or a vector; a vector's dimension comes first in the result.
public func quantile(
    _ x: Tensor, _ q: some TensorConvertible, axes: [Int]? = nil, method: QuantileMethod = .linear,
    keepDims: Bool = false
) throws -> Tensor {
    let axes = try x.shape.normalized(axes: axes ?? Array(x.shape.indices), for: "quantile")
    let kept = x.shape.indices.filter { !axes.contains($0) }
    let count = axes.reduce(1) { $0 * x.shape[$1] }
    let result = x.dtype.floating
    // Positions need more digits than half precision has.
    let share =
        try (q as? Tensor).map { try $0.astype($0.dtype.floating) }
        ?? q.tensor(beside: result.accumulation)
    guard share.rank <= 1, count > 0, count <= Int(Int32.max) else {
        throw TensorError(
            .shape, "quantile", expected: "a scalar or vector of shares, and at least one element",
            got: "shares of shape \(share.shape), \(count) elements along axes \(axes)")
    }

    let line = try reshape(
        transpose(x.astype(result), axes: kept + axes), Shape(kept.map { x.shape[$0] } + [count]))
    let hasNaN = try any(isNaN(line), axes: [-1], keepDims: true)
    let sorted = try sort(select(hasNaN, Double.nan, line))

    let position = try share * Double(count - 1)
    let (low, high) = (try floor(position), try ceil(position))
    let highWeight = try position - low
    func element(_ index: Tensor) throws -> Tensor {
        try take(sorted, clip(index, 0, Double(count - 1)).astype(.int32), axis: -1)
    }
    let (lowValue, highValue) = (try element(low), try element(high))
    let chosen =
        switch method {
        case .linear:
            try lowValue.astype(.promote(result, share.dtype)) * (1 - highWeight)
                + highValue.astype(.promote(result, share.dtype)) * highWeight
        case .lower: lowValue
        case .higher: highValue
        case .midpoint: try (lowValue + highValue) * 0.5
        case .nearest: try select(lessEqual(highWeight, 0.5), lowValue, highValue)
        }
    let values = try (share.rank == 1 ? moveAxis(chosen, from: -1, to: 0) : chosen).astype(result)
    guard keepDims else { return values }
    return try reshape(
        values,
        Shape(share.shape.dimensions + x.shape.indices.map { axes.contains($0) ? 1 : x.shape[$0] }))
}

/// `quantile` of q / 100.
public func percentile(
    _ x: Tensor, _ q: some TensorConvertible, axes: [Int]? = nil, method: QuantileMethod = .linear,
    keepDims: Bool = false
) throws -> Tensor {
    let share = try q.tensor(beside: x.dtype.floating.accumulation) / 100
    return try quantile(x, share, axes: axes, method: method, keepDims: keepDims)
}

/// The middle element over `axes` (all without), or the mean of the two middle ones. NaN where an element is NaN.
public func median(_ x: Tensor, axes: [Int]? = nil, keepDims: Bool = false) throws -> Tensor {
    try quantile(x, 0.5, axes: axes, method: .midpoint, keepDims: keepDims)
}
