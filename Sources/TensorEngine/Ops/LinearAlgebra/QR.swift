// The QR decomposition, by Householder reflections in an order of its own: its bits are the same on every processor.
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
            let shape = inputs[0].type.shape
            let (m, n) = (Int64(shape[shape.rank - 2]), Int64(shape[shape.rank - 1]))
            let inner = isFull ? m : min(m, n)
            let (matrix, q, r) = (builder.dense(inputs[0]), outputs[0], outputs[1])
            let work = builder.temporary(
                TensorType(.float64, [Int(spk_qr_work_count(m, n, inner))]))
            builder.step(
                spk_qr(
                    dtype: dtype.kernelType, count: Int64(batchShape(shape).reduce(1, *)), rows: m,
                    columns: n,
                    inner: inner, matrix: matrix.slot, q: q.slot, r: r.slot, work: work.slot,
                    matrix_offset: matrix.offset, q_offset: q.offset, r_offset: r.offset),
                spk_run_qr, reads: [matrix], writes: [q, r, work])
        }
    }

    var stableHLO: StableHLORule { .unavailable("StableHLO has no such decomposition") }
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
