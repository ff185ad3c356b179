// Writes x86-64 machine code: the AVX-512 instructions on sixteen float32 or 32-bit lanes, and the few others that a loop
// around them needs. Encodings as in Intel's manual (volume 2, 2.7 for the EVEX prefix).

/// A 64-bit register, by its number in encodings.
enum GeneralRegister: UInt8, Sendable {
    case rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
}

/// The operand of an instruction that need not be a register.
enum VectorOperand: Sendable {
    case register(Int)
    /// base + rcx * scale, where rcx counts elements.
    case stream(base: GeneralRegister, scale: UInt8)
    /// The first element there, in all lanes.
    case repeated(base: GeneralRegister)
    /// A vector in the frame of the function.
    case slot(Int)
    /// Bits of the pool behind the code, in all lanes.
    case constant(UInt32)
}

/// An instruction of the form `opcode dst, a, b` on vectors of sixteen lanes of 32 bits.
struct VectorInstruction: Sendable, Hashable {
    /// Which table of opcodes: 0F, 0F 38 or 0F 3A.
    enum Map: UInt8, Sendable { case first = 1, second, third }
    /// The prefix that is part of the opcode.
    enum Prefix: UInt8, Sendable { case none, x66, xF3, xF2 }

    let map: Map
    let prefix: Prefix
    let opcode: UInt8
    var immediate: UInt8?

    init(_ map: Map, _ prefix: Prefix, _ opcode: UInt8, immediate: UInt8? = nil) {
        self.map = map
        self.prefix = prefix
        self.opcode = opcode
        self.immediate = immediate
    }
}

/// A growing function. Jumps go to places in it by 32-bit distances; constants stand behind it.
struct Assembler {
    struct Label {
        fileprivate var place: Int?
        fileprivate var jumps: [Int] = []
    }

    private(set) var bytes: [UInt8] = []
    private var constantUses: [(place: Int, following: Int, bits: UInt32)] = []

    // MARK: Vectors

    /// An EVEX instruction of 512 bits.
    ///
    /// - Parameters:
    ///   - reg: the register in the `reg` field (mostly the result; a mask's number for comparisons).
    ///   - first: the register in the `vvvv` field, which is mostly the first operand; 0 for instructions without.
    ///   - mask: the mask register that selects lanes; 0 takes all.
    ///   - isScalarInMemory: the memory operand is one element by the instruction's nature, no broadcast.
    mutating func vector(
        _ instruction: VectorInstruction, _ reg: Int, _ operand: VectorOperand, first: Int = 0, mask: Int = 0,
        zeroing: Bool = false, isScalarInMemory: Bool = false
    ) {
        var (rmHigh, rmMiddle, isBroadcast) = (0, 0, false)
        switch operand {
        case .register(let number): (rmHigh, rmMiddle) = (number >> 4 & 1, number >> 3 & 1)
        case .stream(let base, _): rmMiddle = Int(base.rawValue) >> 3
        case .repeated(let base):
            rmMiddle = Int(base.rawValue) >> 3
            isBroadcast = !isScalarInMemory
        case .slot: break
        case .constant: isBroadcast = !isScalarInMemory
        }
        func inverted(_ bit: Int, at place: Int) -> UInt8 { UInt8((bit & 1) ^ 1) << place }
        bytes.append(0x62)
        bytes.append(
            inverted(reg >> 3, at: 7) | inverted(rmHigh, at: 6) | inverted(rmMiddle, at: 5)
                | inverted(reg >> 4, at: 4) | instruction.map.rawValue)
        bytes.append(UInt8(~first & 15) << 3 | 1 << 2 | instruction.prefix.rawValue)
        bytes.append(
            (zeroing ? 0x80 : 0) | 2 << 5 | (isBroadcast ? 1 << 4 : 0) | inverted(first >> 4, at: 3)
                | UInt8(mask))
        bytes.append(instruction.opcode)
        let field = UInt8(reg & 7) << 3
        switch operand {
        case .register(let number): bytes.append(0xC0 | field | UInt8(number & 7))
        case .stream(let base, let scale):
            let scaleBits: UInt8 = scale == 4 ? 2 : 0
            bytes += [
                0x44 | field, scaleBits << 6 | GeneralRegister.rcx.rawValue << 3 | base.rawValue & 7, 0,
            ]
        case .repeated(let base):
            bytes += [0x44 | field, 4 << 3 | base.rawValue & 7, 0]  // no index
        case .slot(let number):
            bytes += [0x84 | field, 0x24]
            append(Int32(number * 64))
        case .constant(let bits):
            bytes.append(0x05 | field)
            constantUses.append((bytes.count, instruction.immediate == nil ? 4 : 5, bits))
            append(Int32(0))
        }
        if let immediate = instruction.immediate { bytes.append(immediate) }
    }

    /// `target` = `a` op `b`, on mask registers.
    mutating func masks(_ operation: MaskOperation, _ target: Int, _ a: Int, _ b: Int) {
        let isUnary = operation == .not
        bytes += [
            0xC5, 0x80 | UInt8(isUnary ? 15 : ~a & 15) << 3 | (isUnary ? 0 : 4), operation.rawValue,
            0xC0 | UInt8(target) << 3 | UInt8(isUnary ? a : b),
        ]
    }

    enum MaskOperation: UInt8, Sendable { case and = 0x41, not = 0x44, or = 0x45, xor = 0x47 }

    /// The mask register gets the low bits of eax.
    mutating func maskFromEAX(_ mask: Int) { bytes += [0xC5, 0xF8, 0x92, 0xC0 | UInt8(mask) << 3] }

    // MARK: Addresses and counters

    private mutating func wide(_ opcode: [UInt8], _ register: GeneralRegister, offset: Int) {
        // opcode register, [rdi + offset], 64 bits
        bytes.append(0x48 | (register.rawValue >> 3) << 2)
        bytes += opcode
        bytes.append(0x80 | (register.rawValue & 7) << 3 | GeneralRegister.rdi.rawValue)
        append(Int32(offset))
    }

    /// register = the 64 bits at rdi + offset.
    mutating func load(_ register: GeneralRegister, argument offset: Int) {
        wide([0x8B], register, offset: offset)
    }
    mutating func store(_ register: GeneralRegister, argument offset: Int) {
        wide([0x89], register, offset: offset)
    }
    mutating func add(_ register: GeneralRegister, argument offset: Int) {
        wide([0x03], register, offset: offset)
    }

    /// eax = the byte at [rax].
    mutating func loadByteAtRAX() { bytes += [0x0F, 0xB6, 0x00] }

    /// eax = the low `columns` bits set, for the elements behind the last whole vector; columns are in eax.
    mutating func lowBitsFromEAX() {
        bytes += [
            0x89, 0xC1,  // mov ecx, eax
            0x83, 0xE1, 0x0F,  // and ecx, 15
            0xB8, 1, 0, 0, 0,  // mov eax, 1
            0xD3, 0xE0,  // shl eax, cl
            0xFF, 0xC8,  // dec eax
        ]
    }

    /// rcx = 0.
    mutating func clearIndex() { bytes += [0x31, 0xC9] }
    /// rdx is rounded down to whole vectors.
    mutating func roundRDX() { bytes += [0x48, 0x83, 0xE2, 0xF0] }
    /// rcx += 16; flags compare it with rdx.
    mutating func advanceIndex() { bytes += [0x48, 0x83, 0xC1, 0x10, 0x48, 0x39, 0xD1] }
    /// Flags compare rcx with the 64 bits at rdi + offset.
    mutating func compareIndex(argument offset: Int) { wide([0x3B], .rcx, offset: offset) }
    /// Flags compare rcx with rdx.
    mutating func compareIndexWithRDX() { bytes += [0x48, 0x39, 0xD1] }
    /// The 64 bits at rdi + offset less one; flags tell whether that is zero.
    mutating func decrement(argument offset: Int) {
        bytes += [0x48, 0xFF, 0x8F]
        append(Int32(offset))
    }

    // MARK: Functions and jumps

    private static let saved: [GeneralRegister] = [.rbx, .r12, .r13, .r14, .r15]

    /// Saves what the caller wants back and makes room for vectors; returns where their number goes.
    mutating func enter() -> Int {
        bytes += [0x55, 0x48, 0x89, 0xE5]  // push rbp; mov rbp, rsp
        for register in Self.saved { push(register) }
        bytes += [0x48, 0x81, 0xEC]  // sub rsp, …
        let place = bytes.count
        append(Int32(0))
        bytes += [0x48, 0x83, 0xE4, 0xC0]  // and rsp, -64
        return place
    }

    mutating func setSlotCount(_ count: Int, at place: Int) { write(Int32(count * 64), at: place) }

    mutating func leave() {
        bytes += [0x48, 0x8D, 0x65, 0xD8]  // lea rsp, [rbp - 40]
        for register in Self.saved.reversed() { pop(register) }
        bytes += [0x5D, 0xC5, 0xF8, 0x77, 0xC3]  // pop rbp; vzeroupper; ret
    }

    private mutating func push(_ register: GeneralRegister) {
        if register.rawValue >= 8 { bytes.append(0x41) }
        bytes.append(0x50 | register.rawValue & 7)
    }

    private mutating func pop(_ register: GeneralRegister) {
        if register.rawValue >= 8 { bytes.append(0x41) }
        bytes.append(0x58 | register.rawValue & 7)
    }

    enum Condition: UInt8, Sendable { case below = 0x82, aboveOrEqual = 0x83, notEqual = 0x85 }

    mutating func jump(_ condition: Condition, to label: inout Label) {
        bytes += [0x0F, condition.rawValue]
        append(Int32(0))
        if let place = label.place {
            write(Int32(place - bytes.count), at: bytes.count - 4)
        } else {
            label.jumps.append(bytes.count)
        }
    }

    /// The label is here.
    mutating func place(_ label: inout Label) {
        label.place = bytes.count
        for jump in label.jumps { write(Int32(bytes.count - jump), at: jump - 4) }
    }

    /// The code with its constants behind it.
    func finished() -> [UInt8] {
        var result = self
        while result.bytes.count % 4 != 0 { result.bytes.append(0xCC) }
        var places: [UInt32: Int] = [:]
        for use in constantUses {
            let place = places[use.bits] ?? result.bytes.count
            if places[use.bits] == nil {
                places[use.bits] = place
                result.append(Int32(bitPattern: use.bits))
            }
            result.write(Int32(place - use.place - use.following), at: use.place)
        }
        return result.bytes
    }

    private mutating func append(_ value: Int32) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private mutating func write(_ value: Int32, at place: Int) {
        withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(place..<place + 4, with: $0) }
    }
}
