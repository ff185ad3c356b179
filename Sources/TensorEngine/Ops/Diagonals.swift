// Triangles and diagonals: tril, triu, diagonal, diag, trace.

/// Whether element (i, j) of a matrix has j - i <= k, as a condition that repeats over the leading dimensions of `shape`.
private func isAtOrLeft(of k: Int, _ shape: Shape) throws -> Tensor {
    let matrix = Shape(shape.suffix(2))
    let (rows, columns) = (
        try iota(.int32, shape: matrix, dimension: 0), try iota(.int32, shape: matrix, dimension: 1)
    )
    // Any k beyond the matrix means the same as the first such.
    let limit = Swift.min(Swift.max(k, -matrix[0] - 1), matrix[1] + 1)
    return try broadcastTo(lessEqual(columns, rows + limit), shape)
}

private func checkTriangle(_ x: Tensor, for operation: String) throws {
    guard x.rank >= 2, x.shape.suffix(2).allSatisfy({ $0 < Int(Int32.max) / 2 }) else {
        throw TensorError(
            .shape, operation, expected: "rank 2 or more, matrices below 2³⁰ rows", got: "\(x.type)")
    }
}

/// `x` with zeros above the `k`-th diagonal of its last two dimensions.
public func tril(_ x: Tensor, k: Int = 0) throws -> Tensor {
    try checkTriangle(x, for: "tril")
    return try select(isAtOrLeft(of: k, x.shape), x, zerosLike(x))
}

/// `x` with zeros below the `k`-th diagonal of its last two dimensions.
public func triu(_ x: Tensor, k: Int = 0) throws -> Tensor {
    try checkTriangle(x, for: "triu")
    let below = try isAtOrLeft(of: k.subtractingReportingOverflow(1).partialValue, x.shape)
    return try select(below, zerosLike(x), x)
}

/// The elements (i, i + `offset`) of the matrices along two axes, as a new last dimension.
public func diagonal(_ x: Tensor, offset: Int = 0, axis1: Int = 0, axis2: Int = 1) throws -> Tensor {
    let first = try x.shape.normalized(axis: axis1, for: "diagonal")
    let second = try x.shape.normalized(axis: axis2, for: "diagonal")
    guard first != second else {
        throw TensorError(.argument, "diagonal", expected: "two axes", got: "\(axis1) and \(axis2)")
    }
    let others = x.shape.indices.filter { $0 != first && $0 != second }
    let matrices = try transpose(x, axes: others + [first, second])
    let (rows, columns) = (x.shape[first], x.shape[second])
    // In the flattened matrix, elements of a diagonal are columns + 1 apart.
    let bounded = Swift.min(Swift.max(offset, -rows), columns)
    let count = Swift.max(
        bounded >= 0 ? Swift.min(rows, columns - bounded) : Swift.min(rows + bounded, columns), 0)
    let batch = Array(matrices.shape.dropLast(2))
    let flat = try reshape(matrices, Shape(batch + [rows * columns]))
    let start = count == 0 ? 0 : bounded >= 0 ? bounded : -bounded * columns
    let limit = count == 0 ? 0 : start + (count - 1) * (columns + 1) + 1
    return try slice(
        flat, starts: batch.map { _ in 0 } + [start], limits: batch + [limit],
        strides: batch.map { _ in 1 } + [columns + 1])
}

/// A matrix with the vector `x` on its `k`-th diagonal, or the `k`-th diagonal of the matrix `x`.
public func diag(_ x: Tensor, k: Int = 0) throws -> Tensor {
    if x.rank == 2 { return try diagonal(x, offset: k) }
    guard x.rank == 1, k.magnitude < UInt(Int32.max), x.shape[0] < Int(Int32.max) else {
        throw TensorError(.shape, "diag", expected: "a vector or a matrix", got: "\(x.type)")
    }
    let count = x.shape[0]
    let size = count + Int(k.magnitude)
    guard count > 0 else { return try zeros([size, size], dtype: x.dtype) }
    let low = k >= 0 ? k : -k * size
    let length = count + (count - 1) * size
    let flat = try Pad(low: [low], high: [size * size - low - length], interior: [size])(
        x, try full([], 0, dtype: x.dtype))
    return try reshape(flat, [size, size])
}

/// The sum of a diagonal. bool and small integers are summed as 32-bit integers.
public func trace(_ x: Tensor, offset: Int = 0, axis1: Int = 0, axis2: Int = 1) throws -> Tensor {
    try sum(diagonal(x, offset: offset, axis1: axis1, axis2: axis2), axes: [-1])
}
