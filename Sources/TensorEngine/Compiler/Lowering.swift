// Turns a program into the steps of a plan.
import CKernels

/// Lowers a program: assigns each value a buffer or a view of one, and emits the steps.
struct Lowering {
    private let program: Program
    private let source: LoweredProgram
    private let groups: FusionGroups
    var builder: PlanBuilder
    /// Where each variable lies, once it is known.
    private var operands: [Operand?]
    /// The equation that defines each variable, -1 for inputs and constants.
    private let definition: [Int]
    private var constantValues: [Tensor?]
    /// The scalar constant that each variable repeats, or is; -1 for others.
    private var scalarSource: [Int]
    /// Values that must be in memory: read by another step, or through a view, or returned.
    private var isStored: [Bool]
    /// The one equation that reads a variable, if there is just one.
    private var onlyReader: [Int?]
    /// The first output that each variable is, -1 for none.
    private var outputIndex: [Int]
    /// Where the results go, by output.
    private let outputOperands: [Operand]
    /// By output: whether the step that computes or reads its value writes it there besides.
    private var isOutputWritten: [Bool]
    /// The outputs that no step has as its result: inputs, and those that are another output too.
    private let repeatedOutputs: [Int]
    /// By variable: the concatenation that it is a part of and nothing else, and where in it the part begins.
    private var concatenation: [Variable: (equation: Int, start: Int)] = [:]

    /// - Parameters:
    ///   - builder: collects the steps.
    ///   - inputs: where the program's inputs lie.
    ///   - outputs: the dense places of its results, which are not those of inputs.
    init(_ program: Program, builder: PlanBuilder, inputs: [Operand], outputs: [Operand]) {
        self.program = program
        source = LoweredProgram(program)
        self.builder = builder
        outputOperands = outputs
        isOutputWritten = Array(repeating: false, count: outputs.count)
        groups = FusionGroups(program)
        operands = Array(repeating: nil, count: program.types.count)
        let producers = program.producers()
        definition = producers
        constantValues = Array(repeating: nil, count: program.types.count)
        scalarSource = Array(repeating: -1, count: program.types.count)
        isStored = Array(repeating: false, count: program.types.count)
        outputIndex = Array(repeating: -1, count: program.types.count)
        onlyReader = Array(repeating: nil, count: program.types.count)
        var readerCount = [Int](repeating: 0, count: program.types.count)

        for (position, equation) in program.equations.enumerated() {
            let group = groups.groupOfEquation[position]
            for variable in equation.inputs {
                readerCount[variable.index] += 1
                onlyReader[variable.index] = readerCount[variable.index] == 1 ? position : nil
                let producer = definition[variable.index]
                isStored[variable.index] =
                    isStored[variable.index] || group < 0 || producer < 0
                    || groups.groupOfEquation[producer] != group
            }
        }
        for (position, equation) in program.equations.enumerated() {
            guard let primitive = equation.primitive as? Concatenate else { continue }
            var start = 0
            for variable in equation.inputs {
                if onlyReader[variable.index] == position { concatenation[variable] = (position, start) }
                start += program.type(of: variable).shape[primitive.axis]
            }
        }
        for (k, variable) in program.outputs.enumerated() {
            isStored[variable.index] = true
            if outputIndex[variable.index] < 0 { outputIndex[variable.index] = k }
        }
        let places = outputIndex
        repeatedOutputs = program.outputs.indices.filter { k in
            let variable = program.outputs[k]
            return places[variable.index] != k || producers[variable.index] < 0
        }
        for (variable, operand) in zip(program.inputs, inputs) { operands[variable.index] = operand }
        for (variable, value) in program.constants {
            constantValues[variable.index] = value
            if value.shape.elementCount == 1 { scalarSource[variable.index] = variable.index }
        }
        for equation in program.equations where equation.primitive is BroadcastInDim {
            scalarSource[equation.outputs[0].index] = scalarSource[equation.inputs[0].index]
        }
    }

    /// Emits the steps.
    mutating func lower() throws {
        for step in groups.steps {
            switch step {
            case .kernel(let position): try lowerKernel(position)
            case .elementwise(let positions): try lowerGroup(positions)
            case .product(let position, let epilogue, let isKept):
                try lowerProduct(position, epilogue, isKept: isKept)
            }
        }
        // Outputs that no step writes in place: inputs, constants, views, and repeated ones.
        builder.origin = nil
        for (k, variable) in program.outputs.enumerated() where !isOutputWritten[k] {
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

    /// The place of an elementwise result: of one that is only concatenated with others, its part of that result.
    private mutating func makePlace(_ variable: Variable) -> Operand {
        guard outputIndex[variable.index] < 0, let (position, start) = concatenation[variable],
            let primitive = program.equations[position].primitive as? Concatenate
        else { return makeResult(variable) }
        let whole = program.equations[position].outputs[0]
        let result = (operands[whole.index] ?? makeResult(whole))
            .sliced(axis: primitive.axis, from: start, shape: program.type(of: variable).shape)
        operands[variable.index] = result
        return result
    }

    /// The outputs that a group writes besides.
    private mutating func makeCopies(_ group: GroupCode) -> [Operand] {
        for output in group.copies { isOutputWritten[output] = true }
        return group.copies.map { outputOperands[$0] }
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

    private mutating func lowerKernel(_ position: Int) throws {
        let equation = program.equations[position]
        builder.origin = StepOrigin(source: source, equations: [position])
        let inputs = try equation.inputs.map { try operand($0) }
        var outputs = equation.outputs.map { variable in
            // A concatenation has its place when its first part is there.
            equation.primitive is Concatenate
                ? operands[variable.index] ?? makeResult(variable) : makeResult(variable)
        }
        // Nothing to compute for an empty result.
        if outputs.allSatisfy({ $0.type.shape.elementCount == 0 }) { return }
        switch equation.primitive.lowering {
        case .kernel(let lower): try lower(&builder, inputs, outputs)
        case .contraction(let groups):
            let (lhs, rhs) = groups(inputs[0].type, inputs[1].type)
            if let strides = transposedStrides(equation.outputs[0], lhs[0].count, lhs[1].count) {
                outputs[0].layout.strides = strides
                operands[equation.outputs[0].index] = outputs[0]
            }
            builder.contract(inputs[0], lhs, inputs[1], rhs, to: outputs[0])
        case .elementwise, .view: break
        }
    }

    /// How a product is laid out whose only reader transposes it: so that the transposed value is dense. Nil where it is dense
    /// itself, or where its columns would not be contiguous.
    private func transposedStrides(_ product: Variable, _ batch: Int, _ rows: Int) -> [Int]? {
        guard outputIndex[product.index] < 0, let reader = onlyReader[product.index],
            let transpose = program.equations[reader].primitive as? Transpose,
            program.type(of: product).dtype == .float32
        else { return nil }
        let shape = program.type(of: product).shape
        let dense = program.type(of: program.equations[reader].outputs[0]).shape.denseStrides
        var strides = shape.denseStrides
        for (k, axis) in transpose.permutation.enumerated() { strides[axis] = dense[k] }
        let candidate = Operand(
            type: program.type(of: product), layout: Layout(base: -1, offset: 0, strides: strides))
        let groups = [Array(0..<batch), Array(batch..<(batch + rows)), Array((batch + rows)..<shape.rank)]
        let isPossible = (0..<max(batch, 1)).contains { split in
            builder.strides(of: groups, split: split, in: candidate).map { $0[2] == 1 } ?? false
        }
        return isPossible ? strides : nil
    }

    /// Code for a group of elementwise equations: what it loads, and which values it stores, in the order of operands.
    private struct GroupCode {
        let code: [spk_instruction]
        let registerCount: Int
        let blockCode: BlockCode
        let usesIndices: Bool
        let reads: [Operand]
        let writes: [Variable]
        /// Outputs of the program that are written besides, behind `writes`: values that stand elsewhere too.
        let copies: [Int]
        let types: [TensorType]
        /// The number of the operand that is the product whose epilogue this is.
        var product: Int?
    }

    /// Code for a group of elementwise equations; nil where the registers or operands do not suffice.
    private mutating func code(for positions: [Int], product: Variable? = nil) throws -> GroupCode? {
        var code = BlockCode()
        var registers: [Int32: Register] = [:]
        var loaded: [Layout: [DType: Register]] = [:]
        var reads: [Operand] = []
        var productOperand: Int?
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
                if let scalar = scalarConstant(variable) {
                    register = try code.constant(scalar)
                } else if variable == product {
                    // A place of its own among the operands; where it lies is the product's business.
                    register = code.load(reads.count, program.type(of: variable).dtype)
                    productOperand = reads.count
                    reads.append(
                        Operand(
                            type: program.type(of: variable),
                            layout: Layout(base: -1, dense: program.type(of: variable).shape)))
                } else {
                    let source = try operand(variable)
                    if let known = loaded[source.layout]?[source.type.dtype] {
                        register = known
                    } else {
                        register = code.load(reads.count, source.type.dtype)
                        reads.append(source)
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
        // Stores come last, so that a result may take the place of an operand of the same step.
        var writes: [Variable] = []
        for variable in positions.flatMap({ program.equations[$0].outputs }) where isStored[variable.index] {
            guard let register = registers[variable.id] else { continue }
            code.store(register, reads.count + writes.count, program.type(of: variable).dtype)
            writes.append(variable)
        }
        let shape = program.type(of: program.equations[positions[0]].outputs[0]).shape
        var copies: [Int] = []
        for k in repeatedOutputs where !isOutputWritten[k] {
            let variable = program.outputs[k]
            guard variable != product, program.type(of: variable).shape == shape,
                let register = registers[variable.id]
            else { continue }
            code.store(register, reads.count + writes.count + copies.count, program.type(of: variable).dtype)
            copies.append(k)
        }
        guard let allocation = code.allocateRegisters(limit: 64),
            reads.count + writes.count + copies.count < 256
        else { return nil }
        return GroupCode(
            code: allocation.code, registerCount: allocation.count, blockCode: code,
            usesIndices: code.usesIndices, reads: reads, writes: writes, copies: copies,
            types: reads.map(\.type) + writes.map(program.type(of:))
                + copies.map { program.type(of: program.outputs[$0]) },
            product: productOperand)
    }

    /// Emits one step for a group of elementwise equations, or two where the registers do not suffice.
    private mutating func lowerGroup(_ positions: [Int]) throws {
        builder.origin = StepOrigin(source: source, equations: positions)
        guard let group = try code(for: positions) else {
            guard positions.count > 1 else {
                throw TensorError(
                    .resource, "compile", expected: "an operation that fits the interpreter's registers",
                    got: "\(program.equations[positions[0]].primitive.name)")
            }
            // The first half's values that the second half reads go through memory.
            let members = Set(positions)
            let middle = positions.count / 2
            let (first, second) = (Array(positions[..<middle]), Array(positions[middle...]))
            for position in second {
                for variable in program.equations[position].inputs { markSplit(variable, members) }
            }
            try lowerGroup(first)
            try lowerGroup(second)
            return
        }
        let writes = group.writes.map { makePlace($0) } + makeCopies(group)
        let shape = program.type(of: program.equations[positions[0]].outputs[0]).shape
        guard shape.elementCount > 0 else { return }
        let layouts = (group.reads + writes).map(\.layout.strides)
        // An element's index is asked for by dimension: then dimensions stay as they are.
        let (dims, strides) =
            group.usesIndices
            ? (shape.rank == 0 ? [1] : shape.dimensions, shape.rank == 0 ? layouts.map { _ in [0] } : layouts)
            : collapse(shape, layouts)
        builder.step(
            fused(group, dims, zip(group.reads + writes, strides).map { $0.kernelOperand(strides: $1) }),
            spk_run_fused, reads: group.reads, writes: writes,
            replaceable: replaceable(group.reads, group, writing: writes))
    }

    /// The argument block of a group.
    private func fused(_ group: GroupCode, _ dims: [Int], _ operands: [spk_operand]) -> spk_fused {
        var arguments = spk_fused()
        arguments.rank = Int32(dims.count)
        setDims(&arguments.dims, dims)
        arguments.operand_count = Int32(operands.count)
        arguments.instruction_count = Int32(group.code.count)
        arguments.register_count = Int32(max(group.registerCount, 1))
        arguments.operands = builder.arguments.store(operands)
        arguments.instructions = builder.arguments.store(group.code)
        arguments.code = machineCode(group, dims, operands)
        arguments.weight = Int64(group.blockCode.weight + operands.count)
        return arguments
    }

    /// The group as machine code over rows of the last dimension; nil where the interpreter does better, or alone does.
    private func machineCode(_ group: GroupCode, _ dims: [Int], _ operands: [spk_operand]) -> spk_code? {
        let columns = dims[dims.count - 1]
        // Short rows cost more than their elements.
        guard builder.arguments.takesMachineCode, dims.count == 1 || columns >= 8 else { return nil }
        let accesses = operands.enumerated().map { number, operand -> VectorProgram.Access? in
            // Where the product's tiles lie is the kernel's business: consecutive columns they are.
            if number == group.product { return .stream }
            var strides = operand.strides
            return withUnsafeBytes(of: &strides) { bytes in
                let strides = bytes.bindMemory(to: Int64.self)
                switch strides[dims.count - 1] {
                case 1: return .stream
                case 0 where columns > 1 || dims.count > 1:
                    return dims.count > 1 && strides[dims.count - 2] != 0 ? .column : .scalar
                case _ where columns == 1: return .stream
                default: return nil
                }
            }
        }
        guard
            let program = VectorProgram(
                group.blockCode, accesses: accesses,
                types: group.types.map(\.dtype)),
            let code = VectorEmitter.code(for: program)
        else { return nil }
        return builder.arguments.store(code: code)
    }

    /// The buffers that a group reads element by element only, so that a result may take their place: none where a result is a
    /// part of a larger one, and none whose elements are copied, which may happen after other results are written.
    private func replaceable(_ reads: [Operand], _ group: GroupCode, writing writes: [Operand]) -> Set<Int> {
        guard writes.allSatisfy({ $0.isDense && $0.layout.offset == 0 }) else { return [] }
        let dense = Set(reads.filter { $0.isDense && $0.layout.offset == 0 }.map(\.layout.base))
        let others = Set(reads.filter { !($0.isDense && $0.layout.offset == 0) }.map(\.layout.base))
        let copied = group.copies.compactMap { operands[program.outputs[$0].index]?.layout.base }
        return dense.subtracting(others).subtracting(copied)
    }

    /// A contraction with the elementwise group that runs on its tiles; one after the other where they do not fit together.
    private mutating func lowerProduct(_ position: Int, _ positions: [Int], isKept: Bool) throws {
        let equation = program.equations[position]
        builder.origin = StepOrigin(source: source, equations: [position] + positions)
        let output = equation.outputs[0]
        let shape = program.type(of: output).shape
        guard shape.elementCount > 0, case .contraction(let dimensions) = equation.primitive.lowering,
            let group = try code(for: positions, product: output), let product = group.product,
            !group.usesIndices
        else {
            try lowerKernel(position)
            try lowerGroup(positions)
            return
        }
        let (lhs, rhs) = (try operand(equation.inputs[0]), try operand(equation.inputs[1]))
        let (lhsGroups, rhsGroups) = dimensions(lhs.type, rhs.type)
        let target = isKept ? makeResult(output) : nil
        var (gemm, operands) = builder.product(lhs, lhsGroups, rhs, rhsGroups, to: target)
        // The product's dimensions as the kernel sees them: batch, rows, columns.
        let (batch, rows) = (lhsGroups[0].count, lhsGroups[0].count + lhsGroups[1].count)
        let groups = [Array(0..<batch), Array(batch..<rows), Array(rows..<shape.rank)]
        var reads = group.reads
        for k in reads.indices where k != product {
            if groups.contains(where: { builder.stride(of: $0, in: reads[k]) == nil }) {
                reads[k] = builder.dense(reads[k])
            }
        }
        var writes = group.writes.map { makeResult($0) } + makeCopies(group)
        let epilogue = fused(
            group, [Int(gemm.batch), Int(gemm.m), Int(gemm.n)],
            (reads + writes).map { operand in
                operand.kernelOperand(strides: groups.map { builder.stride(of: $0, in: operand) ?? 0 })
            })
        let reused = replaceable(
            reads.enumerated().filter { $0.offset != product }.map(\.element), group, writing: writes
        ).subtracting(operands.map(\.layout.base))
        operands += reads.enumerated().filter { $0.offset != product }.map(\.element)
        gemm.epilogue = builder.arguments.store([epilogue])
        gemm.product = Int32(product)
        if let target { writes.append(target) }
        builder.step(gemm, spk_run_gemm, reads: operands, writes: writes, replaceable: reused)
    }

    /// Marks a value of a group that is being split as one that goes through memory.
    private mutating func markSplit(_ variable: Variable, _ members: Set<Int>) {
        if members.contains(definition[variable.index]) { isStored[variable.index] = true }
    }

    /// The value of a scalar constant, also behind broadcasts.
    private func scalarConstant(_ variable: Variable) -> Tensor? {
        let source = scalarSource[variable.index]
        return source < 0 ? nil : constantValues[source]
    }
}
