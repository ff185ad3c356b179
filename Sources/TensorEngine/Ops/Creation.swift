// Tensors from nothing: ranges, grids, identities; zeros and ones like another tensor.

/// A tensor of zeros of the same type and shape.
public func zerosLike(_ x: Tensor) throws -> Tensor { try full(x.shape, 0, dtype: x.dtype) }
/// A tensor of ones of the same type and shape.
public func onesLike(_ x: Tensor) throws -> Tensor { try full(x.shape, 1, dtype: x.dtype) }

/// The number of steps from `start` to before `stop`.
private func stepCount(_ start: Double, _ stop: Double, _ step: Double) throws -> Int {
    let count = ((stop - start) / step).rounded(.up)
    guard step != 0, count.isFinite, count <= Double(Int32.max) else {
        throw TensorError(
            .argument, "arange", expected: "a step other than 0 that leads to \(stop) in less than 2³¹ steps",
            got: "from \(start) in steps of \(step)")
    }
    return Int(Swift.max(count, 0))
}

/// `start`, `start` + `step`, … up to before `stop`, int32 unless `dtype` says otherwise.
public func arange(_ start: Int, _ stop: Int, step: Int = 1, dtype: DType = .int32) throws -> Tensor {
    let count = try stepCount(Double(start), Double(stop), Double(step))
    let indices = try iota(dtype == .bool ? .int32 : dtype, shape: [count])
    return try (indices * step + start).astype(dtype)
}

/// `start`, `start` + `step`, … up to before `stop`, in floats.
public func arange(
    _ start: Double, _ stop: Double, step: Double = 1, dtype: DType = .float32
) throws -> Tensor {
    let count = try stepCount(start, stop, step)
    let wide = dtype.floating.accumulation
    return try (iota(wide, shape: [count]) * step + start).astype(dtype)
}

/// `count` numbers in equal steps from `start` to `stop`, which is the last one with `endpoint`, and would be the next one
/// without.
public func linspace(
    _ start: Double, _ stop: Double, count: Int = 50, endpoint: Bool = true, dtype: DType = .float32
) throws -> Tensor {
    guard (0...Int(Int32.max)).contains(count) else {
        throw TensorError(.argument, "linspace", expected: "a count of 0 or more", got: "\(count)")
    }
    let wide = dtype.floating.accumulation
    let steps = endpoint ? count - 1 : count
    guard steps > 0 else { return try full([count], start, dtype: dtype) }
    let share = try iota(wide, shape: [steps]) / Double(steps)
    var values = try start * (1 - share) + stop * share
    if endpoint { values = try concatenate([values, full([1], stop, dtype: wide)]) }
    // Integers are rounded down.
    return try (dtype.isFloating ? values : floor(values)).astype(dtype)
}

/// `count` numbers in equal ratios from `base`^`start` to `base`^`stop`.
public func logspace(
    _ start: Double, _ stop: Double, count: Int = 50, endpoint: Bool = true, base: Double = 10,
    dtype: DType = .float32
) throws -> Tensor {
    let wide = dtype.floating.accumulation
    return try pow(base, linspace(start, stop, count: count, endpoint: endpoint, dtype: wide)).astype(dtype)
}

/// A row and a column number for each element of an `n` by `m` matrix.
private func positions(_ n: Int, _ m: Int, for operation: String) throws -> (rows: Tensor, columns: Tensor) {
    guard n >= 0, m >= 0, n <= Int(Int32.max), m <= Int(Int32.max) else {
        throw TensorError(.argument, operation, expected: "sizes of 0 or more", got: "\(n) and \(m)")
    }
    return (try iota(.int32, shape: [n, m], dimension: 0), try iota(.int32, shape: [n, m], dimension: 1))
}

/// A diagonal's number as int32; beyond the largest size they all lie outside.
private func diagonalNumber(_ k: Int) -> Int { Swift.max(-(1 << 30), Swift.min(k, 1 << 30)) }

/// An `n` by `m` (or `n`) matrix with ones on diagonal `k` (above the main one for positive `k`) and zeros elsewhere.
public func eye(_ n: Int, _ m: Int? = nil, k: Int = 0, dtype: DType = .float32) throws -> Tensor {
    let (rows, columns) = try positions(n, m ?? n, for: "eye")
    return try equal(columns - rows, diagonalNumber(k)).astype(dtype)
}

/// The identity matrix of size `n`.
public func identity(_ n: Int, dtype: DType = .float32) throws -> Tensor { try eye(n, dtype: dtype) }

/// An `n` by `m` (or `n`) matrix with ones on and below diagonal `k` and zeros above it.
public func tri(_ n: Int, _ m: Int? = nil, k: Int = 0, dtype: DType = .float32) throws -> Tensor {
    let (rows, columns) = try positions(n, m ?? n, for: "tri")
    return try lessEqual(columns - rows, diagonalNumber(k)).astype(dtype)
}
