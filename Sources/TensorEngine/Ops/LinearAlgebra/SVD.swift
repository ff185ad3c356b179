// The singular value decomposition.
import CKernels

/// Singular values in descending order, and U [m, k] and Vᵀ [k, n] with U·diag(s)·Vᵀ = x (k = min(m, n); square U and Vᵀ in the
/// full form).
struct SVD: Primitive {
    enum Vectors: Sendable, Hashable { case none, reduced, full }
    let vectors: Vectors
    var name: String { "svd" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        try checkMatrices(inputs[0], for: name)
        let shape = inputs[0].shape
        let (batch, m, n) = (batchShape(shape), shape[shape.rank - 2], shape[shape.rank - 1])
        let inner = min(m, n)
        let values = [inner]
        let shapes =
            switch vectors {
            case .none: [values]
            case .reduced: [values, [m, inner], [inner, n]]
            case .full: [values, [m, m], [n, n]]
            }
        return shapes.map { TensorType(inputs[0].dtype, Shape(batch + $0)) }
    }

    /// JAX's rule: with Ṡ = Uᵀ ẋ V, ṡ is its diagonal; U̇ and V̇ divide by differences of squared singular values, and by 0 counts
    /// as no contribution.
    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let x = primals[0]
        guard let tangent = tangents[0] else {
            let results = try apply(self, primals)
            return (results, results.map { _ in nil })
        }
        let (m, n) = (x.shape[x.rank - 2], x.shape[x.rank - 1])
        guard vectors != .full || m == n else {
            throw TensorError(
                .tracing, name, expected: "the reduced form for a derivative",
                got: "the full one of \(x.type)")
        }
        let parts = try apply(SVD(vectors: .reduced), primals)
        let (s, u, vt) = (parts[0], parts[1], parts[2])
        let (ut, v) = (try matrixTranspose(u), try matrixTranspose(vt))
        let inner = try matmul(matmul(ut, tangent), v)
        let values = try diagonal(inner, axis1: -2, axis2: -1)
        // LAPACK's values alone differ from those beside vectors in their last bits.
        guard vectors != .none else { return (try apply(self, primals), [values]) }

        let (row, column) = (try expandDims(s, axis: -2), try expandDims(s, axis: -1))
        let differences = try (row + column) * (row - column)
        let isZero = try equal(differences, 0).astype(s.dtype)
        let factor = try 1 / (differences + isZero) - isZero
        let (right, left) = (try row * inner, try column * inner)
        var du = try matmul(u, factor * (right + matrixTranspose(right)))
        var dv = try matmul(v, factor * (left + matrixTranspose(left)))
        if m > n {
            let along = try matmul(tangent, v)
            du = try du + (along - matmul(u, matmul(ut, along))) / row
        }
        if n > m {
            let along = try matmul(matrixTranspose(tangent), u)
            dv = try dv + (along - matmul(v, matmul(vt, along))) / row
        }
        return ([s, u, vt], [values, du, try matrixTranspose(dv)])
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        try apply(self, [inputs[0].tensor]).map { Batched($0, isMapped: inputs[0].isMapped) }
    }

    private var job: Unicode.Scalar {
        switch vectors {
        case .none: "N"
        case .reduced: "S"
        case .full: "A"
        }
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            let dtype = inputs[0].type.dtype
            let lapack = try LAPACK.routines(dtype, for: name)
            let shape = inputs[0].type.shape
            let (m, n) = (shape[shape.rank - 2], shape[shape.rank - 1])
            let inner = min(m, n)
            let leadingV = vectors == .full ? n : inner
            var noIntegers = Int32(0)
            let workSize = try lapack.workspaceSize(for: name) {
                _ = lapack.decomposeSingular(
                    job, nil, rows: m, columns: n, values: nil, u: nil, leadingU: m, v: nil,
                    leadingV: leadingV,
                    workspace: $0, workSize: -1, integers: &noIntegers)
            }
            let matrix = builder.columnMajor(inputs[0])
            let workspace = builder.temporary(TensorType(dtype, [workSize]))
            let integers = builder.temporary(TensorType(.int32, [8 * max(inner, 1)]))
            var results = [outputs[0]]
            if vectors != .none {
                results += outputs.dropFirst().map { builder.temporary($0.matrixTransposed.type) }
            }
            builder.step(
                SVDStep(
                    dtype: dtype, count: batchShape(shape).reduce(1, *), rows: m, columns: n, job: job,
                    columnsU: results.count > 1 ? results[1].type.shape[shape.rank - 2] : 0, rowsV: leadingV,
                    workSize: workSize, matrix: Place(matrix), values: Place(results[0]),
                    u: results.count > 1 ? Place(results[1]) : nil,
                    v: results.count > 2 ? Place(results[2]) : nil,
                    workspace: Place(workspace), integers: Place(integers)),
                runSVD, reads: [matrix], writes: [matrix, workspace, integers] + results)
            for (result, output) in zip(results, outputs).dropFirst() {
                builder.copy(result.matrixTransposed, to: output)
            }
        }
    }

    var stableHLO: StableHLORule { .composite { try rotated($0[0]) } }
}

private struct SVDStep {
    let dtype: DType
    let count: Int
    let rows: Int
    let columns: Int
    let job: Unicode.Scalar
    let columnsU: Int
    let rowsV: Int
    let workSize: Int
    let matrix: Place
    let values: Place
    let u: Place?
    let v: Place?
    let workspace: Place
    let integers: Place
}

private func runSVD(
    _ arguments: UnsafeRawPointer?, _ slots: UnsafePointer<UnsafeMutableRawPointer?>?, _ pool: OpaquePointer?
) {
    guard let step = arguments?.load(as: SVDStep.self), let slots, let lapack = LAPACK.known(step.dtype),
        let matrices = step.matrix.address(slots), let values = step.values.address(slots),
        let workspace = step.workspace.address(slots),
        let integers = step.integers.address(slots)?.assumingMemoryBound(to: Int32.self)
    else { return }
    let (m, n, inner, width) = (step.rows, step.columns, min(step.rows, step.columns), step.dtype.byteWidth)
    let (us, vs) = (step.u?.address(slots), step.v?.address(slots))
    for member in 0..<step.count {
        let matrix = matrices + member * m * n * width
        let s = values + member * inner * width
        let u = us.map { $0 + member * m * step.columnsU * width }
        let v = vs.map { $0 + member * step.rowsV * n * width }
        if inner == 0 {
            // The full form of an empty matrix.
            if let u { fillIdentity(u, size: m, step.dtype) }
            if let v { fillIdentity(v, size: n, step.dtype) }
            continue
        }
        let isDone =
            isAllFinite(matrix, count: m * n, step.dtype)
            && lapack.decomposeSingular(
                step.job, matrix, rows: m, columns: n, values: s, u: u, leadingU: m, v: v,
                leadingV: step.rowsV,
                workspace: workspace, workSize: step.workSize, integers: integers)
        if !isDone {
            fillNaN(s, count: inner, step.dtype)
            if let u { fillNaN(u, count: m * step.columnsU, step.dtype) }
            if let v { fillNaN(v, count: step.rowsV * n, step.dtype) }
        }
    }
}

/// The singular value decomposition of `x[…, m, n]`: u·diag(s)·vt = x, s descending, with k = min(m, n) columns of u and rows of vt,
/// or square u and vt with `fullMatrices`. Signs are LAPACK's. NaN where x is not finite. Derivatives need the reduced form, and
/// for u and vt distinct singular values.
public func svd(_ x: Tensor, fullMatrices: Bool = false) throws -> (u: Tensor, s: Tensor, vt: Tensor) {
    let parts = try apply(SVD(vectors: fullMatrices ? .full : .reduced), [try matrixOperand(x)])
    return (parts[1], parts[0], parts[2])
}

/// The singular values of `x[…, m, n]` in descending order.
public func svdvals(_ x: Tensor) throws -> Tensor { try SVD(vectors: .none)(matrixOperand(x)) }
