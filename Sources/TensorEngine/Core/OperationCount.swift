// How much arithmetic a program is.

extension Program {
    /// Floating-point operations of one evaluation, by the usual rules: a multiplication and an addition for each term of a
    /// product, one operation for each result of an elementwise function whatever it costs, one for each operand element of a
    /// reduction. Data movement, sorting and matrix decompositions count nothing. A loop without a fixed length counts as one iteration.
    public var operationCount: Double { equations.reduce(0) { $0 + operationCount(of: $1) } }

    /// The operations of one equation.
    public func operationCount(of equation: Equation) -> Double {
        equation.primitive.operationCount(equation.inputs.map(type(of:)), equation.outputs.map(type(of:)))
    }

    /// The operations by the module path that was current when they were recorded.
    public var operationCountByPath: [String: Double] {
        var result: [String: Double] = [:]
        addOperations(to: &result, times: 1)
        return result
    }

    private func addOperations(to result: inout [String: Double], times factor: Double) {
        for equation in equations {
            let nested = equation.primitive.repeatedPrograms
            if nested.isEmpty { result[equation.path, default: 0] += factor * operationCount(of: equation) }
            for (program, times) in nested { program.addOperations(to: &result, times: factor * times) }
        }
    }
}

extension Primitive {
    /// The programs that the operation runs, and how often: a loop of unknown length once, of several branches the longest.
    fileprivate var repeatedPrograms: [(program: Program, times: Double)] {
        switch self {
        case let scan as Scan: return [(scan.body, Double(scan.length))]
        case let choice as Switch:
            return choice.branches.max { $0.operationCount < $1.operationCount }.map { [($0, 1)] } ?? []
        default: return subprograms.map { ($0.program, 1) }
        }
    }

    /// One for each result where the compiler sees an elementwise operation; for others what the programs inside count.
    public func operationCount(_ inputs: [TensorType], _ outputs: [TensorType]) -> Double {
        if case .elementwise = lowering { return outputs.first.map { Double($0.shape.elementCount) } ?? 0 }
        return repeatedPrograms.reduce(0) { $0 + $1.times * $1.program.operationCount }
    }
}

extension DotGeneral {
    func operationCount(_ inputs: [TensorType], _ outputs: [TensorType]) -> Double {
        let terms = lhsContracting.reduce(1.0) { $0 * Double(inputs[0].shape[$1]) }
        return 2 * terms * Double(outputs[0].shape.elementCount)
    }
}

extension ConvGeneralDilated {
    /// A result has a term for each kernel element of its feature, those over padding and holes included.
    func operationCount(_ inputs: [TensorType], _ outputs: [TensorType]) -> Double {
        let kernel = inputs[1].shape
        let terms = kernel.indices.filter { $0 != numbers.rhs[0] }.reduce(1.0) { $0 * Double(kernel[$1]) }
        return 2 * terms * Double(outputs[0].shape.elementCount)
    }
}

extension Reduction {
    func operationCount(_ inputs: [TensorType], _ outputs: [TensorType]) -> Double {
        Double(inputs[0].shape.elementCount)
    }
}

extension ReduceWindow {
    func operationCount(_ inputs: [TensorType], _ outputs: [TensorType]) -> Double {
        slider.window.reduce(1.0) { $0 * Double($1) } * Double(outputs[0].shape.elementCount)
    }
}

extension Cumulative {
    func operationCount(_ inputs: [TensorType], _ outputs: [TensorType]) -> Double {
        Double(inputs[0].shape.elementCount)
    }
}
