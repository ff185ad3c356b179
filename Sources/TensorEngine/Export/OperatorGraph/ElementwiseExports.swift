// Elementwise primitives in operator graphs: most have a namesake, the others are written with those that have.

extension Unary: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        let x = operands[0]
        if let operation = ElementwiseOperator(rawValue: name) {
            return [
                try graph.emitBroadcasting(
                    .elementwise(operation), operands, equation.results[0].dtype, folding: self)
            ]
        }
        func constant(_ value: Double) throws -> GraphOperand { try graph.constant(value, like: x) }
        switch name {
        case Unary.exp2.name:
            return [try graph.elementwise(.exp, graph.elementwise(.mul, x, constant(logarithmOf2)))]
        case Unary.ndtr.name:
            let error = try graph.elementwise(.erf, graph.elementwise(.mul, x, constant(0.5.squareRoot())))
            let twice = try graph.elementwise(.add, error, constant(1))
            return [try graph.elementwise(.mul, twice, constant(0.5))]
        case Unary.trunc.name:
            let magnitude = try graph.elementwise(.floor, graph.elementwise(.abs, x))
            return [try graph.elementwise(.mul, graph.elementwise(.sign, x), magnitude)]
        default:
            throw graph.refusal()
        }
    }
}

extension Binary: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        if let operation = ElementwiseOperator(rawValue: name) {
            return [
                try graph.emitBroadcasting(
                    .elementwise(operation), operands, equation.results[0].dtype, folding: self)
            ]
        }
        guard name == Binary.logAddExp.name else { throw graph.refusal() }
        // The larger operand plus log(1 + exp(-|a - b|)); of equal infinities the difference is NaN, and the sum is meant.
        let (a, b) = (operands[0], operands[1])
        let difference = try graph.elementwise(.sub, a, b)
        let distance = try graph.elementwise(.neg, graph.elementwise(.abs, difference))
        let excess = try graph.elementwise(.log1p, graph.elementwise(.exp, distance))
        let sum = try graph.elementwise(.add, graph.elementwise(.max, a, b), excess)
        let isUndefined = try graph.emitBroadcasting(
            .elementwise(.notEqual), [difference, difference], .bool)
        let infinite = try graph.elementwise(.add, a, b)
        return [try graph.emitBroadcasting(.select, [isUndefined, infinite, sum], a.dtype)]
    }
}

extension Select: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        [try graph.emitBroadcasting(.select, operands, operands[1].dtype, folding: self)]
    }
}

extension Convert: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        [try graph.emitBroadcasting(.convert, operands, dtype, folding: self)]
    }
}

extension FusedMultiplyAdd: GraphExportable {
    /// With two roundings: graph formats have no operation with one.
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        [try graph.elementwise(.add, graph.elementwise(.mul, operands[0], operands[1]), operands[2])]
    }
}

extension IntegerPow: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        let x = operands[0]
        let largestExponent = 64
        guard exponent.magnitude <= largestExponent else {
            return [try graph.elementwise(.pow, x, graph.constant(Double(exponent), like: x))]
        }
        var (power, square, rest) = (GraphOperand?.none, x, exponent.magnitude)
        while rest > 0 {
            if rest & 1 == 1 { power = try power.map { try graph.elementwise(.mul, $0, square) } ?? square }
            rest >>= 1
            if rest > 0 { square = try graph.elementwise(.mul, square, square) }
        }
        let one = try graph.constant(1, like: x)
        let result = power ?? one
        return [exponent < 0 ? try graph.elementwise(.div, one, result) : result]
    }
}
