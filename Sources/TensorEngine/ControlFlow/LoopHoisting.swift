// Work that a loop need not do in turn: what is the same in each iteration, and products of the sequences alone.

/// A loop's body without what can be computed before the loop.
///
/// Two kinds of equations leave the body. Those that depend on the loop's constants alone are computed once. Products of
/// slices with constants (the input kernel of a recurrent cell) are computed for all iterations at once, by the batching rule
/// with the iterations as members; each element is still the same chain of sums, so that the bits do not change. Views stay
/// where they are read, since they cost nothing there and are no longer seen through outside.
struct LoopHoisting {
    /// What remains. Inputs: the constants that are still read and those computed before, the carry, the slices that are
    /// still read and those of products computed before.
    let body: Program
    /// The operands of the loop that are still read, by number.
    private let keptOperands: [Int]
    /// Values computed before the loop that the body reads, in the order of its inputs.
    private let invariants: [Variable]
    private let products: [Variable]
    /// By result of the loop: the product that it is.
    private let productOfOutput: [Variable?]

    private let original: Program
    private let constantCount: Int
    private let carryCount: Int
    private let length: Int
    /// The equations to compute before the loop, with what they need, in order.
    private let before: [Equation]

    /// What a value depends on, each kind including those before it.
    private enum Dependence: Int {
        /// On literals only: broadcasts of a scalar, ranges. These stay recognisable where they are used.
        case nothing
        case constants
        case slices
        case carry
    }

    /// Elements of a product over all iterations beyond which it is left in the loop: 64 MB of float32.
    private static let largestProduct = 1 << 24

    /// - Parameters:
    ///   - body: inputs are constants, carry, slices; outputs are the carry, then stacked results.
    ///   - length: the number of iterations; nil where it is not known, and there are no slices.
    /// - Returns: nil where nothing can leave the body.
    init?(_ body: Program, constantCount: Int, carryCount: Int, length: Int?) {
        var dependence = [Dependence](repeating: .nothing, count: body.types.count)
        var isBatchable = [Bool](repeating: false, count: body.types.count)
        for (k, variable) in body.inputs.enumerated() {
            dependence[variable.index] =
                k < constantCount ? .constants : k < constantCount + carryCount ? .carry : .slices
            isBatchable[variable.index] = k >= constantCount + carryCount
        }
        for (variable, value) in body.constants where value.shape.elementCount > 1 {
            dependence[variable.index] = .constants
        }
        var isHoisted = [Bool](repeating: false, count: body.equations.count)
        for (position, equation) in body.equations.enumerated() {
            let own =
                equation.inputs.map { dependence[$0.index] }.max { $0.rawValue < $1.rawValue } ?? .nothing
            for variable in equation.outputs { dependence[variable.index] = own }
            switch own {
            case .nothing, .carry: break
            case .constants: isHoisted[position] = !equation.primitive.isView
            case .slices:
                guard let length, length > 1,
                    equation.inputs.allSatisfy({ isBatchable[$0.index] || dependence[$0.index] != .slices }),
                    (equation.inputs + equation.outputs).allSatisfy({
                        body.type(of: $0).shape.rank < TensorLimits.largestRank
                    })
                else { continue }
                let (data, weights) = equation.inputs.reduce(into: (0, 0)) { sizes, variable in
                    let count = body.type(of: variable).shape.elementCount
                    if dependence[variable.index] == .slices { sizes.0 += count } else { sizes.1 += count }
                }
                isHoisted[position] =
                    equation.primitive is DotGeneral
                    && LoopHoisting.isWorthwhile(
                        result: body.type(of: equation.outputs[0]).shape.elementCount, data: data,
                        weights: weights, length: length)
                if isHoisted[position] || equation.primitive.isView || equation.primitive.isElementwise {
                    for variable in equation.outputs { isBatchable[variable.index] = true }
                }
            }
        }
        guard isHoisted.contains(true) else { return nil }

        original = body
        self.constantCount = constantCount
        self.carryCount = carryCount
        self.length = length ?? 0
        var isHoistedValue = [Bool](repeating: false, count: body.types.count)
        var isNeeded = isHoistedValue
        var before: [Equation] = []
        for (position, equation) in body.equations.enumerated().reversed() {
            if isHoisted[position] {
                for variable in equation.outputs { isHoistedValue[variable.index] = true }
            }
            guard isHoisted[position] || equation.outputs.contains(where: { isNeeded[$0.index] }) else {
                continue
            }
            for variable in equation.inputs { isNeeded[variable.index] = true }
            before.append(equation)
        }
        self.before = before.reversed()

        var rest = body
        rest.equations = body.equations.indices.filter { !isHoisted[$0] }.map { body.equations[$0] }
        productOfOutput = body.outputs.enumerated().map { k, variable in
            let isProduct = isHoistedValue[variable.index] && dependence[variable.index] == .slices
            return k >= carryCount && isProduct ? variable : nil
        }
        rest.outputs = zip(body.outputs, productOfOutput).filter { $0.1 == nil }.map { $0.0 }
        rest = eliminateDeadCode(rest)
        var isRead = [Bool](repeating: false, count: body.types.count)
        for variable in rest.outputs + rest.equations.flatMap(\.inputs) { isRead[variable.index] = true }
        let carries = constantCount..<(constantCount + carryCount)
        keptOperands = body.inputs.indices.filter {
            carries.contains($0) || isRead[body.inputs[$0].index]
        }
        let read = before.reversed().flatMap(\.outputs).filter {
            isHoistedValue[$0.index] && isRead[$0.index]
        }
        invariants = read.filter { dependence[$0.index] == .constants }
        products = read.filter { dependence[$0.index] == .slices }
        let kept = keptOperands
        rest.inputs =
            kept.filter { $0 < constantCount }.map { body.inputs[$0] } + invariants
            + carries.map { body.inputs[$0] }
            + kept.filter { $0 >= carries.upperBound }.map { body.inputs[$0] } + products
        self.body = rest
    }

    /// Whether a product is better computed for all iterations at once: where an iteration touches more of its constants than
    /// of its own data. So the rows of one iteration (a batch of a recurrent cell) join those of the others, while a loop over
    /// large parts of a batch keeps the memory of one.
    private static func isWorthwhile(result: Int, data: Int, weights: Int, length: Int) -> Bool {
        result > 0 && result + data <= weights && result <= largestProduct / length
    }

    /// How many of the body's inputs are constants.
    var remainingConstantCount: Int { keptOperands.count { $0 < constantCount } + invariants.count }

    /// Computes what leaves the loop, from the loop's operands; gives those of the remaining loop, and the products.
    func operands(from operands: [Tensor]) throws -> (operands: [Tensor], outputs: [Tensor?]) {
        var values = [Batched?](repeating: nil, count: original.types.count)
        for (k, (variable, operand)) in zip(original.inputs, operands).enumerated() {
            values[variable.index] = Batched(operand, isMapped: k >= constantCount + carryCount)
        }
        for (variable, value) in original.constants {
            values[variable.index] = Batched(value, isMapped: false)
        }
        for equation in before {
            let inputs = try equation.inputs.map { try Program.defined(values[$0.index], $0) }
            let results = try ModulePath.$current.withValue(equation.path) {
                inputs.contains { $0.isMapped }
                    ? try equation.primitive.batch(inputs, size: length)
                    : try equation.primitive.run(inputs.map(\.tensor)).map { Batched($0, isMapped: false) }
            }
            for (variable, result) in zip(equation.outputs, results) { values[variable.index] = result }
        }
        func value(_ variable: Variable) throws -> Tensor {
            try Program.defined(values[variable.index], variable).tensor
        }
        let constants = keptOperands.filter { $0 < constantCount }
        let others = keptOperands.filter { $0 >= constantCount }
        return (
            try constants.map { operands[$0] } + invariants.map(value) + others.map { operands[$0] }
                + products.map(value),
            try productOfOutput.map { try $0.map(value) }
        )
    }
}

extension Primitive {
    fileprivate var isView: Bool {
        if case .view = lowering { true } else { false }
    }

    fileprivate var isElementwise: Bool {
        if case .elementwise = lowering { true } else { false }
    }
}

extension Scan {
    /// Runs the loop, with what need not be in it before it.
    func applyHoisting(_ operands: [Tensor]) throws -> [Tensor] {
        guard
            let hoisting = LoopHoisting(
                body, constantCount: constantCount, carryCount: carryCount, length: length)
        else { return try apply(self, operands) }
        let (remaining, products) = try hoisting.operands(from: operands)
        let loop = Scan(
            body: hoisting.body, constantCount: hoisting.remainingConstantCount, carryCount: carryCount,
            length: length, isReverse: isReverse)
        var results = try apply(loop, remaining).makeIterator()
        return products.compactMap { $0 ?? results.next() }
    }
}

extension While {
    /// Runs the loop, with what each iteration would compute alike before it.
    func applyHoisting(_ operands: [Tensor]) throws -> [Tensor] {
        let values = Array(operands[(conditionConstantCount + bodyConstantCount)...])
        func hoisted(_ program: Program, _ constants: [Tensor]) throws -> (Program, [Tensor]) {
            guard
                let hoisting = LoopHoisting(
                    program, constantCount: constants.count, carryCount: values.count, length: nil)
            else { return (program, constants) }
            return (
                hoisting.body,
                try Array(hoisting.operands(from: constants + values).operands.dropLast(values.count))
            )
        }
        let (test, testConstants) = try hoisted(condition, Array(operands[..<conditionConstantCount]))
        let (step, stepConstants) = try hoisted(
            body, Array(operands[conditionConstantCount...].prefix(bodyConstantCount)))
        let loop = While(
            condition: test, body: step, conditionConstantCount: testConstants.count,
            bodyConstantCount: stepConstants.count)
        return try apply(loop, testConstants + stepConstants + values)
    }
}
