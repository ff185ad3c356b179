// The QR decomposition, by Householder reflections.
import CKernels

/// Q with orthonormal columns and upper triangular R, with Q·R = x. Reduced: Q [m, k], R [k, n], k = min(m, n); full: Q [m, m],
/// R [m, n].
struct QR: Primitive {
    let isFull: Bool
    var name: String { "qr" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        try checkMatrices(inputs[0], for: name)
        let shape = inputs[0].shape
        let (batch, m, n) = (batchShape(shape), shape[shape.rank - 2], shape[shape.rank - 1])
        let inner = isFull ? m : min(m, n)
        return [
            TensorType(inputs[0].dtype, Shape(batch + [m, inner])),
            TensorType(inputs[0].dtype, Shape(batch + [inner, n])),
        ]
    }

    /// With Ω = Qᵀ ẋ R⁻¹: Q̇ = Q(skew(Ω) - Ω) + ẋ R⁻¹ and Ṙ = (Ω - skew(Ω)) R, skew(Ω) = tril(Ω, -1) - tril(Ω, -1)ᵀ.
    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let (x, factors) = (primals[0], try apply(self, primals))
        guard let tangent = tangents[0] else { return (factors, [nil, nil]) }
        let (m, n) = (x.shape[x.rank - 2], x.shape[x.rank - 1])
        guard m >= n, !isFull || m == n else {
            throw TensorError(
                .tracing, name,
                expected: "as many rows as columns, or the reduced form of a tall matrix, for a derivative",
                got: "\(x.type)\(isFull ? ", full" : "")")
        }
        let (q, r) = (factors[0], factors[1])
        let scaled = try TriangularSolve(isLeft: false, isLower: false)(r, tangent)
        let omega = try matmul(matrixTranspose(q), scaled)
        let lower = try tril(omega, k: -1)
        let skew = try lower - matrixTranspose(lower)
        return (factors, [try matmul(q, skew - omega) + scaled, try matmul(omega - skew, r)])
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        try apply(self, [inputs[0].tensor]).map { Batched($0, isMapped: inputs[0].isMapped) }
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            let dtype = inputs[0].type.dtype
            let lapack = try LAPACK.routines(dtype, for: name)
            let shape = inputs[0].type.shape
            let (m, n) = (shape[shape.rank - 2], shape[shape.rank - 1])
            let (inner, reflectors) = (isFull ? m : min(m, n), min(m, n))
            let workSize = try max(
                lapack.workspaceSize(for: name) {
                    lapack.factorizeQR(nil, rows: m, columns: n, tau: nil, workspace: $0, workSize: -1)
                },
                lapack.workspaceSize(for: name) {
                    lapack.formQ(
                        nil, rows: m, columns: inner, reflectors: reflectors, tau: nil, workspace: $0,
                        workSize: -1)
                })
            let matrix = builder.columnMajor(inputs[0])
            let q = builder.temporary(outputs[0].matrixTransposed.type)
            let tau = builder.temporary(TensorType(dtype, [reflectors]))
            let workspace = builder.temporary(TensorType(dtype, [workSize]))
            builder.step(
                QRStep(
                    dtype: dtype, count: batchShape(shape).reduce(1, *), rows: m, columns: n, inner: inner,
                    workSize: workSize, matrix: Place(matrix), q: Place(q), r: Place(outputs[1]),
                    tau: Place(tau),
                    workspace: Place(workspace)),
                runQR, reads: [matrix], writes: [matrix, q, tau, workspace, outputs[1]])
            builder.copy(q.matrixTransposed, to: outputs[0])
        }
    }
}

private struct QRStep {
    let dtype: DType
    let count: Int
    let rows: Int
    let columns: Int
    let inner: Int
    let workSize: Int
    let matrix: Place
    let q: Place
    let r: Place
    let tau: Place
    let workspace: Place
}

private func runQR(
    _ arguments: UnsafeRawPointer?, _ slots: UnsafePointer<UnsafeMutableRawPointer?>?, _ pool: OpaquePointer?
) {
    guard let step = arguments?.load(as: QRStep.self), let slots, let lapack = LAPACK.known(step.dtype),
        let matrices = step.matrix.address(slots), let qs = step.q.address(slots),
        let rs = step.r.address(slots), let tau = step.tau.address(slots),
        let workspace = step.workspace.address(slots)
    else { return }
    let (m, n, inner, width) = (step.rows, step.columns, step.inner, step.dtype.byteWidth)
    for member in 0..<step.count {
        let matrix = matrices + member * m * n * width
        let (q, r) = (qs + member * m * inner * width, rs + member * inner * n * width)
        lapack.factorizeQR(
            matrix, rows: m, columns: n, tau: tau, workspace: workspace, workSize: step.workSize)
        // R is the upper triangle; its elements are written one by one in row-major order.
        for row in 0..<inner {
            for column in 0..<n where row <= column && row < m {
                (r + (row * n + column) * width).copyMemory(
                    from: matrix + (column * m + row) * width, byteCount: width)
            }
        }
        clearTriangle(r, rows: inner, columns: n, below: true, width)
        q.copyMemory(from: matrix, byteCount: m * min(inner, n) * width)
        lapack.formQ(
            q, rows: m, columns: inner, reflectors: min(m, n), tau: tau, workspace: workspace,
            workSize: step.workSize)
    }
}

/// Which parts of Q and R `qr` gives for `x[…, m, n]`.
public enum QRMode: Sendable, Hashable {
    /// Q [m, k], R [k, n] with k = min(m, n).
    case reduced
    /// Q [m, m], R [m, n].
    case complete
}

/// The QR decomposition of `x[…, m, n]`: Q with orthonormal columns, R upper triangular, Q·R = x. Signs are LAPACK's: the
/// diagonal of R may be negative. Derivatives need m ≥ n, and m = n in complete mode.
public func qr(_ x: Tensor, mode: QRMode = .reduced) throws -> (q: Tensor, r: Tensor) {
    let factors = try apply(QR(isFull: mode == .complete), [try matrixOperand(x)])
    return (factors[0], factors[1])
}
