// What is built on singular values: pinv, lstsq, matrixRank.

/// The relative size below which a singular value counts as zero.
private func machineEpsilon(_ dtype: DType) -> Double {
    dtype == .float64 ? Double.ulpOfOne : Double(Float.ulpOfOne)
}

/// The Moore-Penrose pseudoinverse of `x[…, m, n]`.
///
/// - Parameter rtol: singular values up to this part of the largest count as zero; by default 10·max(m, n)·ε.
public func pinv(_ x: Tensor, rtol: Double? = nil) throws -> Tensor {
    let matrix = try matrixOperand(x)
    try checkMatrices(matrix.type, for: "pinv")
    let (m, n) = (matrix.shape[matrix.rank - 2], matrix.shape[matrix.rank - 1])
    guard m > 0, n > 0 else { return try matrixTranspose(matrix) }
    let limit = rtol ?? 10 * Double(max(m, n)) * machineEpsilon(matrix.dtype)
    let call = customJVP(
        { (x: Tensor) in
            let (u, s, vt) = try svd(x)
            let cutoff = try limit * slice(s, axis: -1, 0..<1)
            // Division by ∞ leaves nothing of what counts as zero.
            let divisor = try select(greater(s, cutoff), s, Double.infinity)
            return try matmul(matrixTranspose(vt), matrixTranspose(u) / expandDims(divisor, axis: -1))
        },
        rule: { x, tangent in
            // Golub and Pereyra, SIAM J. Numer. Anal. 10 (1973).
            let p = try pinv(x, rtol: rtol)
            let (pt, change) = (try matrixTranspose(p), try matrixTranspose(tangent))
            let rows = try identity(m, dtype: x.dtype) - matmul(x, p)
            let columns = try identity(n, dtype: x.dtype) - matmul(p, x)
            let inside = try matmul(matmul(p, tangent), p)
            let fromRows = try matmul(matmul(matmul(p, pt), change), rows)
            let fromColumns = try matmul(matmul(matmul(columns, change), pt), p)
            return (p, try fromRows + fromColumns - inside)
        })
    return try call(matrix)
}

/// The number of singular values of `x[…, m, n]` above `rtol` times the largest, int32; by default rtol is max(m, n)·ε.
public func matrixRank(_ x: Tensor, rtol: Double? = nil) throws -> Tensor {
    let matrix = try matrixOperand(x)
    if matrix.rank < 2 { return try any(notEqual(matrix, 0)).astype(.int32) }
    let s = try svdvals(matrix)
    let sizes = matrix.shape.suffix(2)
    guard sizes.allSatisfy({ $0 > 0 }) else {
        return try zeros(Shape(batchShape(matrix.shape)), dtype: .int32)
    }
    let limit = rtol ?? Double(sizes.max() ?? 1) * machineEpsilon(matrix.dtype)
    return try sum(greater(s, slice(s, axis: -1, 0..<1) * limit).astype(.int32), axes: [-1])
}

/// What `lstsq` finds.
public struct LeastSquares: Sendable {
    /// The solution of least norm, [n] or [n, k].
    public var solution: Tensor
    /// The squared lengths of b - a·x, one for each column of b.
    public var residuals: Tensor
    /// The rank of a, int32.
    public var rank: Tensor
    public var singularValues: Tensor
}

/// The x of least norm that minimises |a·x - b|², for `a[m, n]` and `b[m]` or `b[m, k]`.
///
/// - Parameter rtol: singular values below this part of the largest count as zero; by default max(m, n)·ε.
public func lstsq(_ a: Tensor, _ b: Tensor, rtol: Double? = nil) throws -> LeastSquares {
    let dtype = DType.promote(a.dtype, b.dtype).floating
    let (matrix, right) = (try a.astype(dtype), try b.astype(dtype))
    try checkMatrices(matrix.type, for: "lstsq")
    guard matrix.rank == 2, (1...2).contains(right.rank), right.shape[0] == matrix.shape[0],
        matrix.shape.elementCount > 0
    else {
        throw TensorError(
            .shape, "lstsq", expected: "a matrix [m, n] with elements, and [m] or [m, k]",
            got: "\(a.type) and \(b.type)")
    }
    let columns = right.rank == 1 ? try expandDims(right, axis: 1) : right
    let limit = rtol ?? Double(max(matrix.shape[0], matrix.shape[1])) * machineEpsilon(dtype)
    let (u, s, vt) = try svd(matrix)
    let isUsed = try and(greater(s, 0), greaterEqual(s, limit * slice(s, axis: 0, 0..<1)))
    let inverse = try select(isUsed, 1 / select(isUsed, s, onesLike(s)), zerosLike(s))
    let projected = try matmul(matrixTranspose(u), columns)
    let x = try matmul(matrixTranspose(vt), expandDims(inverse, axis: 1) * projected)
    let residuals = try sum(square(columns - matmul(matrix, x)), axes: [0])
    return LeastSquares(
        solution: right.rank == 1 ? try squeeze(x, axes: [1]) : x, residuals: residuals,
        rank: try sum(isUsed.astype(.int32)), singularValues: s)
}
