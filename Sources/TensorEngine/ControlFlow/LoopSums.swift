// Sums over the iterations of a loop: products are summed by one contraction behind it.

/// How the sums of some values of a loop's body over its iterations are computed.
///
/// Where such a value is a product of a few rows (the gradient of a recurrent kernel), adding it to a running sum reads and
/// writes the whole sum in each iteration. Instead the factors are stacked, and one contraction over iterations and rows gives
/// the sum: its terms are added in the order of the positions, from the first to the last whichever way the loop runs, and
/// within one in the order of the rows. Slices, concatenations and sums of products follow behind that contraction.
/// Everything else is added up in the order of the iterations. The choice depends on the body and its shapes alone.
struct LoopSums {
    /// A product whose factors are stacked.
    private struct Product {
        let product: DotGeneral
        let factors: [Variable]
        let result: Variable
    }

    /// Values to add up in the loop.
    let accumulated: [Variable]
    /// Values to stack, besides the loop's own results.
    let stacked: [Variable]
    private let products: [Product]
    /// What is computed from the sums, in order.
    private let after: [Equation]

    /// - Parameters:
    ///   - summed: the values whose sums are wanted.
    ///   - isConstant: by variable, whether it is the same in each iteration.
    ///   - isStacked: by variable, whether it is a slice of an operand, or a result that the loop stacks anyway.
    init(_ body: Program, of summed: [Variable], isConstant: [Bool], isStacked: [Bool]) {
        var containsProduct = [Bool](repeating: false, count: body.types.count)
        for equation in body.equations {
            let result = equation.outputs[0]
            switch equation.primitive {
            case is DotGeneral:
                let factors = equation.inputs.map { body.type(of: $0).shape }
                let added = Set(equation.inputs).filter { !isStacked[$0.index] }
                    .reduce(0) { $0 + body.type(of: $1).shape.elementCount }
                containsProduct[result.index] =
                    added <= body.type(of: result).shape.elementCount
                    && equation.inputs.allSatisfy { !isConstant[$0.index] }
                    && factors.allSatisfy { $0.rank < TensorLimits.largestRank }
            default:
                containsProduct[result.index] =
                    equation.primitive.commutesWithSums
                    && equation.inputs.contains { containsProduct[$0.index] }
            }
        }
        var isWanted = [Bool](repeating: false, count: body.types.count)
        for variable in summed { isWanted[variable.index] = true }
        var products: [Product] = []
        var after: [Equation] = []
        for equation in body.equations.reversed() {
            let result = equation.outputs[0]
            guard isWanted[result.index], containsProduct[result.index] else { continue }
            isWanted[result.index] = false
            if let product = equation.primitive as? DotGeneral {
                products.append(Product(product: product, factors: equation.inputs, result: result))
            } else {
                after.append(equation)
                for variable in equation.inputs { isWanted[variable.index] = true }
            }
        }
        accumulated = body.types.indices.filter { isWanted[$0] }.map { Variable($0) }
        self.products = products.reversed()
        self.after = after.reversed()
        var isListed = isStacked
        var stacked: [Variable] = []
        for factor in products.flatMap(\.factors) where !isListed[factor.index] {
            isListed[factor.index] = true
            stacked.append(factor)
        }
        self.stacked = stacked
    }

    /// The sums of `variables`, from the running sums and the stacked factors.
    func sums(
        of variables: [Variable], accumulated values: [Variable: Tensor], stacked: (Variable) throws -> Tensor
    ) throws -> [Tensor] {
        var values = values
        for product in products {
            let lifted = product.product
            let sum = DotGeneral(
                lhsContracting: [0] + lifted.lhsContracting.map { $0 + 1 },
                rhsContracting: [0] + lifted.rhsContracting.map { $0 + 1 },
                lhsBatch: lifted.lhsBatch.map { $0 + 1 }, rhsBatch: lifted.rhsBatch.map { $0 + 1 })
            values[product.result] = try sum(stacked(product.factors[0]), stacked(product.factors[1]))
        }
        for equation in after {
            let inputs = try equation.inputs.map { try Program.defined(values[$0], $0) }
            let results = try ModulePath.$current.withValue(equation.path) {
                try equation.primitive.run(inputs)
            }
            values[equation.outputs[0]] = results[0]
        }
        return try variables.map { try Program.defined(values[$0], $0) }
    }
}

extension Primitive {
    /// Whether a sum of its results is its result for sums of its operands, element by element.
    fileprivate var commutesWithSums: Bool {
        switch self {
        case is Slice, is Reshape, is Transpose, is Concatenate: true
        case let binary as Binary: binary == Binary.add
        default: false
        }
    }
}
