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
        default: return nil
        }
    }
}
