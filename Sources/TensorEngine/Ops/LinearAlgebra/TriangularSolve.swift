// Linear systems with triangular matrices.
import CKernels

/// X with op(A)·X = B, or X·op(A) = B from the right; op(A) is A or Aᵀ. Only one triangle of A is read.
/// A and B have the same leading dimensions.
struct TriangularSolve: Primitive {
    var isLeft = true
    var isLower = false
    var isTransposed = false
    var isUnitDiagonal = false
    var name: String { "triangularSolve" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        let (a, b) = (inputs[0], inputs[1])
        try checkMatrices(a, isSquare: true, for: name)
        try checkMatrices(b, for: name)
        let side = b.shape[b.shape.rank - (isLeft ? 2 : 1)]
        guard a.dtype == b.dtype, batchShape(a.shape) == batchShape(b.shape), a.shape.last == side else {
            throw TensorError(
                .shape, name,
                expected:
                    "a matrix of \(side) rows for the right-hand side \(b), same type and leading dimensions",
                got: "\(a)")
        }
        return [b]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let (a, b) = (primals[0], primals[1])
        let x = try self(a, b)
        let fromB = try tangents[1].map { try self(a, $0) }
        guard let tangent = tangents[0] else { return ([x], [fromB]) }
        let triangle =
            try isLower ? tril(tangent, k: isUnitDiagonal ? -1 : 0) : triu(tangent, k: isUnitDiagonal ? 1 : 0)
        let change = try -(isTransposed ? matrixTranspose(triangle) : triangle)
        // A⁻¹ Ȧ X, in the cheaper order.
        let (rows, columns) = (b.shape[b.rank - 2], b.shape[b.rank - 1])
        let fromA: Tensor
        if isLeft {
            fromA = try rows > columns ? self(a, matmul(change, x)) : matmul(self(a, change), x)
        } else {
            fromA = try rows < columns ? self(a, matmul(x, change)) : matmul(x, self(a, change))
        }
        return ([x], [try sum(fromB, fromA)])
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard let cotangent = cotangents[0], let a = operands[0].known else { return [nil, nil] }
        var adjoint = self
        adjoint.isTransposed.toggle()
        return [nil, try adjoint(a, cotangent)]
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        [Batched(try apply(self, Batched.aligned(inputs, size: size))[0], isMapped: true)]
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            _ = try LAPACK.routines(inputs[0].type.dtype, for: name)
            let shape = outputs[0].type.shape
            let a = builder.dense(inputs[0])
            builder.copy(inputs[1], to: outputs[0])
            builder.step(
                TriangularSolveStep(
                    dtype: outputs[0].type.dtype, count: batchShape(shape).reduce(1, *),
                    rows: shape[shape.rank - 2], columns: shape[shape.rank - 1], form: self, a: Place(a),
                    b: Place(outputs[0])),
                runTriangularSolve, reads: [a] + outputs, writes: outputs)
        }
    }

    var stableHLO: StableHLORule {
        .custom { writer, operation in
            let transpose = "#stablehlo<transpose \(isTransposed ? "TRANSPOSE" : "NO_TRANSPOSE")>"
            return try writer.writeGeneric(
                "stablehlo.triangular_solve", operation.operands,
                "left_side = \(isLeft), lower = \(isLower), transpose_a = \(transpose), unit_diagonal = \(isUnitDiagonal)",
                as: operation.results)
        }
    }
}

private struct TriangularSolveStep {
    let dtype: DType
    let count: Int
    let rows: Int
    let columns: Int
    let form: TriangularSolve
    let a: Place
    let b: Place
}

private func runTriangularSolve(
    _ arguments: UnsafeRawPointer?, _ slots: UnsafePointer<UnsafeMutableRawPointer?>?, _ pool: OpaquePointer?
) {
    guard let step = arguments?.load(as: TriangularSolveStep.self), let slots,
        let lapack = LAPACK.known(step.dtype), let a = step.a.address(slots), let b = step.b.address(slots)
    else { return }
    let width = step.dtype.byteWidth
    let order = step.form.isLeft ? step.rows : step.columns
    for member in 0..<step.count {
        lapack.solveTriangular(
            rowMajor: a + member * order * order * width, b + member * step.rows * step.columns * width,
            rows: step.rows, columns: step.columns, step.form)
    }
}

extension LAPACK {
    /// X in B's place, both matrices row-major: what Fortran sees are the transposes, hence the other side and triangle.
    func solveTriangular(rowMajor a: Data, _ b: Data, rows: Int, columns: Int, _ form: TriangularSolve) {
        solveTriangular(
            a, b, rows: columns, columns: rows, isLeft: !form.isLeft, isLower: !form.isLower,
            isTransposed: form.isTransposed, isUnitDiagonal: form.isUnitDiagonal)
    }
}

/// X with op(a)·X = b, or X·op(a) = b with `leftSide: false`, for triangular `a[…, n, n]` (lax.linalg.triangular_solve).
/// Leading dimensions must agree. A zero on the diagonal gives infinities and NaN.
///
/// - Parameters:
///   - lower: which triangle of `a` is read; the other one may hold anything.
///   - transposeA: op(a) = aᵀ.
///   - unitDiagonal: take the diagonal for ones, without reading it.
public func triangularSolve(
    _ a: Tensor, _ b: Tensor, leftSide: Bool = false, lower: Bool = false, transposeA: Bool = false,
    unitDiagonal: Bool = false
) throws -> Tensor {
    let dtype = DType.promote(a.dtype, b.dtype).floating
    let solver = TriangularSolve(
        isLeft: leftSide, isLower: lower, isTransposed: transposeA, isUnitDiagonal: unitDiagonal)
    return try solver(a.astype(dtype), b.astype(dtype))
}

/// x with a·x = b for triangular `a[…, n, n]`; a vector b gives a vector (scipy.linalg.solve_triangular).
public func solveTriangular(
    _ a: Tensor, _ b: Tensor, transposed: Bool = false, lower: Bool = false, unitDiagonal: Bool = false
) throws -> Tensor {
    guard b.rank > 0 else {
        throw TensorError(.shape, "solveTriangular", expected: "a vector or matrices", got: "\(b.type)")
    }
    let columns = b.rank == 1 ? try expandDims(b, axis: -1) : b
    let x = try triangularSolve(
        a, columns, leftSide: true, lower: lower, transposeA: transposed, unitDiagonal: unitDiagonal)
    return b.rank == 1 ? try squeeze(x, axes: [-1]) : x
}
