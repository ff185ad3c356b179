// How much arithmetic a program is.

extension Program {
    /// Floating-point operations of one evaluation, by the usual rules: a multiplication and an addition for each term of a
    /// product, one operation for each result of an elementwise function whatever it costs, one for each operand element of a
    /// reduction. Data movement counts nothing. A loop without a fixed length counts as one iteration.
    public var operationCount: Double { equations.reduce(0) { $0 + operationCount(of: $1) } }

    /// The operations of one equation.
    public func operationCount(of equation: Equation) -> Double {
        equation.primitive.operationCount(equation.inputs.map(type(of:)), equation.outputs.map(type(of:)))
    }

    /// The operations by the module path that was current when they were recorded.
    public var operationCountByPath: [String: Double] {
        var result: [String: Double] = [:]
        for equation in equations { result[equation.path, default: 0] += operationCount(of: equation) }
        return result
    }
}

extension Primitive {
    /// One for each result where the compiler sees an elementwise operation, and the programs inside, once each.
    public func operationCount(_ inputs: [TensorType], _ outputs: [TensorType]) -> Double {
        let nested = subprograms.reduce(0) { $0 + $1.program.operationCount }
        guard case .elementwise = lowering else { return nested }
        return nested + (outputs.first.map { Double($0.shape.elementCount) } ?? 0)
    }
}

extension Scan {
    func operationCount(_ inputs: [TensorType], _ outputs: [TensorType]) -> Double {
        Double(length) * body.operationCount
    }
}

extension Switch {
    /// The longest branch.
    func operationCount(_ inputs: [TensorType], _ outputs: [TensorType]) -> Double {
        branches.map(\.operationCount).max() ?? 0
    }
}

extension DotGeneral {
    func operationCount(_ inputs: [TensorType], _ outputs: [TensorType]) -> Double {
        let terms = lhsContracting.reduce(1.0) { $0 * Double(inputs[0].shape[$1]) }
        return 2 * terms * Double(outputs[0].shape.elementCount)
    }
}

extension Reduction {
    func operationCount(_ inputs: [TensorType], _ outputs: [TensorType]) -> Double {
        Double(inputs[0].shape.elementCount)
    }
}
