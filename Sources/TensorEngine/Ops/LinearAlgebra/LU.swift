// The LU decomposition with row exchanges, and linear systems on top of it.
import CKernels

/// L (unit lower triangle) and U (upper triangle) in one matrix with L·U = x[permutation]; the rows exchanged in turn, and
/// the permutation that they make.
struct LU: Primitive {
    var name: String { "lu" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        try checkMatrices(inputs[0], for: name)
        let shape = inputs[0].shape
        let (batch, m, n) = (batchShape(shape), shape[shape.rank - 2], shape[shape.rank - 1])
        return [
            inputs[0], TensorType(.int32, Shape(batch + [min(m, n)])), TensorType(.int32, Shape(batch + [m])),
        ]
    }

    /// With τ = L⁻¹ ẋ[permutation] U⁻¹: L̇ = L·tril(τ, -1), U̇ = triu(τ)·U.
    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let factors = try apply(self, primals)
        guard let tangent = tangents[0] else { return (factors, [nil, nil, nil]) }
        let (lu, permutation) = (factors[0], factors[2])
        let (m, n) = (lu.shape[lu.rank - 2], lu.shape[lu.rank - 1])
        let inner = min(m, n)
        let permuted = try takeAlongAxis(tangent, expandDims(permutation, axis: -1), axis: -2, mode: .clamp)
        func padded(_ x: Tensor, axis: Int, by amount: Int) throws -> Tensor {
            var high = [Int](repeating: 0, count: x.rank)
            high[x.rank + axis] = amount
            return try pad(x, low: high.map { _ in 0 }, high: high)
        }
        // Both factors made square, with ones where they have no column or row.
        let lowerPart = try tril(slice(lu, axis: -1, 0..<inner), k: -1)
        let lower = try padded(lowerPart, axis: -1, by: m - inner) + identity(m, dtype: lu.dtype)
        let upperPart = try padded(triu(slice(lu, axis: -2, 0..<inner)), axis: -2, by: n - inner)
        let ones = try pad(
            identity(n - inner, dtype: lu.dtype), low: [inner, inner], high: [0, 0])
        let upper = try upperPart + ones
        let left = try TriangularSolve(isLeft: true, isLower: true, isUnitDiagonal: true)(lower, permuted)
        let both = try TriangularSolve(isLeft: false, isLower: false)(upper, left)
        let result = try matmul(lower, tril(both, k: -1)) + matmul(triu(both), upper)
        return (factors, [result, nil, nil])
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        try apply(self, [inputs[0].tensor]).map { Batched($0, isMapped: inputs[0].isMapped) }
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            _ = try LAPACK.routines(inputs[0].type.dtype, for: name)
            let shape = inputs[0].type.shape
            let matrix = builder.columnMajor(inputs[0])
            builder.step(
                LUStep(
                    dtype: inputs[0].type.dtype, count: batchShape(shape).reduce(1, *),
                    rows: shape[shape.rank - 2], columns: shape[shape.rank - 1], matrix: Place(matrix),
                    pivots: Place(outputs[1]), permutation: Place(outputs[2])),
                runLU, reads: [matrix], writes: [matrix, outputs[1], outputs[2]])
            builder.copy(matrix.matrixTransposed, to: outputs[0])
        }
    }

    var stableHLO: StableHLORule { .unavailable("StableHLO has no such decomposition") }
}

private struct LUStep {
    let dtype: DType
    let count: Int
    let rows: Int
    let columns: Int
    let matrix: Place
    let pivots: Place
    let permutation: Place
}

private func runLU(
    _ arguments: UnsafeRawPointer?, _ slots: UnsafePointer<UnsafeMutableRawPointer?>?, _ pool: OpaquePointer?
) {
    guard let step = arguments?.load(as: LUStep.self), let slots, let lapack = LAPACK.known(step.dtype),
        let matrices = step.matrix.address(slots),
        let pivots = step.pivots.address(slots)?.assumingMemoryBound(to: Int32.self),
        let permutations = step.permutation.address(slots)?.assumingMemoryBound(to: Int32.self)
    else { return }
    let inner = min(step.rows, step.columns)
    for member in 0..<step.count {
        let exchanged = pivots + member * inner
        let permutation = permutations + member * step.rows
        for row in 0..<inner { exchanged[row] = Int32(truncatingIfNeeded: row + 1) }
        lapack.factorizeLU(
            matrices + member * step.rows * step.columns * step.dtype.byteWidth, rows: step.rows,
            columns: step.columns, pivots: exchanged)
        for row in 0..<step.rows { permutation[row] = Int32(truncatingIfNeeded: row) }
        for row in 0..<inner {
            exchanged[row] -= 1
            let other = Int(exchanged[row])
            if other != row, (0..<step.rows).contains(other) {
                (permutation[row], permutation[other]) = (permutation[other], permutation[row])
            }
        }
    }
}

/// x with a·x = b (or aᵀ·x = b), given a's decomposition. Operands: a, for the derivative only; lu and permutation of it; b.
struct LUSolve: Primitive {
    var isTransposed = false
    var name: String { "luSolve" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        let (a, lu, permutation, b) = (inputs[0], inputs[1], inputs[2], inputs[3])
        try checkMatrices(a, isSquare: true, for: name)
        try checkMatrices(b, for: name)
        let batch = batchShape(a.shape)
        guard a == lu, b.dtype == a.dtype, batchShape(b.shape) == batch,
            b.shape[b.shape.rank - 2] == a.shape.last,
            permutation == TensorType(.int32, Shape(a.shape.dropLast()))
        else {
            throw TensorError(
                .shape, name,
                expected: "matrices [n, n] and right-hand sides [n, k] with the same leading dimensions",
                got: "\(a) and \(b)")
        }
        return [b]
    }

    /// ẋ = a⁻¹(ḃ - ȧ·x)
    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let (a, lu, permutation) = (primals[0], primals[1], primals[2])
        let x = try apply(self, primals)[0]
        let change = try tangents[0].map { try -matmul(isTransposed ? matrixTranspose($0) : $0, x) }
        guard let right = try sum(tangents[3], change) else { return ([x], [nil]) }
        return ([x], [try self(a, lu, permutation, right)])
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard let cotangent = cotangents[0], let a = operands[0].known, let lu = operands[1].known,
            let permutation = operands[2].known
        else { return [nil, nil, nil, nil] }
        return [nil, nil, nil, try LUSolve(isTransposed: !isTransposed)(a, lu, permutation, cotangent)]
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        [Batched(try apply(self, Batched.aligned(inputs, size: size))[0], isMapped: true)]
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            _ = try LAPACK.routines(outputs[0].type.dtype, for: name)
            let shape = outputs[0].type.shape
            let (lu, permutation, b) = (
                builder.dense(inputs[1]), builder.dense(inputs[2]), builder.dense(inputs[3])
            )
            let scratch = builder.temporary(
                TensorType(outputs[0].type.dtype, isTransposed ? Shape(shape.suffix(2)) : []))
            builder.step(
                LUSolveStep(
                    dtype: outputs[0].type.dtype, count: batchShape(shape).reduce(1, *),
                    rows: shape[shape.rank - 2], columns: shape[shape.rank - 1], isTransposed: isTransposed,
                    lu: Place(lu), permutation: Place(permutation), b: Place(b), scratch: Place(scratch),
                    x: Place(outputs[0])),
                runLUSolve, reads: [lu, permutation, b], writes: outputs + [scratch])
        }
    }

    var stableHLO: StableHLORule {
        .composite { operands in
            let (lu, permutation, b) = (operands[1], operands[2], operands[3])
            let lower = TriangularSolve(isLower: true, isTransposed: isTransposed, isUnitDiagonal: true)
            let upper = TriangularSolve(isLower: false, isTransposed: isTransposed)
            func rows(_ order: Tensor) throws -> Tensor {
                try broadcastInDim(order, shape: b.shape, dimensions: Array(0..<order.rank))
            }
            guard isTransposed else {
                let permuted = try TakeAlongAxis(axis: b.rank - 2, mode: .clamp)(b, rows(permutation))
                return [try upper(lu, lower(lu, permuted))]
            }
            let solved = try lower(lu, upper(lu, b))
            return [
                try ScatterAddAlongAxis(axis: b.rank - 2, size: b.shape[b.rank - 2])(
                    solved, rows(permutation))
            ]
        }
    }
}

private struct LUSolveStep {
    let dtype: DType
    let count: Int
    let rows: Int
    let columns: Int
    let isTransposed: Bool
    let lu: Place
    let permutation: Place
    let b: Place
    let scratch: Place
    let x: Place
}

private func runLUSolve(
    _ arguments: UnsafeRawPointer?, _ slots: UnsafePointer<UnsafeMutableRawPointer?>?, _ pool: OpaquePointer?
) {
    guard let step = arguments?.load(as: LUSolveStep.self), let slots, let lapack = LAPACK.known(step.dtype),
        let lus = step.lu.address(slots), let bs = step.b.address(slots), let xs = step.x.address(slots),
        let scratch = step.scratch.address(slots),
        let permutations = step.permutation.address(slots)?.assumingMemoryBound(to: Int32.self)
    else { return }
    let (rows, columns, width) = (step.rows, step.columns, step.dtype.byteWidth)
    let rowBytes = columns * width
    let lower = TriangularSolve(isLower: true, isTransposed: step.isTransposed, isUnitDiagonal: true)
    let upper = TriangularSolve(isLower: false, isTransposed: step.isTransposed)
    for member in 0..<step.count {
        let lu = lus + member * rows * rows * width
        let (b, x) = (bs + member * rows * rowBytes, xs + member * rows * rowBytes)
        let permutation = permutations + member * rows
        // An index that is no row (of a permutation that is not LU's) leaves the row out.
        func row(_ k: Int) -> Int? { (0..<rows).contains(Int(permutation[k])) ? Int(permutation[k]) : nil }
        if step.isTransposed {
            scratch.copyMemory(from: b, byteCount: rows * rowBytes)
            lapack.solveTriangular(rowMajor: lu, scratch, rows: rows, columns: columns, upper)
            lapack.solveTriangular(rowMajor: lu, scratch, rows: rows, columns: columns, lower)
            for k in 0..<rows {
                guard let target = row(k) else { continue }
                (x + target * rowBytes).copyMemory(from: scratch + k * rowBytes, byteCount: rowBytes)
            }
        } else {
            for k in 0..<rows {
                guard let source = row(k) else { continue }
                (x + k * rowBytes).copyMemory(from: b + source * rowBytes, byteCount: rowBytes)
            }
            lapack.solveTriangular(rowMajor: lu, x, rows: rows, columns: columns, lower)
            lapack.solveTriangular(rowMajor: lu, x, rows: rows, columns: columns, upper)
        }
    }
}

/// The LU decomposition of `x[…, m, n]`: L below the diagonal (its own diagonal is ones) and U in one matrix, the rows that were
/// exchanged in turn, and the permutation with L·U = x[permutation] (lax.linalg.lu).
public func lu(_ x: Tensor) throws -> (lu: Tensor, pivots: Tensor, permutation: Tensor) {
    let factors = try apply(LU(), [try matrixOperand(x)])
    return (factors[0], factors[1], factors[2])
}

/// x with a·x = b, for square matrices `a[…, n, n]` and right-hand sides `b[…, n, k]`, or one vector `b[n]`; leading dimensions
/// broadcast. A singular matrix gives infinities and NaN.
public func solve(_ a: Tensor, _ b: Tensor) throws -> Tensor {
    let dtype = DType.promote(a.dtype, b.dtype).floating
    try checkMatrices(TensorType(dtype, a.shape), isSquare: true, for: "solve")
    guard b.rank > 0 else {
        throw TensorError(.shape, "solve", expected: "a vector or matrices", got: "\(b.type)")
    }
    let columns = b.rank == 1 ? try expandDims(b, axis: -1) : b
    let batch = try broadcastShapes(
        [Shape(batchShape(a.shape)), Shape(batchShape(columns.shape))], for: "solve")
    let matrices = try broadcastTo(a.astype(dtype), Shape(batch.dimensions + a.shape.suffix(2)))
    let right = try broadcastTo(columns.astype(dtype), Shape(batch.dimensions + columns.shape.suffix(2)))
    // The derivative is that of the solution; the decomposition itself counts as a constant.
    let factors = try apply(LU(), [try stopGradient(matrices)])
    let x = try LUSolve()(matrices, factors[0], factors[2], right)
    return b.rank == 1 ? try squeeze(x, axes: [-1]) : x
}

/// The inverse of square matrices `x[…, n, n]`. A singular matrix gives infinities and NaN.
public func inv(_ x: Tensor) throws -> Tensor {
    let matrix = try matrixOperand(x)
    try checkMatrices(matrix.type, isSquare: true, for: "inv")
    return try solve(
        matrix, broadcastTo(identity(matrix.shape[matrix.rank - 1], dtype: matrix.dtype), matrix.shape))
}
