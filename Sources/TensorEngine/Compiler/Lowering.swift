// Turns a program into the steps of a plan.
import CKernels

/// Lowers a program: assigns each value a buffer or a view of one, and emits the steps.
struct Lowering {
    private let program: Program
    private let groups: FusionGroups
    var builder: PlanBuilder
    /// Where each variable lies, once it is known.
    private var operands: [Operand?]
    /// The equation that defines each variable, -1 for inputs and constants.
    private var definition: [Int]
    private var constantValues: [Tensor?]
    /// Values that must be in memory: read by another step, or through a view, or returned.
    private var isStored: [Bool]
    /// The first output that each variable is, -1 for none.
    private var outputIndex: [Int]
    /// Where the results go, by output.
    private let outputOperands: [Operand]

    /// - Parameters:
    ///   - builder: collects the steps.
    ///   - inputs: where the program's inputs lie.
    ///   - outputs: the dense places of its results, which are not those of inputs.
    init(_ program: Program, builder: PlanBuilder, inputs: [Operand], outputs: [Operand]) {
        self.program = program
        self.builder = builder
        outputOperands = outputs
        groups = FusionGroups(program)
        operands = Array(repeating: nil, count: program.types.count)
        definition = Array(repeating: -1, count: program.types.count)
        constantValues = Array(repeating: nil, count: program.types.count)
        isStored = Array(repeating: false, count: program.types.count)
        outputIndex = Array(repeating: -1, count: program.types.count)

        for (position, equation) in program.equations.enumerated() {
            for variable in equation.outputs { definition[variable.index] = position }
        }
        for (position, equation) in program.equations.enumerated() {
            let group = groups.groupOfEquation[position]
            for variable in equation.inputs {
                let producer = definition[variable.index]
                isStored[variable.index] =
                    isStored[variable.index] || group < 0 || producer < 0
                    || groups.groupOfEquation[producer] != group
            }
        }
        for (k, variable) in program.outputs.enumerated() {
            isStored[variable.index] = true
            if outputIndex[variable.index] < 0 { outputIndex[variable.index] = k }
        }
        for (variable, operand) in zip(program.inputs, inputs) { operands[variable.index] = operand }
        for (variable, value) in program.constants { constantValues[variable.index] = value }
    }

    /// Emits the steps.
    mutating func lower() throws {
        for step in groups.steps {
            switch step {
            case .kernel(let position): try lowerKernel(program.equations[position])
            case .elementwise(let positions): try lowerGroup(positions)
            }
        }
        // Outputs that no step writes in place: inputs, constants, views, and repeated ones.
        for (k, variable) in program.outputs.enumerated() {
            let source = try operand(variable)
            if source.layout.base != outputOperands[k].layout.base {
                builder.copy(source, to: outputOperands[k])
            }
        }
    }

    /// The buffer that a step writes for a variable: the caller's, if it is an output, or one of the arena.
    private mutating func makeResult(_ variable: Variable) -> Operand {
        let output = outputIndex[variable.index]
        let result = output >= 0 ? outputOperands[output] : builder.temporary(program.type(of: variable))
        operands[variable.index] = result
        return result
    }

    /// Where a variable lies. Views are resolved here, on first use; one that no strides describe is copied.
    private mutating func operand(_ variable: Variable) throws -> Operand {
        if let known = operands[variable.index] { return known }
        if let value = constantValues[variable.index] {
            let result = builder.constant(value)
            operands[variable.index] = result
            return result
        }
        // A chain of views, walked without recursion.
        var chain: [Int] = []
        var current = variable
        while operands[current.index] == nil, constantValues[current.index] == nil {
            let position = definition[current.index]
            guard position >= 0, case .view = program.equations[position].primitive.lowering else {
                throw TensorError(
                    .structure, "compile", expected: "v\(current.id) to be computed before its use",
                    got: "no step that does")
            }
            chain.append(position)
            current = program.equations[position].inputs[0]
        }
        // The chain ends at a value that is known already, or at a constant.
        var operand = try self.operand(current)
        for position in chain.reversed() {
            let equation = program.equations[position]
            let type = program.type(of: equation.outputs[0])
            if case .view(let rule) = equation.primitive.lowering {
                if let layout = rule(operand.layout, operand.type, type) {
                    operand = Operand(type: type, layout: layout)
                } else {
                    let copied = builder.dense(operand)
                    operand = Operand(type: type, layout: Layout(base: copied.layout.base, dense: type.shape))
                    operand.layout.offset = copied.layout.offset
                }
            }
            operands[equation.outputs[0].index] = operand
        }
        return operand
    }

    private mutating func lowerKernel(_ equation: Equation) throws {
        let inputs = try equation.inputs.map { try operand($0) }
        let outputs = equation.outputs.map { makeResult($0) }
        guard case .kernel(let lower) = equation.primitive.lowering else { return }
        // Nothing to compute for an empty result.
        if outputs.allSatisfy({ $0.type.shape.elementCount == 0 }) { return }
        try lower(&builder, inputs, outputs)
    }

    /// Emits one step for a group of elementwise equations, or two where the registers do not suffice.
    private mutating func lowerGroup(_ positions: [Int]) throws {
        let members = Set(positions)
        var code = BlockCode()
        var registers: [Int32: Register] = [:]
        var loaded: [Layout: [DType: Register]] = [:]
        var accesses: [Operand] = []
        for position in positions {
            let equation = program.equations[position]
            guard case .elementwise(let emit) = equation.primitive.lowering else { continue }
            var inputs: [Register] = []
            for variable in equation.inputs {
                if let register = registers[variable.id] {
                    inputs.append(register)
                    continue
                }
                let register: Register
                if let scalar = try scalarConstant(variable) {
                    register = try code.constant(scalar)
                } else {
                    let source = try operand(variable)
                    if let known = loaded[source.layout]?[source.type.dtype] {
                        register = known
                    } else {
                        register = code.load(accesses.count, source.type.dtype)
                        accesses.append(source)
                        loaded[source.layout, default: [:]][source.type.dtype] = register
                    }
                }
                registers[variable.id] = register
                inputs.append(register)
            }
            let results = emit(
                &code, inputs, equation.inputs.map(program.type(of:)), equation.outputs.map(program.type(of:))
            )
            for (variable, register) in zip(equation.outputs, results) { registers[variable.id] = register }
        }
        let reads = accesses
        // Stores come last, so that a result may take the place of an operand of the same step.
        let stored = positions.flatMap { program.equations[$0].outputs }.filter { isStored[$0.index] }
        var pending: [(variable: Variable, register: Register)] = []
        for variable in stored {
            if let register = registers[variable.id] { pending.append((variable, register)) }
        }
        for (k, store) in pending.enumerated() {
            code.store(store.register, reads.count + k, program.type(of: store.variable).dtype)
        }
        guard let allocation = code.allocateRegisters(limit: 64), reads.count + pending.count < 256 else {
            guard positions.count > 1 else {
                throw TensorError(
                    .resource, "compile", expected: "an operation that fits the interpreter's registers",
                    got: "\(program.equations[positions[0]].primitive.name)")
            }
            // The first half's values that the second half reads go through memory.
            let middle = positions.count / 2
            let (first, second) = (Array(positions[..<middle]), Array(positions[middle...]))
            for position in second {
                for variable in program.equations[position].inputs { markSplit(variable, members) }
            }
            try lowerGroup(first)
            try lowerGroup(second)
            return
        }
        let writes = pending.map { makeResult($0.variable) }
        let shape = program.type(of: program.equations[positions[0]].outputs[0]).shape
        guard shape.elementCount > 0 else { return }

        let all = reads + writes
        let layouts = all.map(\.layout.strides)
        // An element's index is asked for by dimension: then dimensions stay as they are.
        let (dims, strides) =
            code.usesIndices
            ? (shape.rank == 0 ? [1] : shape.dimensions, shape.rank == 0 ? layouts.map { _ in [0] } : layouts)
            : collapse(shape, layouts)
        var arguments = spk_fused()
        arguments.rank = Int32(dims.count)
        setDims(&arguments.dims, dims)
        arguments.operand_count = Int32(all.count)
        arguments.instruction_count = Int32(allocation.code.count)
        arguments.register_count = Int32(max(allocation.count, 1))
        arguments.operands = builder.arguments.store(zip(all, strides).map { $0.kernelOperand(strides: $1) })
        arguments.instructions = builder.arguments.store(allocation.code)
        let denseReads = Set(reads.filter { $0.isDense && $0.layout.offset == 0 }.map(\.layout.base))
        let otherReads = Set(reads.filter { !($0.isDense && $0.layout.offset == 0) }.map(\.layout.base))
        builder.step(
            arguments, spk_run_fused, reads: reads, writes: writes,
            replaceable: denseReads.subtracting(otherReads))
    }

    /// Marks a value of a group that is being split as one that goes through memory.
    private mutating func markSplit(_ variable: Variable, _ members: Set<Int>) {
        if members.contains(definition[variable.index]) { isStored[variable.index] = true }
    }

    /// The value of a scalar constant, also behind broadcasts.
    private func scalarConstant(_ variable: Variable) throws -> Tensor? {
        var current = variable
        while true {
            if let value = constantValues[current.index] {
                return value.shape.elementCount == 1 ? value : nil
            }
            let position = definition[current.index]
            guard position >= 0, program.equations[position].primitive is BroadcastInDim else { return nil }
            current = program.equations[position].inputs[0]
        }
    }
}
