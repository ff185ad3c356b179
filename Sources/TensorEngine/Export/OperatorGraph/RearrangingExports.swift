// Primitives that move elements in operator graphs. What is to be repeated stays so as long as it can.

extension BroadcastInDim: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        let operand = operands[0]
        let result = equation.results[0].dimensions
        var source = [SymbolicDimension](repeating: .one, count: result.count)
        for (size, axis) in zip(operand.alignedSourceDimensions, dimensions) { source[axis] = size }
        let added = source.count - operand.sourceDimensions.count
        if Array(source.dropFirst(added)) == operand.sourceDimensions,
            source.prefix(added).allSatisfy({ $0 == .one })
        {
            return [operand.broadcast(to: result)]
        }
        return [try graph.reshapeSource(operand, to: source, dimensions: result)]
    }
}

extension Reshape: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        let operand = operands[0]
        let result = equation.results[0].dimensions
        let areSame = operand.dimensions.filter { $0 != .one } == result.filter { $0 != .one }
        guard !operand.isWhole, areSame else { return [try graph.reshape(operand, result)] }
        // Only dimensions of size 1 come and go.
        var sizes = zip(operand.alignedSourceDimensions, operand.dimensions).filter { $0.1 != .one }
            .map(\.0).makeIterator()
        let source = result.map { $0 == .one ? $0 : sizes.next() ?? $0 }
        return [try graph.reshapeSource(operand, to: source, dimensions: result)]
    }
}

extension Transpose: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        let operand = operands[0]
        let aligned = operand.alignedSourceDimensions
        let source = try graph.reshapeSource(operand, to: aligned, dimensions: aligned)
        return [
            try graph.transpose(source, permutation).broadcast(to: equation.results[0].dimensions)
        ]
    }
}

extension Slice: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        [
            try graph.slice(
                operands[0], starts: equation.numbers(\.starts, of: self),
                limits: equation.sizes(\.limits, of: self), strides: equation.numbers(\.strides, of: self),
                equation.results[0].dimensions)
        ]
    }
}

extension Reverse: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        [try graph.emit(.reverse(axes), operands, equation.results[0])]
    }
}

extension Concatenate: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        if operands.count == 1 { return operands }
        return [try graph.emit(.concatenate(axis: axis), operands, equation.results[0])]
    }
}

extension Pad: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        let spread = try graph.spread(
            operands[0], by: equation.numbers(\.interior, of: self), value: operands[1])
        return [
            try graph.pad(
                spread, low: equation.numbers(\.low, of: self), high: equation.numbers(\.high, of: self),
                value: operands[1])
        ]
    }
}

extension Iota: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        let result = equation.results[0].dimensions
        let size = result[dimension]
        // A line that is repeated along the other axes.
        let source = result.indices.map { $0 == dimension ? size : .one }
        if let count = size.staticSize, count <= OperatorGraphBuilder.largestFoldedElementCount {
            let line = try iota(dtype, shape: [count])
            return [
                try graph.reshapeSource(GraphOperand(line), to: source, dimensions: result)
            ]
        }
        let line = try graph.emit(.iota(axis: 0), [], .init(dtype: dtype, dimensions: [size]))
        return [try graph.reshapeSource(line, to: source, dimensions: result)]
    }
}

extension OperatorGraphBuilder {
    /// The operand with so many copies of a scalar between neighbours along each axis: each element gets a run of them behind it,
    /// of which the last one is cut off.
    mutating func spread(
        _ operand: GraphOperand, by interior: [Int], value: GraphOperand
    ) throws -> GraphOperand {
        var result = operand
        for (axis, count) in interior.enumerated() where count > 0 {
            let size = result.dimensions[axis]
            var split = result.dimensions
            split.insert(.one, at: axis + 1)
            var high = [Int](repeating: 0, count: split.count)
            high[axis + 1] = count
            let runs = try pad(
                reshape(result, split), low: high.map { _ in 0 }, high: high, value: value)
            func merged(without dropped: Int) -> [SymbolicDimension] {
                var dimensions = result.dimensions
                dimensions[axis] = SymbolicDimension(
                    fixed: size.fixed * (count + 1) - dropped, perBatch: size.perBatch * (count + 1))
                return dimensions
            }
            let line = try reshape(runs, merged(without: 0))
            guard size.staticSize != 0 else {
                result = line
                continue
            }
            let cut = merged(without: count)
            result = try slice(
                line, starts: cut.map { _ in 0 }, limits: cut, strides: cut.map { _ in 1 }, cut)
        }
        return result
    }
}
