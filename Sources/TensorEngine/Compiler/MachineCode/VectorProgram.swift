// Elementwise work as a list of AVX-512 instructions over values: what block code is translated to before it gets registers.

/// Straight-line work on one vector of sixteen elements, and on what is the same for many of them.
struct VectorProgram {
    /// How often a value changes: not at all, with each row, or with each element.
    enum Level: Int, Comparable, Sendable {
        case call, row, element
        static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
    }

    struct Value: Hashable, Sendable { let index: Int }

    enum Operation: Sendable {
        case constant(UInt32)
        /// An operand of the group: words, or single bytes as words.
        case load(Int, isByte: Bool)
        /// dst = op(a, b), or op(a).
        case vector(VectorInstruction, isCommutative: Bool)
        /// dst = a shifted by an immediate; the number stands in the instruction's `reg` field.
        case shift(UInt8, by: UInt8)
        /// dst = a * b + c, rounded once.
        case fma
        /// mask = comparison of a and b.
        case compare(VectorInstruction)
        /// dst = mask ? a : b.
        case select
        case masks(Assembler.MaskOperation)
        /// 1 where the mask is set, else 0.
        case word
        /// Set where a word is not 0.
        case isSet

        var givesMask: Bool {
            switch self {
            case .compare, .masks, .isSet: true
            default: false
            }
        }
    }

    struct Node: Sendable {
        let operation: Operation
        let operands: [Value]
        let level: Level
    }

    struct Store: Sendable {
        let operand: Int
        let value: Value
        let isByte: Bool
    }

    private(set) var nodes: [Node] = []
    private(set) var stores: [Store] = []
    private var constants: [UInt32: Value] = [:]
    private var words: [Value: Value] = [:]
    private var masks: [Value: Value] = [:]

    func level(_ value: Value) -> Level { nodes[value.index].level }
    func isMask(_ value: Value) -> Bool { nodes[value.index].operation.givesMask }

    mutating func append(_ operation: Operation, _ operands: [Value] = [], level: Level = .call) -> Value {
        let level = operands.reduce(level) { Swift.max($0, self.level($1)) }
        // Masks live in registers of one level only: from outside they come as words.
        let operands = operands.map { operand in
            guard isMask(operand), self.level(operand) < level else { return operand }
            return append(.isSet, [word(operand)], level: level)
        }
        nodes.append(Node(operation: operation, operands: operands, level: level))
        return Value(index: nodes.count - 1)
    }

    mutating func store(_ value: Value, to operand: Int, isByte: Bool) {
        var value = word(value)
        if case .load = nodes[value.index].operation {
            // Loaded with the other values: an earlier store may be to the memory that it is loaded from.
            value = append(.vector(.load, isCommutative: false), [value])
        }
        stores.append(Store(operand: operand, value: value, isByte: isByte))
    }

    mutating func constant(_ bits: UInt32) -> Value {
        if let known = constants[bits] { return known }
        let value = append(.constant(bits))
        constants[bits] = value
        return value
    }

    mutating func constant(_ number: Float) -> Value { constant(number.bitPattern) }

    /// A condition as a word of 0 or 1; other values as they are.
    mutating func word(_ value: Value) -> Value {
        guard isMask(value) else { return value }
        if let known = words[value] { return known }
        let result = append(.word, [value])
        words[value] = result
        return result
    }

    /// A condition as a mask.
    mutating func mask(_ value: Value) -> Value {
        if isMask(value) { return value }
        if let known = masks[value] { return known }
        if case .word = nodes[value.index].operation { return nodes[value.index].operands[0] }
        let result = append(.isSet, [value])
        masks[value] = result
        return result
    }

    /// The values that the stores need, by index.
    func needed() -> [Bool] {
        var result = [Bool](repeating: false, count: nodes.count)
        for store in stores { result[store.value.index] = true }
        for index in nodes.indices.reversed() where result[index] {
            for operand in nodes[index].operands { result[operand.index] = true }
        }
        return result
    }
}

// MARK: Instructions

extension VectorInstruction {
    static let addFloats = VectorInstruction(.first, .none, 0x58)
    static let multiplyFloats = VectorInstruction(.first, .none, 0x59)
    static let subtractFloats = VectorInstruction(.first, .none, 0x5C)
    /// a < b ? a : b
    static let minFloats = VectorInstruction(.first, .none, 0x5D)
    static let divideFloats = VectorInstruction(.first, .none, 0x5E)
    /// a > b ? a : b
    static let maxFloats = VectorInstruction(.first, .none, 0x5F)
    static let squareRoot = VectorInstruction(.first, .none, 0x51)
    static let addWords = VectorInstruction(.first, .x66, 0xFE)
    static let subtractWords = VectorInstruction(.first, .x66, 0xFA)
    static let multiplyWords = VectorInstruction(.second, .x66, 0x40)
    static let and = VectorInstruction(.first, .x66, 0xDB)
    static let or = VectorInstruction(.first, .x66, 0xEB)
    static let xor = VectorInstruction(.first, .x66, 0xEF)
    static let minSigned = VectorInstruction(.second, .x66, 0x39)
    static let minUnsigned = VectorInstruction(.second, .x66, 0x3B)
    static let maxSigned = VectorInstruction(.second, .x66, 0x3D)
    static let maxUnsigned = VectorInstruction(.second, .x66, 0x3F)
    static let absoluteWords = VectorInstruction(.second, .x66, 0x1E)
    static let shiftLeft = VectorInstruction(.second, .x66, 0x47)
    static let shiftRightLogical = VectorInstruction(.second, .x66, 0x45)
    static let shiftRightArithmetic = VectorInstruction(.second, .x66, 0x46)
    static let floatsFromSigned = VectorInstruction(.first, .none, 0x5B)
    static let floatsFromUnsigned = VectorInstruction(.first, .xF2, 0x7A)
    /// Truncated; what does not fit is the lowest number.
    static let signedFromFloats = VectorInstruction(.first, .xF3, 0x5B)

    /// Rounded to whole numbers: 0 to the nearest, to even; 1 down; 2 up.
    static func round(_ mode: UInt8) -> VectorInstruction {
        VectorInstruction(.third, .x66, 0x08, immediate: 8 | mode)
    }
    static func compareFloats(_ predicate: FloatPredicate) -> VectorInstruction {
        VectorInstruction(.first, .none, 0xC2, immediate: predicate.rawValue)
    }
    static func compareSigned(_ predicate: WordPredicate) -> VectorInstruction {
        VectorInstruction(.third, .x66, 0x1F, immediate: predicate.rawValue)
    }
    static func compareUnsigned(_ predicate: WordPredicate) -> VectorInstruction {
        VectorInstruction(.third, .x66, 0x1E, immediate: predicate.rawValue)
    }

    /// False where an operand is NaN, but for `notEqual` and `unordered`.
    enum FloatPredicate: UInt8 {
        case equal = 0, less = 1, lessOrEqual = 2, unordered = 3, notEqual = 4, greaterOrEqual = 13, greater =
            14
    }
    enum WordPredicate: UInt8 {
        case equal = 0, less = 1, lessOrEqual = 2, notEqual = 4, greaterOrEqual = 5, greater = 6
    }

    // What the emitter uses itself.
    static let moveRegister = VectorInstruction(.first, .none, 0x28)
    static let load = VectorInstruction(.first, .none, 0x10)
    static let store = VectorInstruction(.first, .none, 0x11)
    static let broadcastFloat = VectorInstruction(.second, .x66, 0x18)
    static let broadcastWord = VectorInstruction(.second, .x66, 0x58)
    static let broadcastEAX = VectorInstruction(.second, .x66, 0x7C)
    static let wordsFromBytes = VectorInstruction(.second, .x66, 0x31)
    static let bytesFromWords = VectorInstruction(.second, .xF3, 0x31)
    /// vvvv where the mask is not set, the other operand where it is.
    static let blend = VectorInstruction(.second, .x66, 0x65)
    static let testWords = VectorInstruction(.second, .x66, 0x27)
    static let shiftByImmediate = VectorInstruction(.first, .x66, 0x72)
    /// reg = vvvv * reg + operand
    static let fma213 = VectorInstruction(.second, .x66, 0xA8)
    /// reg = vvvv * operand + reg
    static let fma231 = VectorInstruction(.second, .x66, 0xB8)
}
