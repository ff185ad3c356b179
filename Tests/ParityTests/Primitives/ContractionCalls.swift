// Golden cases: products of matrices.
import JobSpec
import TensorEngine

extension PrimitiveCall {
    func contraction() throws -> [Tensor]? {
        let x = tensors
        switch (name, x.count) {
        case ("matmul", 2): return [try matmul(x[0], x[1])]
        case ("dot", 2): return [try dot(x[0], x[1])]
        case ("inner", 2): return [try inner(x[0], x[1])]
        case ("dot_general", 2):
            func pair(_ key: String) -> (lhs: [Int], rhs: [Int]) {
                (keywords[key]?[0]?.integers ?? [], keywords[key]?[1]?.integers ?? [])
            }
            return [
                try dotGeneral(
                    x[0], x[1], contracting: pair("contract"), batch: pair("batch"),
                    preferredElementType: try keywords["preferred"]?.dtype())
            ]
        case ("einsum", _):
            return [try einsum(try keywords.member("subscripts").stringValue ?? "", x)]
        case ("tensordot", 2):
            let axes = try keywords.member("axes")
            if let count = axes.intValue { return [try tensordot(x[0], x[1], axes: count)] }
            return [try tensordot(x[0], x[1], axes: (axes[0]?.integers ?? [], axes[1]?.integers ?? []))]
        case ("outer", 2): return [try outer(x[0], x[1])]
        case ("vdot", 2): return [try vdot(x[0], x[1])]
        case ("kron", 2): return [try kron(x[0], x[1])]
        default: return nil
        }
    }
}
