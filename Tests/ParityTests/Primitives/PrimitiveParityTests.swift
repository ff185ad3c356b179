// Suite primitives: one operation at a time, its value and its vector-Jacobian products.
import JobSpec
import Linen
import TensorEngine
import Testing

@Suite("Operations are JAX's")
struct PrimitiveParityTests {
    @Test(
        "every operation that is built has JAX's values and gradients",
        arguments: [
            ("binary", 33),
            ("control_flow", 0),
            ("conv", 27),
            ("dtypes", 7),
            ("integers", 13),
            ("linalg", 0),
            ("matmul", 0),
            ("pools", 16),
            ("reductions", 41),
            ("shapes", 2),
            ("special_values", 15),
            ("transforms", 6),
            ("unary", 37),
        ])
    func primitives(group: String, notBuilt: Int) throws {
        try checkParity("primitives", group, notBuilt: notBuilt) { try check($0) }
    }

    private func check(_ parityCase: ParityCase) throws {
        let config = parityCase.config
        let name = config["op"]?.stringValue ?? ""
        // XLA's values there are no requirement (the fixtures' README).
        if parityCase.name.hasPrefix("int_divzero") || parityCase.name.hasPrefix("int_modzero") {
            throw NotBuilt("integer division by zero")
        }
        let inputs = try (parityCase.inputs["args"]?.arrayValue ?? []).map { try $0.tensor() }
        let keywords = config["kwargs"] ?? [:]
        let weak = try (config["weak"]?.objectValue ?? [:]).map {
            (Int($0.key) ?? 0, try PrimitiveCall.number($0.value))
        }
        .sorted { $0.0 < $1.0 }
        let function = try config["fn"].map {
            try ExpressionFunction($0).transformed(by: config["transforms"]?.arrayValue ?? [])
        }
        func run(_ tensors: [Tensor]) throws -> [Tensor] {
            if let function { return try function(tensors.map { .tensor($0) }).leaves }
            var operands: [any TensorConvertible] = tensors
            for (position, number) in weak { operands.insert(number, at: position) }
            return try PrimitiveCall(name: name, operands: operands, keywords: keywords).results()
        }
        func compare(_ outputs: [Tensor]) throws {
            if parityCase.expectsError { return }
            let expected = try parityCase.expected.member("out").arrayValue ?? []
            guard outputs.count == expected.count else { throw ParityMismatch("\(outputs.count) outputs") }
            for (index, (got, want)) in zip(outputs, expected).enumerated() {
                try expectClose(got, want, parityCase.tolerance, "out \(index)")
            }
        }
        do {
            try compare(run(inputs))
        } catch let mismatch as ParityMismatch {
            // XLA takes subnormal inputs of some operations for zeros, which is no requirement.
            let flushed = try inputs.map(PrimitiveParityTests.withoutSubnormals)
            guard flushed.contains(where: { $0.changed }) else { throw mismatch }
            try compare(run(flushed.map(\.tensor)))
        }
        guard let gradients = parityCase.expected["grads"]?.arrayValue, !gradients.isEmpty else { return }
        if name == "prod" { throw NotBuilt("the derivative of prod") }
        let positions = config["wrt"]?.integers ?? []
        let cotangents = try (parityCase.inputs["ct"]?.arrayValue ?? []).map { try $0.tensor() }
        let (_, pullback) = try vjp(
            { (variables: [Tensor]) in
                var tensors = inputs
                for (variable, position) in zip(variables, positions) { tensors[position] = variable }
                return try run(tensors).filter(\.dtype.isFloating)
            }, positions.map { inputs[$0] })
        for (index, (got, want)) in zip(try pullback(cotangents), gradients).enumerated() {
            try expectClose(got, want, parityCase.tolerance, "gradient \(index)")
        }
    }
}

extension PrimitiveParityTests {
    /// The tensor with zeros for its subnormal numbers, and whether it had any.
    fileprivate static func withoutSubnormals(_ tensor: Tensor) throws -> (tensor: Tensor, changed: Bool) {
        guard tensor.dtype == .float32 else { return (tensor, false) }
        let values: [Float] = try tensor.elements()
        return (
            try Tensor(values.map { $0.isSubnormal ? 0 : $0 }, shape: tensor.shape),
            values.contains(where: \.isSubnormal)
        )
    }
}
