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
                try dotGeneral(x[0], x[1], contracting: pair("contract"), batch: pair("batch"))
            ]
        default: return nil
        }
    }
}
