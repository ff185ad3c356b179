// Reverse-mode differentiation: linearize, then transpose.

/// A function's derivative at a point, as a linear program: what forward mode leaves when the values are known.
///
/// Linearising evaluates the part of the forward-mode program that does not depend on tangents; what remains is linear in
/// them, and transposing it, equation by equation from the last to the first, gives the gradient.
struct LinearizedProgram {
    let outputs: [Tensor]
    /// The forward-mode program; only its equations that depend on tangents are used.
    private let program: Program
    private let isLinear: [Bool]
    /// Values of the nonlinear variables that linear equations read.
    private let values: [Tensor?]
    private let tangentInputs: [Variable]
    /// By output of the function: the variable of its tangent, nil where that is zero.
    private let tangentOutputs: [Variable?]

    /// - Parameter isActive: by input, whether to differentiate with respect to it.
    init(_ original: Program, at primals: [Tensor], isActive: [Bool]) throws {
        let active = primals.indices.filter { isActive[$0] }
        let primalTypes = primals.map(\.type)
        let recorded = try Trace.record(primalTypes + active.map { primalTypes[$0] }) { leaves in
            var tangents = [Tensor?](repeating: nil, count: primals.count)
            for (k, input) in active.enumerated() { tangents[input] = leaves[primals.count + k] }
            let result = try original.evaluate(Array(leaves[..<primals.count]), tangents: tangents)
            return (result.outputs + result.tangents.compactMap { $0 }, result.tangents.map { $0 != nil })
        }
        let program = eliminateDeadCode(recorded.program)
        let outputCount = original.outputs.count
        var tangentVariables = program.outputs[outputCount...].makeIterator()
        tangentOutputs = recorded.extra.map { $0 ? tangentVariables.next() : nil }
        tangentInputs = Array(program.inputs[primals.count..<(primals.count + active.count)])

        var isLinear = [Bool](repeating: false, count: program.types.count)
        for variable in tangentInputs { isLinear[variable.index] = true }
        var values = [Tensor?](repeating: nil, count: program.types.count)
        for (variable, value) in zip(program.inputs, primals) { values[variable.index] = value }
        for (variable, value) in zip(program.inputs[(primals.count + active.count)...], recorded.captures) {
            values[variable.index] = value
        }
        for (variable, value) in program.constants { values[variable.index] = value }
        for equation in program.equations {
            if equation.inputs.contains(where: { isLinear[$0.index] }) {
                for variable in equation.outputs { isLinear[variable.index] = true }
            } else {
                let operands = try equation.inputs.map { try Program.defined(values[$0.index], $0) }
                let results = try ModulePath.$current.withValue(equation.path) {
                    try equation.primitive.run(operands)
                }
                for (variable, result) in zip(equation.outputs, results) { values[variable.index] = result }
            }
        }
        outputs = try program.outputs[..<outputCount].map { try Program.defined(values[$0.index], $0) }
        self.program = program
        self.isLinear = isLinear
        self.values = values
    }

    /// The cotangents of the active inputs for cotangents of the outputs; nil is zeros.
    func transpose(_ cotangents: [Tensor?]) throws -> [Tensor?] {
        var accumulated = [Tensor?](repeating: nil, count: program.types.count)
        for (variable, cotangent) in zip(tangentOutputs, cotangents) {
            if let variable {
                accumulated[variable.index] = try sum(accumulated[variable.index], cotangent)
            }
        }
        for equation in program.equations.reversed() where isLinear[equation.outputs[0].index] {
            let results = equation.outputs.map { accumulated[$0.index] }
            guard results.contains(where: { $0 != nil }) else { continue }
            let operands = try equation.inputs.map { variable -> LinearOperand in
                isLinear[variable.index]
                    ? .linear(program.type(of: variable))
                    : .known(try Program.defined(values[variable.index], variable))
            }
            let contributions = try ModulePath.$current.withValue(equation.path) {
                try equation.primitive.transpose(results, operands)
            }
            for (variable, contribution) in zip(equation.inputs, contributions) where isLinear[variable.index]
            {
                accumulated[variable.index] = try sum(accumulated[variable.index], contribution)
            }
        }
        return tangentInputs.map { accumulated[$0.index] }
    }

    /// The tangents of the outputs for tangents of the active inputs.
    func callAsFunction(_ tangents: [Tensor]) throws -> [Tensor] {
        var values = values
        for (variable, tangent) in zip(tangentInputs, tangents) { values[variable.index] = tangent }
        for equation in program.equations where isLinear[equation.outputs[0].index] {
            let operands = try equation.inputs.map { try Program.defined(values[$0.index], $0) }
            for (variable, result) in zip(equation.outputs, try equation.primitive.run(operands)) {
                values[variable.index] = result
            }
        }
        return try zip(outputs, tangentOutputs).map { output, variable in
            guard let variable else { return try zerosLike(output) }
            return try Program.defined(values[variable.index], variable)
        }
    }
}

/// The pullback of a function at a point: maps a cotangent of its value to the cotangent of its argument.
public struct Pullback<In: TensorTree, Out: TensorTree> {
    private let linearized: LinearizedProgram
    private let argument: In

    fileprivate init(_ linearized: LinearizedProgram, _ argument: In) {
        self.linearized = linearized
        self.argument = argument
    }

    public func callAsFunction(_ cotangent: Out) throws -> In {
        let cotangents = cotangent.leaves
        try checkTangents(linearized.outputs.map(\.type), cotangents.map(\.type), for: "vjp")
        let results = try linearized.transpose(cotangents)
        return try argument.replacingLeaves(try zip(argument.leaves, results).map { try $1 ?? zerosLike($0) })
    }
}

/// The value of `function` and its pullback there (reverse mode).
public func vjp<In: TensorTree, Out: TensorTree>(
    _ function: (In) throws -> Out, _ argument: In
) throws -> (value: Out, pullback: Pullback<In, Out>) {
    let traced = try TracedFunction(argument, function)
    let leaves = argument.leaves
    let linearized = try LinearizedProgram(
        traced.program, at: leaves + traced.captures,
        isActive: leaves.map(\.dtype.isFloating) + traced.captures.map { _ in false })
    let pullback = Pullback<In, Out>(linearized, try argument.replacingLeaves(leaves))
    return (try traced.output.replacingLeaves(linearized.outputs), pullback)
}

/// The value of `function` and its derivative there as a function of the tangent (forward mode, evaluated many times).
public func linearize<In: TensorTree, Out: TensorTree>(
    _ function: (In) throws -> Out, _ argument: In
) throws -> (value: Out, derivative: (In) throws -> Out) {
    let traced = try TracedFunction(argument, function)
    let leaves = argument.leaves
    let linearized = try LinearizedProgram(
        traced.program, at: leaves + traced.captures,
        isActive: leaves.map { _ in true } + traced.captures.map { _ in false })
    let output = traced.output
    return (
        try output.replacingLeaves(linearized.outputs),
        { tangent in
            try checkTangents(leaves.map(\.type), tangent.leaves.map(\.type), for: "linearize")
            return try output.replacingLeaves(try linearized(tangent.leaves))
        }
    )
}
