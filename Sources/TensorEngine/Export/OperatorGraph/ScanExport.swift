// Loops in operator graphs: unrolled, as their length is known.

extension Scan: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        let step = equation.polymorphic.subprograms(at: equation.index)[0]
        guard length * step.program.equations.count <= OperatorGraphBuilder.largestNodeCount else {
            throw graph.refusal(
                "\(length) iterations of \(step.program.equations.count) operations",
                fix: "Export shorter sequences, or with StableHLO operations, which have loops.")
        }
        let constants = Array(operands[..<constantCount])
        var carry = Array(operands[constantCount..<(constantCount + carryCount)])
        let sequences = try operands[(constantCount + carryCount)...].map { try graph.whole($0) }
        var stacked: [[GraphOperand]] = Array(repeating: [], count: body.outputs.count - carryCount)
        for iteration in 0..<length {
            let place = isReverse ? length - 1 - iteration : iteration
            let slices = try sequences.map { try graph.row(place, of: $0) }
            let results = try graph.evaluate(step, constants + carry + slices)
            carry = Array(results[..<carryCount])
            for (k, result) in results[carryCount...].enumerated() { stacked[k].append(result) }
        }
        let rows = try zip(stacked, equation.results.dropFirst(carryCount)).map { results, type in
            let parts = try (isReverse ? results.reversed() : results).map {
                try graph.reshape(graph.whole($0), [.one] + $0.dimensions)
            }
            guard let first = parts.first, length > 0 else {
                throw graph.refusal("a loop without iterations, of which nothing can be stacked")
            }
            return parts.count == 1 ? first : try graph.emit(.concatenate(axis: 0), parts, type)
        }
        return carry + rows
    }
}

extension OperatorGraphBuilder {
    /// One element along the leading axis.
    fileprivate mutating func row(_ index: Int, of operand: GraphOperand) throws -> GraphOperand {
        let rest = Array(operand.dimensions.dropFirst())
        let starts = [index] + rest.map { _ in 0 }
        let one = [.one] + rest
        let line = try slice(
            operand, starts: starts, limits: [SymbolicDimension(fixed: index + 1)] + rest,
            strides: starts.map { _ in 1 }, one)
        return try reshape(line, rest)
    }
}
