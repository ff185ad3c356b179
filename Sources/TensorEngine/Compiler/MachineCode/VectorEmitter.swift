// Vector programs as machine code: a loop over rows and vectors of columns, with values in registers.

/// Turns a vector program into a function `void (*)(spk_code_frame *)` of the C calling convention.
///
/// The function walks the frame's rows and columns. Values that are the same for the whole call, or for a row, are computed
/// before that loop and wait in the frame of the function; columns behind the last whole vector are masked.
struct VectorEmitter {
    /// Where the function finds its arguments, in bytes from rdi; as in spk_code_frame.
    private enum Argument {
        static let rows = 0
        static let columns = 8
        static func base(_ operand: Int) -> Int { 16 + 16 * operand }
        static func rowStride(_ operand: Int) -> Int { 24 + 16 * operand }
    }

    private let program: VectorProgram
    private let isNeeded: [Bool]
    /// Values that a higher level reads, and so wait in a slot.
    private var outlives: [Bool]
    private var assembler = Assembler()
    /// By operand: the register with its address, while there are some.
    private var addressOf: [Int: GeneralRegister] = [:]

    // The vector registers. A value may have a place in a register, in a slot, or both.
    private var registerOf: [Int?]
    private var valueIn = [Int?](repeating: nil, count: 32)
    private var slotOf: [Int?]
    private var slotCount = 0
    private var freeSlots: [Int] = []
    private var maskOf: [Int?]
    private var freeMasks: [Int] = []
    /// By value: where it is used in the section that is being emitted, the last place first; places passed are dropped.
    private var uses: [[Int]]
    private var position = 0
    /// The operands of the node that is being emitted: their registers are not given away.
    private var pinned: [Int] = []
    /// Nonzero while the columns behind the last whole vector are emitted.
    private var tailMask = 0

    /// The mask register with the columns behind the last whole vector; 1...6 hold conditions.
    private static let tailMaskRegister = 7

    /// More conditions at once than there are mask registers.
    private struct OutOfMasks: Error {}

    private init(_ program: VectorProgram) {
        self.program = program
        isNeeded = program.needed()
        let count = program.nodes.count
        outlives = Array(repeating: false, count: count)
        registerOf = Array(repeating: nil, count: count)
        slotOf = Array(repeating: nil, count: count)
        maskOf = Array(repeating: nil, count: count)
        uses = Array(repeating: [], count: count)
        for (index, node) in program.nodes.enumerated() where isNeeded[index] {
            for operand in node.operands where program.level(operand) < node.level {
                outlives[operand.index] = true
            }
        }
        for store in program.stores where program.level(store.value) < .element {
            outlives[store.value.index] = true
        }
    }

    /// The function's code, or nil where registers do not suffice.
    static func code(for program: VectorProgram) -> [UInt8]? {
        var emitter = VectorEmitter(program)
        do {
            try emitter.emitFunction()
            return emitter.assembler.finished()
        } catch {
            return nil
        }
    }

    // MARK: The function

    private mutating func emitFunction() throws {
        let streams = operands(above: .row), moving = operands(above: .call)
        for (operand, register) in zip(
            streams, [.r8, .r9, .r10, .r11, .r12, .r13, .r14, .r15, .rbx, .rsi] as [GeneralRegister])
        {
            addressOf[operand] = register
        }
        let frame = assembler.enter()
        assembler.load(.rax, argument: Argument.columns)
        assembler.lowBitsFromEAX()
        assembler.maskFromEAX(Self.tailMaskRegister)
        try emitSection(.call)

        var (nextRow, loop, tail, rowEnd) = (
            Assembler.Label(), Assembler.Label(), Assembler.Label(), Assembler.Label()
        )
        assembler.place(&nextRow)
        for (operand, register) in addressOf.sorted(by: { $0.key < $1.key }) {
            assembler.load(register, argument: Argument.base(operand))
        }
        try emitSection(.row)
        assembler.clearIndex()
        assembler.load(.rdx, argument: Argument.columns)
        assembler.roundRDX()
        assembler.compareIndexWithRDX()
        assembler.jump(.aboveOrEqual, to: &tail)
        assembler.place(&loop)
        try emitSection(.element)
        assembler.advanceIndex()
        assembler.jump(.below, to: &loop)
        assembler.place(&tail)
        assembler.compareIndex(argument: Argument.columns)
        assembler.jump(.aboveOrEqual, to: &rowEnd)
        tailMask = Self.tailMaskRegister
        try emitSection(.element)
        assembler.place(&rowEnd)
        for operand in moving {
            assembler.load(.rax, argument: Argument.base(operand))
            assembler.add(.rax, argument: Argument.rowStride(operand))
            assembler.store(.rax, argument: Argument.base(operand))
        }
        assembler.decrement(argument: Argument.rows)
        assembler.jump(.notEqual, to: &nextRow)
        assembler.leave()
        assembler.setSlotCount(slotCount, at: frame)
    }

    /// The operands that are loaded at levels above this one, or stored.
    private func operands(above level: VectorProgram.Level) -> [Int] {
        let loaded = program.nodes.indices.compactMap { index -> Int? in
            guard isNeeded[index], program.nodes[index].level > level,
                case .load(let operand, _) = program.nodes[index].operation
            else { return nil }
            return operand
        }
        return Set(loaded + program.stores.map(\.operand)).sorted()
    }

    /// The nodes of one level, and behind those of elements the stores.
    private mutating func emitSection(_ level: VectorProgram.Level) throws {
        let nodes = program.nodes.indices.filter { index in
            guard isNeeded[index], program.nodes[index].level == level else { return false }
            switch program.nodes[index].operation {
            case .constant: return false
            // Of this level's own, loads are brought in where they are used.
            case .load: return outlives[index]
            default: return true
            }
        }
        let stores = level == .element ? program.stores : []
        for index in uses.indices { uses[index] = [] }
        for (number, store) in stores.enumerated().reversed() {
            uses[store.value.index].append(nodes.count + number)
        }
        for (position, index) in nodes.enumerated().reversed() {
            for operand in program.nodes[index].operands { uses[operand.index].append(position) }
        }
        for index in registerOf.indices { registerOf[index] = nil }
        valueIn = Array(repeating: nil, count: 32)
        freeMasks = [1, 2, 3, 4, 5, 6]

        for (position, index) in nodes.enumerated() {
            self.position = position
            try emit(index)
            release(pinned + [index])
        }
        for (number, store) in stores.enumerated() {
            position = nodes.count + number
            pinned = [store.value.index]
            let register = hold(store.value.index)
            let target = VectorOperand.stream(base: address(of: store.operand), scale: store.isByte ? 1 : 4)
            assembler.vector(store.isByte ? .bytesFromWords : .store, register, target, mask: tailMask)
            release(pinned)
        }
        // Spilled values of this section are gone; what higher levels read stays.
        for index in slotOf.indices where program.nodes[index].level == level && !outlives[index] {
            if let slot = slotOf[index] { freeSlots.append(slot) }
            slotOf[index] = nil
        }
    }

    // MARK: Nodes

    private mutating func emit(_ index: Int) throws {
        let node = program.nodes[index]
        let operands = node.operands.map(\.index)
        pinned = operands
        switch node.operation {
        case .constant: break
        case .load: _ = hold(index)
        case .vector(let instruction, let isCommutative):
            if operands.count == 1 {
                let a = source(operands[0])
                let target = allocate(for: index, freeing: operands)
                assembler.vector(instruction, target, a)
            } else {
                let swaps = isCommutative && registerOf[operands[0]] == nil && registerOf[operands[1]] != nil
                let (first, second) = swaps ? (operands[1], operands[0]) : (operands[0], operands[1])
                let a = hold(first)
                let b = source(second)
                let target = allocate(for: index, freeing: operands)
                assembler.vector(instruction, target, b, first: a)
            }
        case .shift(let kind, let bits):
            let a = hold(operands[0])
            let target = allocate(for: index, freeing: operands)
            var instruction = VectorInstruction.shiftByImmediate
            instruction.immediate = bits
            assembler.vector(instruction, Int(kind), .register(a), first: target)
        case .fma: emitFMA(index, operands[0], operands[1], operands[2])
        case .compare(let instruction):
            let a = hold(operands[0])
            let b = source(operands[1])
            assembler.vector(instruction, try allocateMask(index), b, first: a)
        case .select:
            guard let mask = maskOf[operands[0]] else { throw OutOfMasks() }
            let otherwise = hold(operands[2])
            let chosen = source(operands[1])
            let target = allocate(for: index, freeing: operands)
            assembler.vector(.blend, target, chosen, first: otherwise, mask: mask)
        case .masks(let operation):
            let masks = operands.compactMap { maskOf[$0] }
            guard let first = masks.first, let last = masks.last, masks.count == operands.count else {
                throw OutOfMasks()
            }
            assembler.masks(operation, try allocateMask(index), first, last)
        case .word:
            guard let mask = maskOf[operands[0]] else { throw OutOfMasks() }
            let target = allocate(for: index, freeing: [])
            assembler.vector(
                .broadcastWord, target, .constant(1), mask: mask, zeroing: true, isScalarInMemory: true)
        case .isSet:
            let a = hold(operands[0])
            assembler.vector(.testWords, try allocateMask(index), .register(a), first: a)
        }
        if outlives[index], let register = registerOf[index] {
            assembler.vector(.store, register, .slot(slot(for: index)))
        }
    }

    /// The multiply-add that overwrites an operand which is not needed any more, if there is one.
    private mutating func emitFMA(_ index: Int, _ a: Int, _ b: Int, _ c: Int) {
        func mayOverwrite(_ value: Int, _ others: [Int]) -> Bool {
            registerOf[value] != nil && nextUse(value) == nil && !others.contains(value) && !outlives[value]
        }
        if mayOverwrite(c, [a, b]), let target = registerOf[c] {
            let first = hold(a)
            let second = source(b)
            assembler.vector(.fma231, target, second, first: first)
            rename(c, to: index)
        } else if mayOverwrite(a, [b, c]), let target = registerOf[a] {
            let first = hold(b)
            let addend = source(c)
            assembler.vector(.fma213, target, addend, first: first)
            rename(a, to: index)
        } else if mayOverwrite(b, [a, c]), let target = registerOf[b] {
            let first = hold(a)
            let addend = source(c)
            assembler.vector(.fma213, target, addend, first: first)
            rename(b, to: index)
        } else {
            let first = hold(a)
            let second = hold(b)
            let addend = source(c)
            let target = allocate(for: index, freeing: [])
            move(addend, to: target)
            assembler.vector(.fma231, target, .register(second), first: first)
        }
    }

    private mutating func move(_ source: VectorOperand, to register: Int) {
        switch source {
        case .constant: assembler.vector(.broadcastFloat, register, source, isScalarInMemory: true)
        case .register: assembler.vector(.moveRegister, register, source)
        case .stream, .slot, .repeated:
            assembler.vector(.load, register, source, mask: tailMask, zeroing: tailMask != 0)
        }
    }

    private mutating func rename(_ old: Int, to new: Int) {
        guard let register = registerOf[old] else { return }
        registerOf[old] = nil
        registerOf[new] = register
        valueIn[register] = new
    }

    // MARK: Registers

    /// The next use of a value behind the node that is being emitted.
    private mutating func nextUse(_ value: Int) -> Int? {
        while let next = uses[value].last, next <= position { uses[value].removeLast() }
        return uses[value].last
    }

    /// Takes the registers of values that are not used any more.
    private mutating func release(_ values: [Int]) {
        for value in values where nextUse(value) == nil {
            if let register = registerOf[value] { valueIn[register] = nil }
            if let mask = maskOf[value] { freeMasks.append(mask) }
            registerOf[value] = nil
            maskOf[value] = nil
        }
    }

    private mutating func allocateMask(_ index: Int) throws -> Int {
        guard let mask = freeMasks.popLast() else { throw OutOfMasks() }
        maskOf[index] = mask
        return mask
    }

    /// A register for a result, which may be that of an operand that ends here.
    private mutating func allocate(for index: Int, freeing operands: [Int]) -> Int {
        for operand in operands where nextUse(operand) == nil {
            if let register = registerOf[operand] {
                valueIn[register] = nil
                registerOf[operand] = nil
            }
        }
        let register = freeRegister()
        valueIn[register] = index
        registerOf[index] = register
        return register
    }

    /// A free register; if there is none, the one whose value is used last gives way.
    private mutating func freeRegister() -> Int {
        if let free = valueIn.firstIndex(of: nil) { return free }
        var (best, furthest) = (0, -1)
        for (register, value) in valueIn.enumerated() {
            guard let value, !pinned.contains(value) else { continue }
            let next = nextUse(value) ?? Int.max
            if next > furthest { (best, furthest) = (register, next) }
        }
        if let value = valueIn[best] {
            switch program.nodes[value].operation {
            case .constant, .load: break
            default:
                if slotOf[value] == nil { assembler.vector(.store, best, .slot(slot(for: value))) }
            }
            registerOf[value] = nil
            valueIn[best] = nil
        }
        return best
    }

    private mutating func slot(for value: Int) -> Int {
        if let known = slotOf[value] { return known }
        let slot = freeSlots.popLast() ?? slotCount
        slotCount = max(slotCount, slot + 1)
        slotOf[value] = slot
        return slot
    }

    /// The value in a register.
    private mutating func hold(_ value: Int) -> Int {
        if let register = registerOf[value] { return register }
        let register = freeRegister()
        if let slot = slotOf[value] {
            assembler.vector(.load, register, .slot(slot))
        } else if case .constant(let bits) = program.nodes[value].operation {
            move(.constant(bits), to: register)
        } else if case .load(let operand, let isByte) = program.nodes[value].operation {
            load(operand, isByte, program.nodes[value].level, to: register)
        }
        registerOf[value] = register
        valueIn[register] = value
        return register
    }

    private mutating func load(_ operand: Int, _ isByte: Bool, _ level: VectorProgram.Level, to register: Int)
    {
        if level == .element {
            let source = VectorOperand.stream(base: address(of: operand), scale: isByte ? 1 : 4)
            assembler.vector(
                isByte ? .wordsFromBytes : .load, register, source, mask: tailMask, zeroing: tailMask != 0)
            return
        }
        assembler.load(.rax, argument: Argument.base(operand))
        if isByte {
            assembler.loadByteAtRAX()
            assembler.vector(.broadcastEAX, register, .register(0))
        } else {
            assembler.vector(.broadcastFloat, register, .repeated(base: .rax), isScalarInMemory: true)
        }
    }

    /// The value where it is: in a register, or in memory that an instruction can read itself.
    private mutating func source(_ value: Int) -> VectorOperand {
        if let register = registerOf[value] { return .register(register) }
        if let slot = slotOf[value] { return .slot(slot) }
        switch program.nodes[value].operation {
        case .constant(let bits): return .constant(bits)
        case .load(let operand, isByte: false)
        where program.nodes[value].level == .element && tailMask == 0 && nextUse(value) == nil:
            return .stream(base: address(of: operand), scale: 4)
        default: return .register(hold(value))
        }
    }

    /// The register with an operand's address in this row: rax, loaded, where there is no other.
    private mutating func address(of operand: Int) -> GeneralRegister {
        if let register = addressOf[operand] { return register }
        assembler.load(.rax, argument: Argument.base(operand))
        return .rax
    }
}
