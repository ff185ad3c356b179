// Forward-mode differentiation: values and tangents side by side.

extension Program {
    /// Evaluates the program on `primals` together with its derivative in the direction of `tangents` (nil is zeros).
    func evaluate(
        _ primals: [Tensor], tangents: [Tensor?]
    ) throws -> (outputs: [Tensor], tangents: [Tensor?]) {
        var values = [Tensor?](repeating: nil, count: types.count)
        var directions = [Tensor?](repeating: nil, count: types.count)
        for (k, variable) in inputs.enumerated() {
            values[variable.index] = primals[k]
            directions[variable.index] = tangents[k]
        }
        for (variable, value) in constants { values[variable.index] = value }
        for equation in equations {
            let operands = try equation.inputs.map { try Program.defined(values[$0.index], $0) }
            let operandTangents = equation.inputs.map { directions[$0.index] }
            let (results, resultTangents) = try ModulePath.$current.withValue(equation.path) {
                operandTangents.contains { $0 != nil }
                    ? try equation.primitive.jvp(operands, operandTangents)
                    : (try equation.primitive.run(operands), equation.outputs.map { _ in nil })
            }
            for (k, variable) in equation.outputs.enumerated() {
                values[variable.index] = results[k]
                directions[variable.index] = resultTangents[k]
            }
        }
        return (
            try outputs.map { try Program.defined(values[$0.index], $0) },
            outputs.map { directions[$0.index] }
        )
    }
}

/// `function` and its derivative in a direction: the value at `primals`, and the tangent of the value for `tangents`
/// (forward mode, one pass).
public func jvp<In: TensorTree, Out: TensorTree>(
    _ function: (In) throws -> Out, _ primals: In, _ tangents: In
) throws -> (value: Out, tangent: Out) {
    let (points, directions) = (primals.leaves, tangents.leaves)
    try checkTangents(points.map(\.type), directions.map(\.type), for: "jvp")
    let traced = try TracedFunction(primals, function)
    let (outputs, resultTangents) = try traced.program.evaluate(
        points + traced.captures, tangents: directions + traced.captures.map { _ in nil })
    return (
        try traced.output.replacingLeaves(outputs),
        try traced.output.replacingLeaves(try zip(outputs, resultTangents).map { try $1 ?? zerosLike($0) })
    )
}

/// Tangents must have the types of what they are tangents of.
func checkTangents(_ points: [TensorType], _ tangents: [TensorType], for operation: String) throws {
    guard points == tangents else {
        throw TensorError(
            .shape, operation, expected: "tangents of the types \(points)", got: "\(tangents)",
            fix: "A tangent has the shape and type of its point.")
    }
}

/// A traced function together with the tree that it returned.
struct TracedFunction<Out: TensorTree> {
    /// Inputs: the leaves of the argument, then one for each captured value.
    let program: Program
    /// Values of surrounding transformations that the function uses.
    let captures: [Tensor]
    /// What the function returned; its tensors are traced, its structure is what counts.
    let output: Out

    init<In: TensorTree>(_ argument: In, _ function: (In) throws -> Out) throws {
        let recorded = try Trace.record(argument.leaves.map(\.type)) { leaves in
            let output = try function(try argument.replacingLeaves(leaves))
            return (output.leaves, output)
        }
        program = recorded.program
        captures = recorded.captures
        output = recorded.extra
    }
}
