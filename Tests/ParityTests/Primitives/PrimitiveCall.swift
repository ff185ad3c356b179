// One call of an operation by its name in the golden cases; the operations themselves are in a file for each family.
import JobSpec
import TensorEngine

/// One call of an operation by its name in the golden cases (jnp's, or with a prefix).
struct PrimitiveCall {
    let name: String
    let operands: [any TensorConvertible]
    let keywords: JSONValue

    /// The operands, where none is a literal.
    var tensors: [Tensor] { operands.compactMap { $0 as? Tensor } }

    func results() throws -> [Tensor] {
        if let results = try created() { return results }
        if operands.count == 2, let results = try binary(operands[0], operands[1]) { return results }
        if name == "where", operands.count == 3, let condition = operands[0] as? Tensor {
            return [try select(condition, operands[1], operands[2])]
        }
        guard tensors.count == operands.count else { throw NotBuilt("\(name) of literals") }
        if tensors.count == 1, let result = try unary(tensors[0]) { return [result] }
        if tensors.count == 1, let results = try reduction(tensors[0]) { return results }
        guard
            let results = try quantiles() ?? shaped() ?? indexed() ?? contraction() ?? linearAlgebra()
                ?? windowed()
        else {
            throw NotBuilt(name)
        }
        return results
    }

    /// A number that stands in the source: a literal of that kind.
    static func number(_ json: JSONValue) throws -> any TensorConvertible {
        if case .int = json, let value = json.intValue { return value }
        if let value = json.doubleValue { return value }
        throw NotBuilt("literal \(json)")
    }

    var axes: [Int]? { keywords["axis"].flatMap { $0.integers ?? $0.intValue.map { [$0] } } }
    var axis: Int? { keywords["axis"]?.intValue }
    var keepDims: Bool { keywords["keepdims"]?.boolValue ?? false }

    /// Throws `NotBuilt` for keyword arguments that the operation here does not have.
    func only(_ known: String...) throws {
        for key in keywords.objectValue?.keys ?? [] where !known.contains(key) {
            throw NotBuilt("\(name)(\(key):)")
        }
    }
}
