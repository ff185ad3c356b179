// Linearisation and transposition of programs: the two halves of reverse-mode differentiation.

/// A function's derivative at a point, as a linear program: what forward mode leaves when the values are known.
///
/// Linearising evaluates the part of the forward-mode program that does not depend on tangents; what remains is linear in
/// them, and transposing it, equation by equation from the last to the first, gives the gradient.
struct Linearization {
    /// The function's results.
    let outputs: [Tensor]
    /// The values that the linear part reads.
    let residuals: [Tensor]
    /// Inputs: the residuals, then the tangents of the active inputs. Outputs: the tangents that are not zero throughout.
    let linear: Program
    /// By output of the function: whether `linear` gives its tangent.
    let isActiveOutput: [Bool]

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
        let tangentInputs = program.inputs[primals.count..<(primals.count + active.count)]
        isActiveOutput = recorded.extra

        var values = [Tensor?](repeating: nil, count: program.types.count)
        for (variable, value) in zip(program.inputs, primals) { values[variable.index] = value }
        for (variable, value) in zip(program.inputs[(primals.count + active.count)...], recorded.captures) {
            values[variable.index] = value
        }
        var isConstant = [Bool](repeating: false, count: program.types.count)
        for (variable, value) in program.constants {
            values[variable.index] = value
            isConstant[variable.index] = true
        }

        // The linear part, with numbers of its own. A variable without a value depends on tangents.
        var linear = Program()
        var numbers = [Variable?](repeating: nil, count: program.types.count)
        var residuals: [Tensor] = []
        func number(_ variable: Variable) -> Variable {
            if let known = numbers[variable.index] { return known }
            let result = linear.makeVariable(program.type(of: variable))
            numbers[variable.index] = result
            if let value = values[variable.index] {
                if isConstant[variable.index] {
                    linear.constants.append((result, value))
                } else {
                    linear.inputs.append(result)
                    residuals.append(value)
                }
            }
            return result
        }
        var isLinear = [Bool](repeating: false, count: program.types.count)
        for variable in tangentInputs { isLinear[variable.index] = true }
        for equation in program.equations {
            if equation.inputs.contains(where: { isLinear[$0.index] }) {
                for variable in equation.outputs { isLinear[variable.index] = true }
                linear.equations.append(
                    Equation(
                        primitive: equation.primitive, inputs: equation.inputs.map(number),
                        outputs: equation.outputs.map(number), path: equation.path))
            } else {
                let operands = try equation.inputs.map { try Program.defined(values[$0.index], $0) }
                let results = try ModulePath.$current.withValue(equation.path) {
                    try equation.primitive.run(operands)
                }
                for (variable, result) in zip(equation.outputs, results) { values[variable.index] = result }
            }
        }
        let outputCount = original.outputs.count
        linear.outputs = program.outputs[outputCount...].map(number)
        linear.inputs += tangentInputs.map(number)
        outputs = try program.outputs[..<outputCount].map { try Program.defined(values[$0.index], $0) }
        self.linear = linear
        self.residuals = residuals
    }

    /// The cotangents of the active inputs for cotangents of the outputs; nil is zeros.
    func transpose(_ cotangents: [Tensor?]) throws -> [Tensor?] {
        let tangentCount = linear.inputs.count - residuals.count
        let results = try linear.transpose(
            residuals + [Tensor?](repeating: nil, count: tangentCount),
            zip(cotangents, isActiveOutput).filter { $0.1 }.map { $0.0 })
        return Array(results[residuals.count...])
    }

    /// The tangents of the outputs for tangents of the active inputs.
    func callAsFunction(_ tangents: [Tensor]) throws -> [Tensor] {
        var results = try linear.evaluate(residuals + tangents).makeIterator()
        return try zip(outputs, isActiveOutput).map { output, isActive in
            try (isActive ? results.next() : nil) ?? zerosLike(output)
        }
    }
}

extension Program {
    /// The cotangents of a program's linear inputs for cotangents of its outputs; nil is zeros.
    ///
    /// - Parameter arguments: the values of the inputs, nil for those in which the program is linear.
    /// - Returns: by input, its cotangent; nil for zeros and for known inputs.
    func transpose(_ arguments: [Tensor?], _ cotangents: [Tensor?]) throws -> [Tensor?] {
        var values = [Tensor?](repeating: nil, count: types.count)
        for (variable, value) in constants { values[variable.index] = value }
        for (variable, argument) in zip(inputs, arguments) { values[variable.index] = argument }
        var isLinear = [Bool](repeating: false, count: types.count)
        for (variable, argument) in zip(inputs, arguments) where argument == nil {
            isLinear[variable.index] = true
        }
        for equation in equations {
            if equation.inputs.contains(where: { isLinear[$0.index] }) {
                for variable in equation.outputs { isLinear[variable.index] = true }
                continue
            }
            let operands = try equation.inputs.map { try Program.defined(values[$0.index], $0) }
            let results = try ModulePath.$current.withValue(equation.path) {
                try equation.primitive.run(operands)
            }
            for (variable, result) in zip(equation.outputs, results) { values[variable.index] = result }
        }

        var accumulated = [CotangentSum](repeating: CotangentSum(), count: types.count)
        for (variable, cotangent) in zip(outputs, cotangents) where isLinear[variable.index] {
            try accumulated[variable.index].add(cotangent)
        }
        for equation in equations.reversed() where isLinear[equation.outputs[0].index] {
            try ModulePath.$current.withValue(equation.path) {
                let results = try equation.outputs.map {
                    try accumulated[$0.index].value(type(of: $0))
                }
                guard results.contains(where: { $0 != nil }) else { return }
                if let slice = equation.primitive as? Slice, let cotangent = results[0] {
                    accumulated[equation.inputs[0].index].add(cotangent, of: slice)
                    return
                }
                let operands = try equation.inputs.map { variable -> LinearOperand in
                    isLinear[variable.index]
                        ? .linear(type(of: variable))
                        : .known(try Program.defined(values[variable.index], variable))
                }
                let contributions = try equation.primitive.transpose(results, operands)
                for (variable, contribution) in zip(equation.inputs, contributions)
                where isLinear[variable.index] {
                    try accumulated[variable.index].add(contribution)
                }
            }
        }
        return try zip(inputs, arguments).map { variable, argument in
            argument == nil ? try accumulated[variable.index].value(type(of: variable)) : nil
        }
    }
}
