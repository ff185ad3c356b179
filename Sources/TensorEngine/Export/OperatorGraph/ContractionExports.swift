// Matrix products and convolutions in operator graphs.

extension DotGeneral: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        let (lhs, rhs) = (operands[0], operands[1])
        let result = equation.results[0]
        let count = lhsContracting.count
        let isPlain =
            lhsBatch.isEmpty && count > 0 && lhsContracting == Array((lhs.rank - count)..<lhs.rank)
            && rhsContracting == Array(0..<count)
        if isPlain, let contracted = size(of: rhs.dimensions[..<count]),
            let columns = size(of: rhs.dimensions[count...])
        {
            // A dense layer: the right operand as a matrix, the left one as rows.
            let free = Array(lhs.dimensions.dropLast(count))
            let rows = free.isEmpty ? [.one] : free
            let matrix = try graph.reshape(rhs, [contracted, columns])
            let product = try graph.emit(
                .matrixProduct, [try graph.reshape(lhs, rows + [contracted]), matrix],
                .init(dtype: result.dtype, dimensions: rows + [columns]))
            return [try graph.reshape(product, result.dimensions)]
        }
        return [try graph.emit(.einsum(notation(lhs.rank, rhs.rank)), [lhs, rhs], result)]
    }

    /// The number of elements of dimensions that do not depend on the batch size.
    private func size(of dimensions: ArraySlice<SymbolicDimension>) -> SymbolicDimension? {
        Array(dimensions).staticShape.map { SymbolicDimension(fixed: $0.elementCount) }
    }

    /// Such as `abc,dbc->bad`.
    private func notation(_ lhsRank: Int, _ rhsRank: Int) -> String {
        var letters = "abcdefghijklmnopqrstuvwxyz".makeIterator()
        func next() -> String { letters.next().map(String.init) ?? "" }
        let lhs = (0..<lhsRank).map { _ in next() }
        var rhs = [String](repeating: "", count: rhsRank)
        for (a, b) in zip(lhsContracting + lhsBatch, rhsContracting + rhsBatch) { rhs[b] = lhs[a] }
        for axis in rhsFree(rhsRank) { rhs[axis] = next() }
        let result =
            lhsBatch.map { lhs[$0] } + lhsFree(lhsRank).map { lhs[$0] } + rhsFree(rhsRank).map { rhs[$0] }
        return "\(lhs.joined()),\(rhs.joined())->\(result.joined())"
    }
}

extension ConvGeneralDilated: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        guard batchGroups == 1 else { throw graph.refusal("\(batchGroups) batch groups") }
        let result = equation.results[0]
        // Features last, whatever they are here.
        var x = try graph.transpose(
            operands[0], [numbers.lhs[0]] + numbers.lhs[2...] + [numbers.lhs[1]])
        var kernel = try graph.transpose(
            operands[1], numbers.rhs[2...] + [numbers.rhs[1], numbers.rhs[0]])
        var sizes = ([numbers.out[0]] + numbers.out[2...] + [numbers.out[1]]).map { result.dimensions[$0] }
        guard (x.dimensions.dropFirst() + kernel.dimensions).allSatisfy(\.isStatic) else {
            throw graph.refusal("a convolution whose images depend on the batch size")
        }
        x = try graph.spread(
            x, by: [0] + lhsDilation.map { $0 - 1 } + [0], value: graph.constant(0, like: x).scalar)
        x = try graph.cropped(x, low: [0] + low + [0], high: [0] + high + [0])
        // Two spatial dimensions at least.
        let missing = Swift.max(0, 2 - strides.count)
        let ones = [Int](repeating: 1, count: missing)
        let zeros = [Int](repeating: 0, count: missing)
        let unit = [SymbolicDimension](repeating: .one, count: missing)
        x = try graph.reshape(x, [x.dimensions[0]] + unit + x.dimensions.dropFirst())
        kernel = try graph.reshape(kernel, unit + kernel.dimensions)
        let plain = sizes
        sizes = [sizes[0]] + unit + sizes.dropFirst()
        let product = try graph.emit(
            .convolution(
                strides: ones + strides, low: zeros + low.map { Swift.max($0, 0) },
                high: zeros + high.map { Swift.max($0, 0) }, dilations: ones + rhsDilation,
                groups: featureGroups),
            [x, kernel], .init(dtype: result.dtype, dimensions: sizes))
        // From [batch, spatial…, features] to where they belong.
        let rank = plain.count
        var permutation = [Int](repeating: 0, count: rank)
        permutation[numbers.out[0]] = 0
        permutation[numbers.out[1]] = rank - 1
        for (k, axis) in numbers.out[2...].enumerated() { permutation[axis] = k + 1 }
        return [try graph.transpose(graph.reshape(product, plain), permutation)]
    }
}

extension GraphOperand {
    /// The scalar that is repeated.
    var scalar: GraphOperand { broadcast(to: sourceDimensions) }
}

extension OperatorGraphBuilder {
    /// The operand without what negative padding cuts off.
    mutating func cropped(_ operand: GraphOperand, low: [Int], high: [Int]) throws -> GraphOperand {
        guard (low + high).contains(where: { $0 < 0 }) else { return operand }
        let starts = low.map { Swift.max(0, -$0) }
        let limits = operand.dimensions.indices.map {
            SymbolicDimension(
                fixed: operand.dimensions[$0].fixed - Swift.max(0, -high[$0]),
                perBatch: operand.dimensions[$0].perBatch)
        }
        let dimensions = zip(limits, starts).map {
            SymbolicDimension(fixed: $0.fixed - $1, perBatch: $0.perBatch)
        }
        return try slice(
            operand, starts: starts, limits: limits, strides: starts.map { _ in 1 }, dimensions)
    }
}
