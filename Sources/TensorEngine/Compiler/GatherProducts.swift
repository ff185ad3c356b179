// Products of gathered rows: computed for the rows of the table, where it has fewer of them than were gathered.

/// An embedding looks up `count` rows in a table of fewer rows; a product of each looked-up row with a matrix is then the
/// same for many of them. So the table is multiplied, and the rows of the product are looked up:
///
///     take(table, i) · w           →  take(table · w, i)                   the same bits
///     take(table, i)ᵀ · g          →  tableᵀ · scatterAdd(g, i)            w's gradient
///     scatterAdd(g · wᵀ, i)        →  scatterAdd(g, i) · wᵀ                the table's gradient
///
/// The gradients' sums run over tokens first, in another order than uncompiled: they differ by roundings.
@Sendable func multiplyBeforeGathering(_ program: Program) throws -> Program {
    let isCandidate = program.equations.contains {
        ($0.primitive as? Take)?.axis == 0 || ($0.primitive as? ScatterAdd)?.axis == 0
    }
    guard isCandidate, program.equations.contains(where: { $0.primitive is DotGeneral }) else {
        return program
    }
    let products = GatherProducts(program)
    guard !products.rewritings.isEmpty else { return program }
    return try Trace.$current.withValue(nil) {
        try Trace.record(program.inputTypes) { (try products.evaluate($0), ()) }.program
    }
}

/// Finds the products of gathered rows in a program, and evaluates it with them rewritten.
private struct GatherProducts {
    /// Rows that were gathered, and transposed so that the features are still last.
    struct Rows {
        let table: Variable
        let indices: Variable
        let mode: IndexMode
        /// By dimension of the rows but the last one: the dimension of the indices.
        let order: [Int]
    }

    /// What takes an equation's place.
    enum Rewriting {
        /// take(table · w, i)
        case product(Rows, rhs: Variable, rhsContracting: Int)
        /// tableᵀ · scatterAdd(g, i), g's dimensions in the order of the indices; transposed where g is the left operand.
        case gradient(Rows, of: Variable, dimensions: [Int], isLhs: Bool)
        /// scatterAdd(g, i) · w, with the order of g's dimensions that the indices have; where the mask is not set, not at all.
        case table(
            of: Variable, dimensions: [Int], rhs: Variable, DotGeneral, indices: Variable, mask: Variable?,
            ScatterAdd)
    }

    private let program: Program
    /// By variable: the equation that computes it, -1 for inputs and constants.
    private let producer: [Int]
    private var readerCount: [Int]
    /// By position of the equation that it takes the place of.
    private(set) var rewritings: [Int: Rewriting] = [:]

    init(_ program: Program) {
        self.program = program
        producer = program.producers()
        readerCount = Array(repeating: 0, count: program.types.count)
        for equation in program.equations {
            for variable in equation.inputs { readerCount[variable.index] += 1 }
        }
        for variable in program.outputs { readerCount[variable.index] += 1 }
        for position in program.equations.indices { rewritings[position] = rewriting(position) }
    }

    private func equation(of variable: Variable) -> Equation? {
        let position = producer[variable.index]
        return position < 0 ? nil : program.equations[position]
    }

    /// Fewer multiply-adds, by far: rows of tables are summed and moved besides.
    private func pays(rows: Int, gathered: Int) -> Bool { rows > 0 && gathered >= 4 * rows }

    // MARK: Finding

    private func rewriting(_ position: Int) -> Rewriting? {
        let equation = program.equations[position]
        if let product = equation.primitive as? DotGeneral {
            return self.product(product, equation) ?? gradient(product, equation)
        }
        if let scatter = equation.primitive as? ScatterAdd { return table(scatter, equation) }
        return nil
    }

    /// The variable as gathered rows; nil where it is none, or the table is not much smaller.
    private func rows(_ variable: Variable) -> Rows? {
        var (current, permutations) = (variable, [[Int]]())
        while let equation = equation(of: current), let transpose = equation.primitive as? Transpose {
            permutations.append(transpose.permutation)
            current = equation.inputs[0]
        }
        guard let equation = equation(of: current), let take = equation.primitive as? Take else { return nil }
        let (table, indices) = (program.type(of: equation.inputs[0]), program.type(of: equation.inputs[1]))
        guard take.axis == 0, table.shape.rank == 2, table.dtype.isFloating,
            pays(rows: table.shape[0], gathered: indices.shape.elementCount)
        else { return nil }
        var order = Array(indices.shape.indices)
        for permutation in permutations.reversed() {
            guard permutation.last == order.count else { return nil }
            order = permutation.dropLast().map { order[$0] }
        }
        return Rows(table: equation.inputs[0], indices: equation.inputs[1], mode: take.mode, order: order)
    }

    private func product(_ product: DotGeneral, _ equation: Equation) -> Rewriting? {
        guard product.lhsBatch.isEmpty, let rows = rows(equation.inputs[0]),
            product.lhsContracting == [rows.order.count]
        else { return nil }
        return .product(rows, rhs: equation.inputs[1], rhsContracting: product.rhsContracting[0])
    }

    private func gradient(_ product: DotGeneral, _ equation: Equation) -> Rewriting? {
        guard product.lhsBatch.isEmpty else { return nil }
        let sides = [
            (0, product.lhsContracting, product.rhsContracting),
            (1, product.rhsContracting, product.lhsContracting),
        ]
        for (side, own, other) in sides {
            guard let rows = rows(equation.inputs[side]), own.sorted() == Array(0..<rows.order.count) else {
                continue
            }
            // By dimension of the indices: that of the other operand.
            let dimensions = rows.order.indices.map { index in
                other[own.firstIndex(of: rows.order.firstIndex(of: index) ?? 0) ?? 0]
            }
            return .gradient(rows, of: equation.inputs[1 - side], dimensions: dimensions, isLhs: side == 1)
        }
        return nil
    }

    /// A sum over rows that are products, which nothing else reads.
    private func table(_ scatter: ScatterAdd, _ equation: Equation) -> Rewriting? {
        let indices = program.type(of: equation.inputs[1]).shape
        var updates = equation.inputs[0]
        guard scatter.axis == 0, program.type(of: updates).shape.rank == indices.rank + 1,
            program.type(of: updates).dtype.isFloating,
            pays(rows: scatter.size, gathered: indices.elementCount)
        else { return nil }
        let mask = rowMask(updates)
        if mask != nil, let select = self.equation(of: updates) { updates = select.inputs[1] }
        var order = Array(indices.indices)
        while let producer = self.equation(of: updates), readerCount[updates.index] == 1,
            let transpose = producer.primitive as? Transpose
        {
            guard transpose.permutation.last == order.count else { return nil }
            order = order.map { transpose.permutation[$0] }
            updates = producer.inputs[0]
        }
        guard let producer = self.equation(of: updates), readerCount[updates.index] == 1,
            let product = producer.primitive as? DotGeneral, product.lhsBatch.isEmpty
        else { return nil }
        let lhsRank = program.type(of: producer.inputs[0]).shape.rank
        let free = product.lhsFree(lhsRank)
        guard free.count == order.count else { return nil }
        return .table(
            of: producer.inputs[0], dimensions: order.map { free[$0] }, rhs: producer.inputs[1], product,
            indices: equation.inputs[1], mask: mask, scatter)
    }

    /// The mask of a selection between rows and zeros, one condition for each row; nil where a variable is none.
    private func rowMask(_ variable: Variable) -> Variable? {
        guard let select = equation(of: variable), select.primitive is Select,
            readerCount[variable.index] == 1,
            let spread = equation(of: select.inputs[0]), let broadcast = spread.primitive as? BroadcastInDim,
            broadcast.dimensions == Array(0..<(program.type(of: variable).shape.rank - 1)),
            isZero(select.inputs[2])
        else { return nil }
        return spread.inputs[0]
    }

    private func isZero(_ variable: Variable) -> Bool {
        guard let equation = equation(of: variable), equation.primitive is BroadcastInDim,
            let constant = program.constants.first(where: { $0.variable == equation.inputs[0] })
        else { return false }
        return constant.value.shape.elementCount == 1 && (try? constant.value.doubles()) == [0]
    }

    // MARK: Rewriting

    func evaluate(_ arguments: [Tensor]) throws -> [Tensor] {
        try program.evaluateEach(arguments) { position, value in
            if let rewriting = rewritings[position] { return [try evaluate(rewriting, value)] }
            let equation = program.equations[position]
            return try equation.primitive.run(equation.inputs.map(value))
        }
    }

    private func evaluate(_ rewriting: Rewriting, _ value: (Variable) throws -> Tensor) throws -> Tensor {
        switch rewriting {
        case .product(let rows, let rhs, let contracting):
            let product = try DotGeneral(
                lhsContracting: [1], rhsContracting: [contracting], lhsBatch: [], rhsBatch: [])(
                    value(rows.table), value(rhs))
            let indices = try transpose(value(rows.indices), axes: rows.order)
            return try Take(axis: 0, mode: rows.mode)(product, indices)
        case .gradient(let rows, let other, let dimensions, let isLhs):
            let table = try value(rows.table)
            let indices = try value(rows.indices)
            let isInside = try and(greaterEqual(indices, 0), less(indices, table.shape[0]))
            var index = try clip(indices, 0, table.shape[0] - 1)
            if rows.mode == .fill { index = try select(isInside, index, -1) }
            let sums = try sums(value(other), dimensions, by: index, size: table.shape[0])
            let contraction = DotGeneral(lhsContracting: [0], rhsContracting: [0], lhsBatch: [], rhsBatch: [])
            let result = try isLhs ? contraction(sums, table) : contraction(table, sums)
            guard rows.mode == .fill else { return result }
            // A row that was looked up outside is NaN, and so is every sum with it.
            return try select(
                broadcastTo(all(isInside), result.shape), result,
                full(result.shape, .nan, dtype: result.dtype))
        case .table(let gradient, let dimensions, let rhs, let product, let indices, let mask, let scatter):
            // Indices outside are left out.
            let index = try mask.map { try select(value($0), value(indices), -1) } ?? value(indices)
            let sums = try sums(value(gradient), dimensions, by: index, size: scatter.size)
            let rank = program.type(of: gradient).shape.rank
            // What is contracted stands behind the rows, in ascending order.
            let contracted = (0..<rank).filter { !dimensions.contains($0) }
            let places = product.lhsContracting.map { 1 + (contracted.firstIndex(of: $0) ?? 0) }
            return try DotGeneral(
                lhsContracting: places, rhsContracting: product.rhsContracting, lhsBatch: [], rhsBatch: [])(
                    sums, value(rhs))
        }
    }

    /// x summed by index: x's `dimensions` are those of the indices, the others follow behind the rows.
    private func sums(_ x: Tensor, _ dimensions: [Int], by index: Tensor, size: Int) throws -> Tensor {
        let others = x.shape.indices.filter { !dimensions.contains($0) }
        return try ScatterAdd(axis: 0, size: size)(transpose(x, axes: dimensions + others), index)
    }
}
