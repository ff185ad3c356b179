// Block code as a vector program: the same arithmetic, instruction for instruction.
import CKernels

extension VectorProgram {
    /// How an operand's elements lie: what of it changes along rows and columns.
    enum Access: Sendable {
        /// The same everywhere.
        case scalar
        /// One element for each row.
        case column
        /// Consecutive elements in each row.
        case stream

        fileprivate var level: Level {
            switch self {
            case .scalar: .call
            case .column: .row
            case .stream: .element
            }
        }
    }

    /// Translates block code; nil where it has an operation or a type that only the interpreter knows.
    ///
    /// - Parameters:
    ///   - accesses: by operand; nil where its elements lie in no such way.
    ///   - types: by operand.
    init?(_ code: BlockCode, accesses: [Access?], types: [DType]) {
        var values: [Register: Value] = [:]
        for instruction in code.instructions {
            let operands = instruction.operands.compactMap { values[$0] }
            switch instruction.op {
            case SPK_OP_LOAD:
                let operand = Int(instruction.integer)
                guard let access = accesses[operand] else { return nil }
                let isByte = types[operand] == .bool
                guard isByte || [.float32, .int32, .uint32].contains(types[operand]) else { return nil }
                let loaded = append(.load(operand, isByte: isByte), level: access.level)
                // Any byte but 0 is true.
                values[instruction.results[0]] = isByte ? mask(loaded) : loaded
            case SPK_OP_STORE:
                let operand = Int(instruction.integer)
                guard accesses[operand] == .stream else { return nil }
                let isByte = types[operand] == .bool
                guard isByte || [.float32, .int32, .uint32].contains(types[operand]) else { return nil }
                // A condition is stored as 0 or 1, whatever number stands for it.
                store(isByte ? mask(operands[0]) : operands[0], to: operand, isByte: isByte)
            default:
                guard instruction.results.count == 1, let result = translated(instruction, operands) else {
                    return nil
                }
                values[instruction.results[0]] = result
            }
        }
    }

    private mutating func translated(_ instruction: BlockCode.Instruction, _ operands: [Value]) -> Value? {
        switch instruction.op {
        case SPK_OP_CONST: return constant(instruction)
        case SPK_OP_COPY: return operands[0]
        case SPK_OP_SELECT:
            guard is32Bit(instruction.lane) else { return nil }
            return append(.select, [mask(operands[0]), word(operands[1]), word(operands[2])])
        case SPK_OP_CONVERT: return converted(instruction, operands[0])
        case SPK_OP_BITCAST: return is32Bit(instruction.lane) ? word(operands[0]) : nil
        case SPK_OP_AND, SPK_OP_OR, SPK_OP_XOR, SPK_OP_LOGICAL_NOT:
            if let result = ofConditions(instruction, operands) { return result }
        case SPK_OP_WRAP where instruction.integer == Int64(SPK_BOOL.rawValue):
            return mask(operands[0])
        default: break
        }
        let words = operands.map { word($0) }
        guard !words.isEmpty else { return nil }
        switch instruction.lane {
        case SPK_LANE_F32: return ofFloats(instruction, words)
        case SPK_LANE_I32: return ofWords(instruction, words, isSigned: true)
        case SPK_LANE_U32: return ofWords(instruction, words, isSigned: false)
        default: return nil
        }
    }

    private func is32Bit(_ lane: spk_lane) -> Bool {
        lane == SPK_LANE_F32 || lane == SPK_LANE_I32 || lane == SPK_LANE_U32
    }

    private mutating func constant(_ instruction: BlockCode.Instruction) -> Value? {
        switch instruction.lane {
        case SPK_LANE_F32: constant(Float(instruction.float ?? 0))
        case SPK_LANE_I32, SPK_LANE_U32: constant(UInt32(truncatingIfNeeded: instruction.integer))
        default: nil
        }
    }

    private mutating func converted(_ instruction: BlockCode.Instruction, _ operand: Value) -> Value? {
        let from = spk_lane(rawValue: UInt32(instruction.integer))
        switch (from, instruction.lane) {
        case (SPK_LANE_I32, SPK_LANE_F32):
            return append(.vector(.floatsFromSigned, isCommutative: false), [word(operand)])
        case (SPK_LANE_U32, SPK_LANE_F32):
            return append(.vector(.floatsFromUnsigned, isCommutative: false), [word(operand)])
        case (SPK_LANE_F32, SPK_LANE_I32):
            // Saturating; NaN gives 0. The instruction itself gives the lowest number for what does not fit.
            let truncated = append(.vector(.signedFromFloats, isCommutative: false), [operand])
            let isTooLarge = compare(operand, .greaterOrEqual, constant(0x1p31 as Float))
            let bounded = select(isTooLarge, constant(0x7FFF_FFFF as UInt32), truncated)
            return select(compare(operand, .unordered, operand), constant(0 as UInt32), bounded)
        case (SPK_LANE_I32, SPK_LANE_U32), (SPK_LANE_U32, SPK_LANE_I32): return word(operand)
        default: return nil
        }
    }

    /// Logic on conditions, if all of them are conditions.
    private mutating func ofConditions(_ instruction: BlockCode.Instruction, _ operands: [Value]) -> Value? {
        guard operands.allSatisfy(isMask) else { return nil }
        switch instruction.op {
        case SPK_OP_AND: return append(.masks(.and), operands)
        case SPK_OP_OR: return append(.masks(.or), operands)
        case SPK_OP_XOR: return append(.masks(.xor), operands)
        default: return append(.masks(.not), operands)
        }
    }

    private mutating func ofFloats(_ instruction: BlockCode.Instruction, _ operands: [Value]) -> Value? {
        let a = operands[0]
        switch instruction.op {
        case SPK_OP_ADD: return add(a, operands[1])
        case SPK_OP_SUB: return subtract(a, operands[1])
        case SPK_OP_MUL: return multiply(a, operands[1])
        case SPK_OP_DIV: return divide(a, operands[1])
        case SPK_OP_FMA: return fma(a, operands[1], operands[2])
        case SPK_OP_NEG: return negated(a)
        case SPK_OP_ABS: return magnitude(a)
        case SPK_OP_SIGN:
            let negative = select(
                compare(a, .less, constant(0 as Float)), constant(-1 as Float), a)
            return select(compare(a, .greater, constant(0 as Float)), constant(1 as Float), negative)
        case SPK_OP_MAX:
            return keepingNaN(a, append(.vector(.maxFloats, isCommutative: false), [a, operands[1]]))
        case SPK_OP_MIN:
            return keepingNaN(a, append(.vector(.minFloats, isCommutative: false), [a, operands[1]]))
        case SPK_OP_INTEGER_POW: return power(a, instruction.integer)
        case SPK_OP_FLOOR: return append(.vector(.round(1), isCommutative: false), [a])
        case SPK_OP_CEIL: return append(.vector(.round(2), isCommutative: false), [a])
        case SPK_OP_ROUND_EVEN: return append(.vector(.round(0), isCommutative: false), [a])
        case SPK_OP_IS_FINITE: return compare(subtract(a, a), .equal, constant(0 as Float))
        case SPK_OP_SQRT: return append(.vector(.squareRoot, isCommutative: false), [a])
        case SPK_OP_RSQRT:
            return divide(constant(1 as Float), append(.vector(.squareRoot, isCommutative: false), [a]))
        case SPK_OP_EXP: return exp(a)
        case SPK_OP_LOG: return log(a)
        case SPK_OP_TANH: return tanh(a)
        case SPK_OP_LOGISTIC: return logistic(a)
        case SPK_OP_ERF: return erf(a)
        case SPK_OP_EQ: return compare(a, .equal, operands[1])
        case SPK_OP_NE: return compare(a, .notEqual, operands[1])
        case SPK_OP_LT: return compare(a, .less, operands[1])
        case SPK_OP_LE: return compare(a, .lessOrEqual, operands[1])
        case SPK_OP_GT: return compare(a, .greater, operands[1])
        case SPK_OP_GE: return compare(a, .greaterOrEqual, operands[1])
        default: return nil
        }
    }

    /// By repeated squaring from the lowest bit.
    private mutating func power(_ base: Value, _ exponent: Int64) -> Value {
        var (result, power, rest) = (constant(1 as Float), base, exponent)
        while rest > 0 {
            if rest & 1 == 1 { result = multiply(result, power) }
            if rest > 1 { power = multiply(power, power) }
            rest >>= 1
        }
        return result
    }

    private mutating func ofWords(
        _ instruction: BlockCode.Instruction, _ operands: [Value], isSigned: Bool
    ) -> Value? {
        let a = operands[0]
        func predicate(_ predicate: VectorInstruction.WordPredicate) -> Operation {
            .compare(isSigned ? .compareSigned(predicate) : .compareUnsigned(predicate))
        }
        switch instruction.op {
        case SPK_OP_ADD: return append(.vector(.addWords, isCommutative: true), operands)
        case SPK_OP_SUB: return append(.vector(.subtractWords, isCommutative: false), operands)
        case SPK_OP_MUL: return append(.vector(.multiplyWords, isCommutative: true), operands)
        case SPK_OP_NEG:
            return append(.vector(.subtractWords, isCommutative: false), [constant(0 as UInt32), a])
        case SPK_OP_ABS: return isSigned ? append(.vector(.absoluteWords, isCommutative: false), [a]) : a
        case SPK_OP_MAX:
            return append(.vector(isSigned ? .maxSigned : .maxUnsigned, isCommutative: true), operands)
        case SPK_OP_MIN:
            return append(.vector(isSigned ? .minSigned : .minUnsigned, isCommutative: true), operands)
        case SPK_OP_AND: return append(.vector(.and, isCommutative: true), operands)
        case SPK_OP_OR: return append(.vector(.or, isCommutative: true), operands)
        case SPK_OP_XOR: return append(.vector(.xor, isCommutative: true), operands)
        case SPK_OP_NOT: return word(.xor, a, .max)
        case SPK_OP_LOGICAL_NOT:
            return append(.compare(.compareSigned(.equal)), [a, constant(0 as UInt32)])
        case SPK_OP_SHL: return append(.vector(.shiftLeft, isCommutative: false), operands)
        case SPK_OP_SHR:
            return append(
                .vector(isSigned ? .shiftRightArithmetic : .shiftRightLogical, isCommutative: false), operands
            )
        case SPK_OP_SHR_LOGICAL: return append(.vector(.shiftRightLogical, isCommutative: false), operands)
        case SPK_OP_EQ: return append(predicate(.equal), operands)
        case SPK_OP_NE: return append(predicate(.notEqual), operands)
        case SPK_OP_LT: return append(predicate(.less), operands)
        case SPK_OP_LE: return append(predicate(.lessOrEqual), operands)
        case SPK_OP_GT: return append(predicate(.greater), operands)
        case SPK_OP_GE: return append(predicate(.greaterOrEqual), operands)
        default: return nil
        }
    }
}
