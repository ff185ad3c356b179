// LU and QR as loops of ordinary operations: what they are in StableHLO, which has no such decompositions.

/// The places in matrices while a loop is at row and column `step`.
private struct Elimination {
    let step: Tensor
    let rows: Tensor
    let columns: Tensor

    /// - Parameter shape: that of the matrices.
    init(_ step: Tensor, _ shape: Shape) throws {
        self.step = step
        rows = try iota(.int32, shape: shape, dimension: shape.rank - 2)
        columns = try iota(.int32, shape: shape, dimension: shape.rank - 1)
    }

    /// The column as `[…, m, 1]`.
    func column(_ a: Tensor) throws -> Tensor {
        try sum(select(equal(columns, step), a, zerosLike(a)), axes: [-1], keepDims: true)
    }

    /// The row as `[…, 1, n]`.
    func row(_ a: Tensor) throws -> Tensor {
        try sum(select(equal(rows, step), a, zerosLike(a)), axes: [-2], keepDims: true)
    }
}

extension LU {
    /// Gaussian elimination with the largest element of each column as its pivot.
    static func eliminated(_ x: Tensor) throws -> [Tensor] {
        let axis = x.rank - 2
        let lines = Shape(x.shape.dropLast())
        let steps = min(x.shape[axis], x.shape[axis + 1])
        let pivots = try zeros(Shape(lines.dropLast() + [steps]), dtype: .int32)
        let order = try iota(.int32, shape: lines, dimension: axis)
        guard steps > 0 else { return [x, pivots, order] }
        return try foriLoop(
            0, steps,
            { step, state in
                let at = try Elimination(step, x.shape)
                let line = try iota(.int32, shape: lines, dimension: axis)
                let magnitude = try abs(squeeze(at.column(state[0]), axes: [-1]))
                let candidates = try select(greaterEqual(line, step), magnitude, -1)
                let pivot = try argmax(candidates, axis: -1, keepDims: true)
                let exchange = try select(
                    equal(line, step), pivot, select(equal(line, pivot), broadcastTo(step, lines), line))

                let take = TakeAlongAxis(axis: axis, mode: .clamp)
                let spread = try broadcastInDim(exchange, shape: x.shape, dimensions: Array(lines.indices))
                var a = try take(state[0], spread)
                let places = try iota(.int32, shape: state[1].shape, dimension: axis)
                let pivots = try select(equal(places, step), pivot, state[1])

                let (column, row) = (try at.column(a), try at.row(a))
                let divisor = try at.column(row)
                // A column of zeros stays as it is.
                let isZero = try equal(divisor, 0)
                let factors = try select(isZero, column, column / select(isZero, 1, divisor))
                let isBelow = try greater(at.rows, step)
                let rest = try select(greater(at.columns, step), a - factors * row, a)
                a = try select(isBelow, select(equal(at.columns, step), factors, rest), a)
                return [a, pivots, try take(state[2], exchange)]
            }, initial: [x, pivots, order])
    }
}

extension QR {
    /// Householder's reflections in float64, with LAPACK's signs.
    func reflected(_ x: Tensor) throws -> [Tensor] {
        let (m, n) = (x.shape[x.rank - 2], x.shape[x.rank - 1])
        let (steps, inner) = (min(m, n), isFull ? m : min(m, n))
        let square = Shape(x.shape.dropLast() + [m])
        let start = [
            try broadcastTo(identity(m, dtype: .float64), square), try x.astype(.float64),
        ]
        let reflected = try foriLoop(
            0, steps,
            { step, state in
                let at = try Elimination(step, x.shape)
                let column = try at.column(state[1])
                let line = try iota(.int32, shape: column.shape, dimension: x.rank - 2)
                let below = try select(greater(line, step), column, 0)
                let first = try sum(select(equal(line, step), column, 0), axes: [-2], keepDims: true)
                let rest = try sum(below * below, axes: [-2], keepDims: true)
                let norm = try sqrt(first * first + rest)
                // Nothing below the diagonal, nothing to reflect.
                let isDone = try equal(rest, 0)
                let target = try select(isDone, 1, select(less(first, 0), norm, -norm))
                let factor = try select(isDone, 0, (target - first) / target)
                let direction = try below / select(isDone, 1, first - target)
                let v = try select(equal(line, step), 1, direction)
                let fromRows = try sum(v * state[1], axes: [-2], keepDims: true)
                let transposed = try matrixTranspose(v)
                let fromColumns = try sum(state[0] * transposed, axes: [-1], keepDims: true)
                return [
                    try state[0] - factor * fromColumns * transposed,
                    try state[1] - factor * v * fromRows,
                ]
            }, initial: start)
        let q = try slice(reflected[0], axis: x.rank - 1, 0..<inner)
        let r = try triu(slice(reflected[1], axis: x.rank - 2, 0..<inner))
        return [try q.astype(x.dtype), try r.astype(x.dtype)]
    }
}
