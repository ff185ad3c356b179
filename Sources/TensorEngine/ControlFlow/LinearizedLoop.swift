// The derivative of a loop's iteration: a forward part that keeps values, and a linear part that reads them.

/// A loop's body, linearised: the forward part with its residuals as further results, and the linear part.
struct LinearizedBody {
    /// Where a value that the linear part reads comes from.
    enum Residual {
        /// It is an operand of the loop.
        case operand(Int)
        /// It depends on the loop's constants alone, and is computed before it.
        case invariant
        /// The loop stacks it as this result.
        case output(Int)
        /// The forward loop stacks it.
        case stacked
        /// A little arithmetic gives it from the others: the linear loop does it again.
        case recomputed
    }

    /// The body's outputs, then the stacked residuals.
    let forward: Program
    /// From the constants to the invariant residuals.
    let invariants: Program
    let residuals: [Residual]
    let isActiveOutput: [Bool]
    /// Inputs: residuals, then the tangents of active constants, carries and slices.
    private let linear: Program
    private let activeConstantCount: Int
    private let activeCarryCount: Int
    private let outputTypes: [TensorType]
    private let constantCount: Int
    private let recomputation: RepeatedResiduals

    init(_ body: Program, constantCount: Int, carryCount: Int, isActive: [Bool]) throws {
        let recorded = try Trace.record(body.inputTypes) { leaves in
            let linearization = try Linearization(body, at: leaves, isActive: isActive)
            return (linearization.outputs + linearization.residuals, linearization)
        }
        let program = recorded.program
        linear = recorded.extra.linear
        isActiveOutput = recorded.extra.isActiveOutput
        activeConstantCount = isActive[..<constantCount].count { $0 }
        activeCarryCount = isActive[constantCount..<(constantCount + carryCount)].count { $0 }
        outputTypes = body.outputTypes

        var isInvariant = [Bool](repeating: false, count: program.types.count)
        for variable in program.inputs[..<constantCount] { isInvariant[variable.index] = true }
        for (variable, _) in program.constants { isInvariant[variable.index] = true }
        for equation in program.equations where equation.inputs.allSatisfy({ isInvariant[$0.index] }) {
            for variable in equation.outputs { isInvariant[variable.index] = true }
        }
        var operandOf: [Variable: Int] = [:]
        for (k, variable) in program.inputs.enumerated() { operandOf[variable] = k }
        let carries = constantCount..<(constantCount + carryCount)
        var forward = program
        var invariants = program
        forward.outputs = Array(program.outputs[..<body.outputs.count])
        invariants.inputs = Array(program.inputs[..<constantCount])
        invariants.outputs = []
        var outputOf: [Variable: Int] = [:]
        for k in carryCount..<body.outputs.count { outputOf[program.outputs[k]] = k }
        let variables = Array(program.outputs[body.outputs.count...])
        recomputation = RepeatedResiduals(program, residuals: variables) { variable in
            operandOf[variable] == nil && outputOf[variable] == nil && !isInvariant[variable.index]
        }
        let recomputed = recomputation.results
        residuals = variables.map { variable in
            if let operand = operandOf[variable], !carries.contains(operand) { return .operand(operand) }
            if isInvariant[variable.index] {
                invariants.outputs.append(variable)
                return .invariant
            }
            if let output = outputOf[variable] { return .output(output) }
            if recomputed.contains(variable) { return .recomputed }
            forward.outputs.append(variable)
            return .stacked
        }
        self.forward = forward
        self.invariants = eliminateDeadCode(invariants)
        self.constantCount = constantCount
    }

    /// Whether a residual is the same in each iteration, or read slice by slice; nil where it is computed again.
    private func isConstant(_ residual: Residual) -> Bool? {
        switch residual {
        case .operand(let operand): operand < constantCount
        case .invariant: true
        case .output, .stacked: false
        case .recomputed: nil
        }
    }

    /// The linear part as a loop's body: constants (residuals, then tangents), tangents of the carry, slices (residuals, then
    /// tangents). Gives the tangents of the outputs that are to have one.
    func linearBody(hasTangent: [Bool]) throws -> Program {
        let places = residuals.map(isConstant)
        let types = linear.inputTypes
        let residualTypes = types[..<residuals.count]
        let tangentTypes = types[residuals.count...]
        let constants = zip(residualTypes, places).filter { $0.1 == true }.map { $0.0 }
        let slices = zip(residualTypes, places).filter { $0.1 == false }.map { $0.0 }
        let leading = activeConstantCount + activeCarryCount
        let inputTypes = constants + tangentTypes.prefix(leading) + slices + tangentTypes.dropFirst(leading)
        return try Trace.record(inputTypes) { leaves in
            var constantLeaves = leaves[..<constants.count].makeIterator()
            let leadingTangents = leaves[constants.count...].prefix(leading)
            var sliceLeaves = leaves[(constants.count + leading)...].prefix(slices.count).makeIterator()
            let trailingTangents = leaves[(constants.count + leading + slices.count)...]
            let values = try recomputation.complete(
                places.map { $0.flatMap { $0 ? constantLeaves.next() : sliceLeaves.next() } })
            var results = try linear.evaluate(values + leadingTangents + trailingTangents).makeIterator()
            let tangents = isActiveOutput.map { $0 ? results.next() : nil }
            let outputs = try zip(hasTangent.indices, tangents).compactMap { k, tangent -> Tensor? in
                guard hasTangent[k] else { return nil }
                return try tangent ?? full(outputTypes[k].shape, 0, dtype: outputTypes[k].dtype)
            }
            return (outputs, ())
        }.program
    }
}

/// Residuals that a few additions and multiplications give from others, such as y·(1 - y) of a logistic gate. Computing them
/// again costs less than keeping them for each iteration, and gives the same bits.
private struct RepeatedResiduals {
    /// The residuals that are computed again.
    let results: Set<Variable>
    private let program: Program
    private let residuals: [Variable]
    private let equations: [Equation]

    /// The most operations for one residual.
    private static let largestCount = 8

    init(_ program: Program, residuals: [Variable], isCandidate: (Variable) -> Bool) {
        self.program = program
        self.residuals = residuals
        let definition = program.producers()
        // What a recomputation may start from: residuals of before, literals.
        var isAvailable = [Bool](repeating: false, count: program.types.count)
        var isResidual = isAvailable
        for variable in residuals { isResidual[variable.index] = true }
        for (variable, _) in program.constants { isAvailable[variable.index] = true }
        for variable in program.inputs where isResidual[variable.index] { isAvailable[variable.index] = true }
        var results: Set<Variable> = []
        var isTaken = [Bool](repeating: false, count: program.equations.count)
        for equation in program.equations {
            guard let result = equation.outputs.first, isResidual[result.index] else { continue }
            for variable in equation.outputs { isAvailable[variable.index] = isResidual[variable.index] }
            guard isCandidate(result) else { continue }
            var found: [Int] = []
            var pending = [result]
            var isCheap = true
            while isCheap, let variable = pending.popLast() {
                let position = definition[variable.index]
                guard position >= 0, found.count < RepeatedResiduals.largestCount,
                    program.equations[position].primitive.isArithmetic
                else {
                    isCheap = false
                    break
                }
                found.append(position)
                pending += program.equations[position].inputs.filter { !isAvailable[$0.index] }
            }
            guard isCheap else { continue }
            for position in found { isTaken[position] = true }
            results.insert(result)
        }
        self.results = results
        equations = program.equations.indices.filter { isTaken[$0] }.map { program.equations[$0] }
    }

    /// All residuals, from those that are kept.
    func complete(_ kept: [Tensor?]) throws -> [Tensor] {
        var values: [Variable: Tensor] = [:]
        for (variable, value) in program.constants { values[variable] = value }
        for (variable, value) in zip(residuals, kept) where value != nil { values[variable] = value }
        for equation in equations {
            let inputs = try equation.inputs.map { try Program.defined(values[$0], $0) }
            let results = try ModulePath.$current.withValue(equation.path) {
                try equation.primitive.run(inputs)
            }
            for (variable, result) in zip(equation.outputs, results) { values[variable] = result }
        }
        return try residuals.map { try Program.defined(values[$0], $0) }
    }
}

extension Primitive {
    /// Whether an element costs next to nothing: additions, multiplications, repeated scalars.
    fileprivate var isArithmetic: Bool {
        switch self {
        case let binary as Binary: [.add, .sub, .mul].contains(binary)
        case let unary as Unary: unary == .neg || unary == .square
        case is BroadcastInDim: true
        default: false
        }
    }
}
