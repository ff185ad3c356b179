// The passes of the compiler that turn a program into an equal one that takes less time or memory.

/// Program → Program, one after the other. In debug builds the result of each is verified.
enum Pipeline {
    static let standard: [(name: String, pass: @Sendable (Program) throws -> Program)] = [
        ("inlinePrograms", inlinePrograms),
        ("removeIdentities", { removeIdentities($0) { $0 is StopGradient } }),
        ("hoistOutOfLoops", hoistOutOfLoops),
        ("multiplyBeforeGathering", multiplyBeforeGathering),
        ("foldConstants", foldConstants),
        ("eliminateCommonSubexpressions", eliminateCommonSubexpressions),
        ("eliminateDeadCode", eliminateDeadCode),
        ("recomputeCheapResults", recomputeCheapResults),
    ]

    static func run(_ program: Program) throws -> Program {
        try standard.reduce(program) { program, entry in
            let result = try entry.pass(program)
            #if DEBUG
                try result.verify()
            #endif
            return result
        }
    }
}

/// Puts the program of an operation that only transformations needed (a custom derivative) in its place.
@Sendable func inlinePrograms(_ program: Program) throws -> Program {
    guard program.equations.contains(where: { $0.primitive.inlined != nil }) else { return program }
    return try Trace.$current.withValue(nil) {
        try Trace.record(program.inputTypes) { (try program.evaluateInlined($0), ()) }.program
    }
}

extension Program {
    /// Evaluates the program with the programs of its operations in their places.
    fileprivate func evaluateInlined(_ arguments: [Tensor]) throws -> [Tensor] {
        try evaluate(arguments) { primitive, operands in
            try primitive.inlined?.evaluateInlined(operands) ?? primitive.run(operands)
        }
    }
}

/// Removes operations that give back their operand: stopGradient, once differentiation is over.
@Sendable func removeIdentities(_ program: Program, _ isIdentity: (any Primitive) -> Bool) -> Program {
    guard program.equations.contains(where: { isIdentity($0.primitive) }) else { return program }
    var result = program
    var replacement = program.types.indices.map { Int32(truncatingIfNeeded: $0) }
    result.equations = []
    for var equation in program.equations {
        equation.inputs = equation.inputs.map { Variable(Int(replacement[$0.index])) }
        if isIdentity(equation.primitive) {
            replacement[equation.outputs[0].index] = equation.inputs[0].id
        } else {
            result.equations.append(equation)
        }
    }
    result.outputs = program.outputs.map { Variable(Int(replacement[$0.index])) }
    return result
}

/// Takes out of loops what need not be in them. Loops are recorded without it; here it is what only now is to be seen: the
/// programs inside a body, such as one that is computed again in the backward pass, are in their places.
@Sendable private func hoistOutOfLoops(_ program: Program) throws -> Program {
    guard program.equations.contains(where: { $0.primitive is Scan || $0.primitive is While }) else {
        return program
    }
    return try Trace.$current.withValue(nil) {
        try Trace.record(program.inputTypes) { arguments in
            let results = try program.evaluate(arguments) { primitive, operands in
                switch primitive {
                case let loop as Scan: try loop.optimized().applyHoisting(operands)
                case let loop as While: try loop.optimized().applyHoisting(operands)
                default: try primitive.run(operands)
                }
            }
            return (results, ())
        }.program
    }
}

extension Scan {
    fileprivate func optimized() throws -> Scan {
        Scan(
            body: try Pipeline.run(body), constantCount: constantCount, carryCount: carryCount,
            length: length, isReverse: isReverse)
    }
}

extension While {
    fileprivate func optimized() throws -> While {
        While(
            condition: try Pipeline.run(condition), body: try Pipeline.run(body),
            conditionConstantCount: conditionConstantCount, bodyConstantCount: bodyConstantCount)
    }
}

/// Evaluates equations whose operands are all constants, where the result is small.
@Sendable private func foldConstants(_ program: Program) throws -> Program {
    let largestResult = 256
    var values = [Tensor?](repeating: nil, count: program.types.count)
    for (variable, value) in program.constants { values[variable.index] = value }
    var result = program
    result.equations = []
    for equation in program.equations {
        let operands = equation.inputs.compactMap { values[$0.index] }
        let isSmall = equation.outputs.allSatisfy { program.type(of: $0).shape.elementCount <= largestResult }
        // Broadcasts are free as views of a scalar, and stay recognisable as such.
        guard operands.count == equation.inputs.count, isSmall, !(equation.primitive is BroadcastInDim) else {
            result.equations.append(equation)
            continue
        }
        let results = try Trace.$current.withValue(nil) { try equation.primitive.run(operands) }
        for (variable, value) in zip(equation.outputs, results) {
            values[variable.index] = value
            result.constants.append((variable, value))
        }
    }
    return result
}

/// Computes equal things once: equations of equal primitives on equal operands, and constants of equal bytes.
@Sendable private func eliminateCommonSubexpressions(_ program: Program) throws -> Program {
    struct Key: Hashable {
        let primitive: PrimitiveKey
        let inputs: [Int32]
    }
    struct ConstantKey: Hashable {
        let type: TensorType
        let bytes: [UInt8]
    }
    let largestComparedConstant = 64
    var result = program
    var replacement = program.types.indices.map { Int32(truncatingIfNeeded: $0) }

    var seenConstants: [ConstantKey: Int32] = [:]
    result.constants = []
    for (variable, value) in program.constants {
        if value.type.byteCount <= largestComparedConstant {
            let key = ConstantKey(type: value.type, bytes: try value.withUnsafeBytes { Array($0) })
            if let known = seenConstants[key] {
                replacement[variable.index] = known
                continue
            }
            seenConstants[key] = variable.id
        }
        result.constants.append((variable, value))
    }

    var seen: [Key: [Variable]] = [:]
    result.equations = []
    result.equations.reserveCapacity(program.equations.count)
    for var equation in program.equations {
        equation.inputs = equation.inputs.map { Variable(Int(replacement[$0.index])) }
        let key = Key(
            primitive: PrimitiveKey(primitive: equation.primitive), inputs: equation.inputs.map(\.id))
        if let known = seen[key] {
            for (variable, same) in zip(equation.outputs, known) { replacement[variable.index] = same.id }
        } else {
            seen[key] = equation.outputs
            result.equations.append(equation)
        }
    }
    result.outputs = program.outputs.map { Variable(Int(replacement[$0.index])) }
    return result
}

/// Drops what no output needs.
@Sendable func eliminateDeadCode(_ program: Program) -> Program {
    var isNeeded = [Bool](repeating: false, count: program.types.count)
    for variable in program.outputs { isNeeded[variable.index] = true }
    var kept: [Equation] = []
    for var equation in program.equations.reversed()
    where equation.outputs.contains(where: { isNeeded[$0.index] }) {
        let needed = equation.outputs.map { isNeeded[$0.index] }
        if needed.contains(false), let smaller = equation.primitive.pruned(keeping: needed) {
            equation = Equation(
                primitive: smaller.primitive, inputs: smaller.operands.map { equation.inputs[$0] },
                outputs: smaller.results.map { equation.outputs[$0] }, path: equation.path)
        }
        for variable in equation.inputs { isNeeded[variable.index] = true }
        kept.append(equation)
    }
    var result = program
    result.equations = kept.reversed()
    result.constants = program.constants.filter { isNeeded[$0.variable.index] }
    return result
}
