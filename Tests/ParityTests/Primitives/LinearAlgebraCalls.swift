// Golden cases: decompositions, linear systems, norms.
import JobSpec
import TensorEngine

extension PrimitiveCall {
    func linearAlgebra() throws -> [Tensor]? {
        let x = tensors
        switch (name, x.count) {
        case ("cholesky", 1): return [try cholesky(x[0])]
        case ("solve", 2): return [try solve(x[0], x[1])]
        case ("triangular_solve", 2):
            return [
                try triangularSolve(
                    x[0], x[1], leftSide: keywords["left_side"]?.boolValue ?? true,
                    lower: keywords["lower"]?.boolValue ?? true,
                    transposeA: keywords["transpose_a"]?.boolValue ?? false,
                    unitDiagonal: keywords["unit_diagonal"]?.boolValue ?? false)
            ]
        case ("linalg.inv", 1): return [try inv(x[0])]
        case ("qr_sign_fixed", 1):
            let (q, r) = try qr(x[0])
            return [q, r]
        case ("svd_values", 1): return [try svdvals(x[0])]
        case ("svd_reconstruct", 1):
            let (u, s, vt) = try svd(x[0])
            return [s, try matmul(u * expandDims(s, axis: -2), vt), try abs(vt)]
        case ("eigh_parts", 1):
            let (w, v) = try eigh(x[0])
            return [w, try abs(v), try matmul(v * expandDims(w, axis: -2), matrixTranspose(v))]
        case ("linalg.det", 1): return [try det(x[0])]
        case ("linalg.slogdet", 1):
            let (sign, logDet) = try slogdet(x[0])
            return [sign, logDet]
        case ("linalg.pinv", 1): return [try pinv(x[0])]
        case ("linalg.matrix_power", 1):
            return [try matrixPower(x[0], try keywords.member("n").intValue ?? 0)]
        case ("linalg.matrix_rank", 1): return [try matrixRank(x[0])]
        case ("linalg.lstsq", 2):
            let found = try lstsq(x[0], x[1])
            return [found.solution, found.residuals, found.rank, found.singularValues]
        case ("linalg.norm", 1):
            return [try norm(x[0], order: try order(), axes: axes, keepDims: keepDims)]
        default: return nil
        }
    }

    private func order() throws -> NormOrder? {
        guard let order = keywords["ord"] else { return nil }
        if let p = order.doubleValue { return .p(p) }
        switch order.stringValue {
        case nil: return nil
        case "fro": return .frobenius
        case "nuc": return .nuclear
        case "inf": return .p(.infinity)
        case "-inf": return .p(-.infinity)
        case let other?: throw NotBuilt("norm of order \(other)")
        }
    }
}
