// Reading at indices in operator graphs, whose own gathers want indices that are inside.

extension Take: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        let (x, indices) = (operands[0], operands[1])
        let result = equation.results[0]
        let inside = try graph.inside(indices, count: x.dimensions[axis])
        let taken = try graph.emit(.gather(axis: axis), [x, inside.clamped], result)
        guard mode == .fill else { return [taken] }
        // The indices' dimensions stand where the axis was.
        let behind = [SymbolicDimension](repeating: .one, count: x.rank - axis - 1)
        let mask = try graph.reshape(
            graph.whole(inside.isInside), inside.isInside.dimensions + behind
        ).broadcast(to: result.dimensions)
        return [try graph.filled(taken, where: mask)]
    }
}

extension TakeAlongAxis: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        let (x, indices) = (operands[0], operands[1])
        let inside = try graph.inside(indices, count: x.dimensions[axis])
        // The axis goes to the end, and comes back.
        var toEnd = Array(x.dimensions.indices)
        toEnd.append(toEnd.remove(at: axis))
        var back = toEnd
        for (k, axis) in toEnd.enumerated() { back[axis] = k }
        let lines = try graph.transpose(graph.whole(x), toEnd)
        let places = try graph.transpose(graph.whole(inside.clamped), toEnd)
        let taken = try graph.emit(
            .gatherAlongLastAxis, [lines, places], .init(dtype: x.dtype, dimensions: places.dimensions))
        let result = try graph.transpose(taken, back)
        return [mode == .fill ? try graph.filled(result, where: inside.isInside) : result]
    }
}

extension OperatorGraphBuilder {
    /// Indices moved to the nearest one of `0..<count`, and which ones were there.
    fileprivate mutating func inside(
        _ indices: GraphOperand, count: SymbolicDimension
    ) throws -> (clamped: GraphOperand, isInside: GraphOperand) {
        guard let count = count.staticSize else {
            throw refusal("a number of rows that depends on the batch size, \(count)")
        }
        let first = try constant(0, like: indices)
        let last = try constant(Double(Swift.max(count - 1, 0)), like: indices)
        let clamped = try elementwise(.min, elementwise(.max, indices, first), last)
        let isInside = try emitBroadcasting(.elementwise(.equal), [clamped, indices], .bool)
        return (clamped, isInside)
    }

    /// What was taken, and what IndexMode.fill says where the index was not inside.
    fileprivate mutating func filled(
        _ taken: GraphOperand, where isInside: GraphOperand
    ) throws -> GraphOperand {
        let value: Double =
            taken.dtype.isFloating
            ? .nan
            : taken.dtype.isUnsignedInteger || taken.dtype == .bool
                ? taken.dtype.largestFinite : -taken.dtype.largestFinite - 1
        let outside = try constant(value, like: taken)
        return try emitBroadcasting(.select, [isInside, taken, outside], taken.dtype)
    }
}
