// Norms of vectors and matrices, and powers of matrices.

/// Which norm.
public enum NormOrder: Sendable, Hashable, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral {
    /// (Σ |x|ᵖ)^(1/p) of vectors, with ±∞ for the largest and smallest element and 0 for the number of those that are not 0.
    /// Of matrices: 1 and -1 (largest, smallest sum of a column), ±∞ (of a row), 2 and -2 (largest, smallest singular value).
    case p(Double)
    /// √Σ x² of matrices.
    case frobenius
    /// The sum of the singular values of matrices.
    case nuclear

    public init(integerLiteral value: Int) { self = .p(Double(value)) }
    public init(floatLiteral value: Double) { self = .p(value) }
}

/// The norm of `x` over `axes`: of vectors over one axis, of matrices over two (jnp.linalg.norm). Without axes, of all of `x`, which
/// must be a vector or a matrix unless the order is nil, √Σ x².
public func norm(
    _ x: Tensor, order: NormOrder? = nil, axes: [Int]? = nil, keepDims: Bool = false
) throws -> Tensor {
    let x = try matrixOperand(x)
    let unordered = try (axes ?? Array(x.shape.indices)).map { try x.shape.normalized(axis: $0, for: "norm") }
    guard let order, order != .p(2) || unordered.count == 2 else {
        guard order == nil || unordered.count == 1, axes == nil || unordered.count <= 2 else {
            throw invalidNorm(order, x)
        }
        return try sqrt(sum(square(x), axes: unordered, keepDims: keepDims))
    }
    switch (unordered.count, order) {
    case (1, .p(let p)):
        let magnitude = try abs(x)
        if p == .infinity { return try max(magnitude, axes: unordered, keepDims: keepDims) }
        if p == -.infinity { return try min(magnitude, axes: unordered, keepDims: keepDims) }
        if p == 0 { return try sum(notEqual(x, 0).astype(x.dtype), axes: unordered, keepDims: keepDims) }
        if p == 1 { return try sum(magnitude, axes: unordered, keepDims: keepDims) }
        return try pow(sum(pow(magnitude, p), axes: unordered, keepDims: keepDims), 1 / p)
    case (2, _) where unordered[0] != unordered[1]:
        let result = try matrixNorm(x, order, rows: unordered[0], columns: unordered[1])
        return keepDims ? try expandDims(result, axes: unordered) : result
    default: throw invalidNorm(order, x)
    }
}

private func invalidNorm(_ order: NormOrder?, _ x: Tensor) -> TensorError {
    TensorError(
        .argument, "norm", expected: "an order for vectors (one axis) or matrices (two different axes)",
        got: "\(order.map { "\($0)" } ?? "none") for \(x.type)")
}

/// A norm of the matrices along two axes.
private func matrixNorm(_ x: Tensor, _ order: NormOrder, rows: Int, columns: Int) throws -> Tensor {
    /// Extrema over `other` of the sums of magnitudes over `summed`.
    func extremum(summed: Int, other: Int, isLargest: Bool) throws -> Tensor {
        let sums = try sum(abs(x), axes: [summed], keepDims: true)
        let result =
            try isLargest
            ? max(sums, axes: [other], keepDims: true) : min(sums, axes: [other], keepDims: true)
        return try squeeze(result, axes: [summed, other])
    }
    func singularValues() throws -> Tensor { try svdvals(moveAxis(x, from: [rows, columns], to: [-2, -1])) }
    switch order {
    case .frobenius: return try sqrt(sum(square(x), axes: [rows, columns]))
    case .nuclear: return try sum(singularValues(), axes: [-1])
    case .p(1): return try extremum(summed: rows, other: columns, isLargest: true)
    case .p(-1): return try extremum(summed: rows, other: columns, isLargest: false)
    case .p(.infinity): return try extremum(summed: columns, other: rows, isLargest: true)
    case .p(-.infinity): return try extremum(summed: columns, other: rows, isLargest: false)
    case .p(2): return try max(singularValues(), axes: [-1])
    case .p(-2): return try min(singularValues(), axes: [-1])
    default: throw invalidNorm(order, x)
    }
}

/// The product of `exponent` factors `x[…, n, n]`; for a negative exponent, of its inverse.
public func matrixPower(_ x: Tensor, _ exponent: Int) throws -> Tensor {
    guard x.rank >= 2, x.shape[x.rank - 1] == x.shape[x.rank - 2], exponent != Int.min else {
        throw TensorError(.shape, "matrixPower", expected: "square matrices", got: "\(x.type) to \(exponent)")
    }
    if exponent == 0 { return try broadcastTo(identity(x.shape[x.rank - 1], dtype: x.dtype), x.shape) }
    var remaining = abs(exponent)
    var square = exponent < 0 ? try inv(x) : x
    if remaining == 3 { return try matmul(matmul(square, square), square) }
    var result: Tensor?
    while true {
        if remaining & 1 == 1 { result = try result.map { try matmul($0, square) } ?? square }
        remaining >>= 1
        guard remaining > 0 else { return result ?? square }
        square = try matmul(square, square)
    }
}
