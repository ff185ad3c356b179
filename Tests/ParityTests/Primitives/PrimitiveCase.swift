// One golden case of an operation: its operands, and what it is applied to them.
import JobSpec
import TensorEngine

/// A case of the suite `primitives`.
struct PrimitiveCase {
    let inputs: [Tensor]
    /// Positions of the operands that the case has gradients for.
    let differentiated: [Int]
    /// The operation on operands like `inputs`.
    let results: ([Tensor]) throws -> [Tensor]

    init(_ parityCase: ParityCase) throws {
        let config = parityCase.config
        let name = config["op"]?.stringValue ?? ""
        let keywords = config["kwargs"] ?? [:]
        inputs = try (parityCase.inputs["args"]?.arrayValue ?? []).map { try $0.tensor() }
        differentiated = config["wrt"]?.integers ?? []
        let weak = try (config["weak"]?.objectValue ?? [:]).map {
            (Int($0.key) ?? 0, try PrimitiveCall.number($0.value))
        }
        .sorted { $0.0 < $1.0 }
        let function = try config["fn"].map {
            try ExpressionFunction($0).transformed(by: config["transforms"]?.arrayValue ?? [])
        }
        results = { tensors in
            if let function { return try function(tensors.map { .tensor($0) }).leaves }
            var operands: [any TensorConvertible] = tensors
            for (position, number) in weak { operands.insert(number, at: position) }
            return try PrimitiveCall(name: name, operands: operands, keywords: keywords).results()
        }
    }

    /// The cotangents of the differentiated operands, at `inputs`.
    func gradients(_ cotangents: [Tensor]) throws -> [Tensor] {
        let (_, pullback) = try vjp(
            { (variables: [Tensor]) in
                var tensors = inputs
                for (variable, position) in zip(variables, differentiated) { tensors[position] = variable }
                return try results(tensors).filter(\.dtype.isFloating)
            }, differentiated.map { inputs[$0] })
        return try pullback(cotangents)
    }
}
