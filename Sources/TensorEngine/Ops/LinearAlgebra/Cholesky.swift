// The Cholesky decomposition of symmetric positive definite matrices.
import CKernels

/// The lower triangular L with L·Lᵀ = x; only the lower triangle of x is read. All NaN (below the diagonal and on it) where
/// x is not positive definite.
struct Cholesky: Primitive {
    var name: String { "cholesky" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        try checkMatrices(inputs[0], isSquare: true, for: name)
        return [inputs[0]]
    }

    /// L̇ = L · φ(L⁻¹ ẋ L⁻ᵀ), where φ takes the lower triangle and half of the diagonal (Murray, arXiv 1602.07527).
    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let factor = try self(primals[0])
        guard let tangent = tangents[0] else { return ([factor], [nil]) }
        let right = try TriangularSolve(isLeft: false, isLower: true, isTransposed: true)(factor, tangent)
        let both = try TriangularSolve(isLeft: true, isLower: true)(factor, right)
        let halved = try tril(both) / (identity(factor.shape[factor.rank - 1], dtype: factor.dtype) + 1)
        return ([factor], [try matmul(factor, halved)])
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        [Batched(try self(inputs[0].tensor), isMapped: inputs[0].isMapped)]
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            _ = try LAPACK.routines(inputs[0].type.dtype, for: name)
            let shape = inputs[0].type.shape
            builder.copy(inputs[0], to: outputs[0])
            builder.step(
                CholeskyStep(
                    dtype: inputs[0].type.dtype, count: batchShape(shape).reduce(1, *),
                    size: shape[shape.rank - 1], matrix: Place(outputs[0])),
                runCholesky, reads: outputs, writes: outputs)
        }
    }

    /// XLA leaves anything in the upper triangle, and NaN from the first column on that has no root.
    var stableHLO: StableHLORule {
        .custom { writer, operation in
            let lower = ", lower = true"
            let factor = writer.write(
                "stablehlo.cholesky", operation.operands, lower, as: operation.results[0])
            return try writer.composite([factor]) { operands in
                let roots = try diagonal(operands[0], axis1: -2, axis2: -1)
                let hasRoots = try all(equal(roots, roots), axes: [-1])
                let mask = try broadcastInDim(
                    hasRoots, shape: operands[0].shape, dimensions: Array(0..<hasRoots.rank))
                return [try tril(select(mask, operands[0], full([], .nan, dtype: operands[0].dtype)))]
            }
        }
    }
}

private struct CholeskyStep {
    let dtype: DType
    let count: Int
    let size: Int
    let matrix: Place
}

private func runCholesky(
    _ arguments: UnsafeRawPointer?, _ slots: UnsafePointer<UnsafeMutableRawPointer?>?, _ pool: OpaquePointer?
) {
    guard let step = arguments?.load(as: CholeskyStep.self), let slots,
        let lapack = LAPACK.known(step.dtype), let base = step.matrix.address(slots)
    else { return }
    let elements = step.size * step.size
    let width = step.dtype.byteWidth
    for member in 0..<step.count {
        let matrix = base + member * elements * width
        // In column-major order the lower triangle is the upper one, and the upper factor the lower one.
        clearTriangle(matrix, rows: step.size, columns: step.size, below: false, width)
        // LAPACK may step over infinities.
        if !isAllFinite(matrix, count: elements, step.dtype)
            || !lapack.factorizeCholesky(matrix, size: step.size)
        {
            fillNaN(matrix, count: elements, step.dtype)
            clearTriangle(matrix, rows: step.size, columns: step.size, below: false, width)
        }
    }
}

/// The lower triangular L with L·Lᵀ = x, for the symmetric positive definite matrices `x[…, n, n]`; NaN for others.
///
/// - Parameter symmetrizeInput: replace x by (x + xᵀ) / 2 first, as JAX does; else only its lower triangle counts.
public func cholesky(_ x: Tensor, symmetrizeInput: Bool = true) throws -> Tensor {
    let matrix = try matrixOperand(x)
    try checkMatrices(matrix.type, isSquare: true, for: "cholesky")
    return try Cholesky()(symmetrizeInput ? symmetrized(matrix) : matrix)
}

/// (x + xᵀ) / 2
func symmetrized(_ x: Tensor) throws -> Tensor { try (x + matrixTranspose(x)) / 2 }
