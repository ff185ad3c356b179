// Eigenvalues and eigenvectors of symmetric matrices.
import CKernels

/// Eigenvalues in ascending order, and the eigenvectors as columns. Only the lower triangle is read.
struct SymmetricEigen: Primitive {
    var name: String { "eigh" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        try checkMatrices(inputs[0], isSquare: true, for: name)
        return [TensorType(inputs[0].dtype, Shape(inputs[0].shape.dropLast())), inputs[0]]
    }

    /// With A = vᵀ ẋ v: ẇ is its diagonal, v̇ = v(F ∘ A), F = 1 / (wⱼ - wᵢ) off the diagonal.
    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let results = try apply(self, primals)
        guard let tangent = tangents[0] else { return (results, [nil, nil]) }
        let (w, v) = (results[0], results[1])
        let identity = try TensorEngine.identity(w.shape[w.rank - 1], dtype: w.dtype)
        let factor = try 1 / (identity + expandDims(w, axis: -2) - expandDims(w, axis: -1)) - identity
        let inner = try matmul(matmul(matrixTranspose(v), tangent), v)
        return (results, [try diagonal(inner, axis1: -2, axis2: -1), try matmul(v, factor * inner)])
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        try apply(self, [inputs[0].tensor]).map { Batched($0, isMapped: inputs[0].isMapped) }
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            let dtype = inputs[0].type.dtype
            _ = try LAPACK.routines(dtype, for: name)
            let shape = inputs[0].type.shape
            let n = shape[shape.rank - 1]
            // What LAPACK asks for at least (ssyevd's documentation).
            let (workSize, integerSize) = (1 + 6 * n + 2 * n * n, 3 + 5 * n)
            guard workSize < Int(Int32.max) else {
                throw TensorError(
                    .resource, name, expected: "a workspace below 2³¹ elements", got: "\(inputs[0].type)")
            }
            let vectors = builder.columnMajor(inputs[0])
            let workspace = builder.temporary(TensorType(dtype, [workSize]))
            let integers = builder.temporary(TensorType(.int32, [integerSize]))
            builder.step(
                EigenStep(
                    dtype: dtype, count: batchShape(shape).reduce(1, *), size: n, workSize: workSize,
                    integerSize: integerSize, vectors: Place(vectors), values: Place(outputs[0]),
                    workspace: Place(workspace), integers: Place(integers)),
                runEigen, reads: [vectors], writes: [vectors, outputs[0], workspace, integers])
            builder.copy(vectors.matrixTransposed, to: outputs[1])
        }
    }

    var stableHLO: StableHLORule { .composite { try SymmetricEigen.rotated($0[0]) } }
}

private struct EigenStep {
    let dtype: DType
    let count: Int
    let size: Int
    let workSize: Int
    let integerSize: Int
    let vectors: Place
    let values: Place
    let workspace: Place
    let integers: Place
}

private func runEigen(
    _ arguments: UnsafeRawPointer?, _ slots: UnsafePointer<UnsafeMutableRawPointer?>?, _ pool: OpaquePointer?
) {
    guard let step = arguments?.load(as: EigenStep.self), let slots, let lapack = LAPACK.known(step.dtype),
        let matrices = step.vectors.address(slots), let values = step.values.address(slots),
        let workspace = step.workspace.address(slots),
        let integers = step.integers.address(slots)?.assumingMemoryBound(to: Int32.self)
    else { return }
    let elements = step.size * step.size
    for member in 0..<step.count {
        let matrix = matrices + member * elements * step.dtype.byteWidth
        let w = values + member * step.size * step.dtype.byteWidth
        let isDone =
            isAllFinite(matrix, count: elements, step.dtype)
            && lapack.decomposeSymmetric(
                matrix, size: step.size, values: w, workspace: workspace, workSize: step.workSize,
                integers: integers, integerSize: step.integerSize)
        if !isDone {
            fillNaN(matrix, count: elements, step.dtype)
            fillNaN(w, count: step.size, step.dtype)
        }
    }
}

/// The eigenvalues in ascending order, and the eigenvectors as columns of v, of the symmetric matrices `x[…, n, n]`. Signs are
/// LAPACK's. NaN where x is not finite. The derivative of v needs distinct eigenvalues.
///
/// - Parameter symmetrizeInput: replace x by (x + xᵀ) / 2 first, as JAX does; else only its lower triangle counts.
public func eigh(_ x: Tensor, symmetrizeInput: Bool = true) throws -> (w: Tensor, v: Tensor) {
    let matrix = try matrixOperand(x)
    try checkMatrices(matrix.type, isSquare: true, for: "eigh")
    let parts = try apply(SymmetricEigen(), [symmetrizeInput ? symmetrized(matrix) : matrix])
    return (parts[0], parts[1])
}

/// The eigenvalues in ascending order of the symmetric matrices `x[…, n, n]`.
public func eigvalsh(_ x: Tensor, symmetrizeInput: Bool = true) throws -> Tensor {
    try eigh(x, symmetrizeInput: symmetrizeInput).w
}
