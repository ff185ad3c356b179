// Eigenvalues and singular values as loops of ordinary operations: what they are in StableHLO, which has no such decompositions.

/// Matrices in float64 divided by their largest element, so that squares do not overflow, and back.
private struct ScaledMatrices {
    let matrices: Tensor
    /// What they were divided by, `[…, 1, 1]`.
    private let scale: Tensor
    private let dtype: DType
    /// Where all elements are finite, bool `[…, 1, 1]`.
    let isFinite: Tensor

    init(_ x: Tensor) throws {
        let wide = try x.astype(.float64)
        let largest = try max(abs(wide), axes: [-2, -1], keepDims: true)
        scale = try select(equal(largest, 0), 1, largest)
        matrices = try wide / scale
        isFinite = try TensorEngine.isFinite(sum(square(matrices), axes: [-2, -1], keepDims: true))
        dtype = x.dtype
    }

    /// Eigenvalues or singular values `[…, n]` of the matrices as they were; NaN where there is no result.
    func values(_ x: Tensor, isDone: Tensor) throws -> Tensor {
        let unscaled = try x * squeeze(scale, axes: [-1])
        return try select(squeeze(isDone, axes: [-1]), unscaled, Tensor(Double.nan)).astype(dtype)
    }

    /// Vectors, likewise.
    func vectors(_ x: Tensor, isDone: Tensor) throws -> Tensor {
        try select(isDone, x, Tensor(Double.nan)).astype(dtype)
    }
}

/// The rows of `x[…, n, m]` in another order, int32 `[…, n]`.
private func rows(of x: Tensor, in order: Tensor) throws -> Tensor {
    let spread = try broadcastInDim(order, shape: x.shape, dimensions: Array(order.shape.indices))
    return try TakeAlongAxis(axis: x.rank - 2, mode: .clamp)(x, spread)
}

extension SymmetricEigen {
    /// Jacobi's rotations of rows and columns in float64. Eigenvectors have other signs than LAPACK's.
    static func rotated(_ x: Tensor) throws -> [Tensor] {
        let n = x.shape[x.rank - 1]
        guard n > 0 else { return [try zeros(Shape(x.shape.dropLast()), dtype: x.dtype), x] }
        let scaled = try ScaledMatrices(tril(x) + matrixTranspose(tril(x, k: -1)))
        let turns = try broadcastTo(identity(n, dtype: .float64), x.shape)
        let sweeps = JacobiSweeps(rowCount: n, termCount: n)
        let end = try sweeps.run([scaled.matrices, turns], isFinite: scaled.isFinite) { round, state in
            let (a, crossings) = (state[0], try round.crossings)
            let products = try sum(select(crossings, a, 0), axes: [-1], keepDims: true)
            let squares = try expandDims(diagonal(a, axis1: -2, axis2: -1), axis: -1)
            let rotation = try round.rotation(squares: squares, products: products)
            let turned = try rotation.columns(of: rotation.rows(of: a))
            // What rotations make zero is so without their rounding errors.
            let isZero = try and(crossings, rotation.isTurned)
            return ([try select(isZero, 0, turned), try rotation.rows(of: state[1])], try abs(products))
        }
        let w = try diagonal(end.values[0], axis1: -2, axis2: -1)
        let order = try argsort(w)
        let sorted = try TakeAlongAxis(axis: w.rank - 1, mode: .clamp)(w, order)
        let vectors = try matrixTranspose(rows(of: end.values[1], in: order))
        return [
            try scaled.values(sorted, isDone: end.isDone), try scaled.vectors(vectors, isDone: end.isDone),
        ]
    }
}

extension SVD {
    /// Hestenes' one-sided method in float64: the columns of x, or the rows of a wide x, are turned until they are orthogonal; their
    /// lengths are the singular values. Vectors have other signs than LAPACK's.
    func rotated(_ x: Tensor) throws -> [Tensor] {
        let (m, n) = (x.shape[x.rank - 2], x.shape[x.rank - 1])
        let inner = min(m, n)
        guard inner > 0 else {
            return try outputTypes([x.type]).enumerated().map { k, type in
                guard k > 0, vectors == .full else { return try zeros(type.shape, dtype: type.dtype) }
                return try broadcastTo(
                    identity(type.shape[type.shape.rank - 1], dtype: type.dtype), type.shape)
            }
        }
        let scaled = try ScaledMatrices(m < n ? x : matrixTranspose(x))
        let square = Shape(x.shape.dropLast(2) + [inner, inner])
        let turns = try broadcastTo(identity(inner, dtype: .float64), square)
        let sweeps = JacobiSweeps(rowCount: inner, termCount: max(m, n))
        let start = vectors == .none ? [scaled.matrices] : [scaled.matrices, turns]
        let end = try sweeps.run(start, isFinite: scaled.isFinite) { round, state in
            let partners = try round.exchanged(state[0], axis: -2)
            let squares = try sum(state[0] * state[0], axes: [-1], keepDims: true)
            let others = try round.exchanged(squares, axis: -2)
            // A row that consists of rounding errors, beside the largest element 1, has no direction.
            let hasDirections = try greater(minimum(squares, others), Double.ulpOfOne * Double.ulpOfOne)
            let products = try select(
                and(hasDirections, round.isPaired), sum(state[0] * partners, axes: [-1], keepDims: true), 0)
            let rotation = try round.rotation(squares: squares, products: products)
            let lengths = try select(hasDirections, sqrt(squares) * sqrt(others), 1)
            return (try state.map(rotation.rows), try abs(products) / lengths)
        }
        let lengths = try sqrt(sum(TensorEngine.square(end.values[0]), axes: [-1]))
        let order = try argsort(lengths, descending: true)
        let s = try TakeAlongAxis(axis: lengths.rank - 1, mode: .clamp)(lengths, order)
        let values = try scaled.values(s, isDone: end.isDone)
        guard vectors != .none else { return [values] }

        let turned = try end.values.map { try rows(of: $0, in: order) }
        let long = try scaled.vectors(directions(of: turned[0]), isDone: end.isDone)
        let short = try scaled.vectors(turned[1], isDone: end.isDone)
        return try m < n
            ? [values, matrixTranspose(short), matrixTranspose(long)] : [values, long, short]
    }

    /// The directions of orthogonal rows as columns, any for rows of length 0, and for the full form more of them. By QR, which makes
    /// them orthogonal also where rows are so short that they are not.
    private func directions(of rows: Tensor) throws -> Tensor {
        let factors = try QR(isFull: vectors == .full).reflected(matrixTranspose(rows))
        let (q, r) = (factors[0], factors[1])
        let signs = try select(less(diagonal(r, axis1: -2, axis2: -1), 0), -1.0, 1.0)
        var added = [Int](repeating: 0, count: signs.rank)
        added[signs.rank - 1] = q.shape[q.rank - 1] - signs.shape[signs.rank - 1]
        return try q * expandDims(pad(signs, low: added.map { _ in 0 }, high: added, value: 1), axis: -2)
    }
}
