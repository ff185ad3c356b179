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
            ("binary", 0),
            ("control_flow", 0),
            ("conv", 0),
            ("dtypes", 0),
            ("integers", 0),
            ("linalg", 0),
            ("matmul", 0),
            ("pools", 0),
            ("reductions", 0),
            ("shapes", 0),
            ("special_values", 0),
            ("transforms", 0),
            ("unary", 0),
        ])
    func primitives(group: String, notBuilt: Int) throws {
        try checkParity("primitives", group, notBuilt: notBuilt) { try check($0) }
    }

    private func check(_ parityCase: ParityCase) throws {
        let primitiveCase = try PrimitiveCase(parityCase)
        let inputs = primitiveCase.inputs
        let run = primitiveCase.results
        let outputs = try run(inputs)
        if parityCase.expectsError { return }
        let expected = try parityCase.expected.member("out").arrayValue ?? []
        guard outputs.count == expected.count else { throw ParityMismatch("\(outputs.count) outputs") }
        for (index, (got, want)) in zip(outputs, try expected.map { try $0.tensor() }).enumerated() {
            try expectClose(
                excusingSubnormals(got, want, inputs), want, parityCase.tolerance, "out \(index)")
        }
        guard let gradients = parityCase.expected["grads"]?.arrayValue, !gradients.isEmpty else { return }
        let cotangents = try (parityCase.inputs["ct"]?.arrayValue ?? []).map { try $0.tensor() }
        for (index, (got, want)) in zip(try primitiveCase.gradients(cotangents), gradients).enumerated() {
            try expectClose(got, want, parityCase.tolerance, "gradient \(index)")
        }
    }
}

/// `got`, but `want` where an operand of an elementwise operation is subnormal: XLA takes some of those for zeros, which is no
/// requirement (the fixtures' README).
private func excusingSubnormals(_ got: Tensor, _ want: Tensor, _ operands: [Tensor]) throws -> Tensor {
    guard got.type == want.type else { return got }
    var isExcused = try full(got.shape, 0, dtype: .bool)
    for operand in operands where operand.dtype == .float32 && operand.shape == got.shape {
        let magnitude = try abs(operand)
        let isSubnormal = try and(
            greater(magnitude, 0), less(magnitude, Double(Float.leastNormalMagnitude)))
        isExcused = try or(isExcused, isSubnormal)
    }
    return try select(isExcused, want, got)
}
