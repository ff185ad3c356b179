// Code for the block interpreter: what fused elementwise work is compiled to.
import CKernels

/// A virtual register of the block interpreter; `allocateRegisters` maps them to the few real ones.
public struct Register: Sendable, Hashable {
    let id: Int
}

/// A sequence of block instructions over virtual registers. `emit` also keeps each value as its element type holds it:
/// rounded to float16 or bfloat16, wrapped to 8 or 16 bits.
public struct BlockCode: Sendable {
    struct Instruction: Sendable {
        var op: spk_op
        var lane: spk_lane
        var results: [Register]
        var operands: [Register]
        var integer: Int64 = 0
        var float: Double?
    }

    private(set) var instructions: [Instruction] = []
    private var registerCount = 0
    /// True when an instruction asks for an element's index, so that dimensions must stay as they are.
    private(set) var usesIndices = false

    private mutating func makeRegister() -> Register {
        defer { registerCount += 1 }
        return Register(id: registerCount)
    }

    private mutating func append(
        _ op: spk_op, _ lane: spk_lane, _ operands: [Register], integer: Int64 = 0, float: Double? = nil,
        results: Int = 1
    ) -> [Register] {
        let results = (0..<results).map { _ in makeRegister() }
        instructions.append(
            Instruction(
                op: op, lane: lane, results: results, operands: operands, integer: integer, float: float))
        return results
    }

    /// An operation on values of one type, rounded or wrapped to it. Comparisons give conditions; an exact operation
    /// (a selection) gives one of its operands, which needs no rounding.
    mutating func emit(
        _ op: spk_op, _ dtype: DType, _ operands: Register..., isComparison: Bool = false,
        isExact: Bool = false,
        integer: Int64 = 0
    ) -> Register {
        let result = append(op, dtype.lane, operands, integer: integer)[0]
        return isComparison || isExact || op == SPK_OP_IS_FINITE ? result : narrowed(result, dtype)
    }

    /// Rounds or wraps a lane's value to what `dtype` can hold.
    private mutating func narrowed(_ register: Register, _ dtype: DType) -> Register {
        switch dtype {
        case .float16: append(SPK_OP_ROUND_F16, SPK_LANE_F32, [register])[0]
        case .bfloat16: append(SPK_OP_ROUND_BF16, SPK_LANE_F32, [register])[0]
        case .bool, .int8, .int16, .uint8, .uint16:
            append(SPK_OP_WRAP, dtype.lane, [register], integer: Int64(dtype.kernelType))[0]
        default: register
        }
    }

    /// The same number in every element.
    mutating func constant(_ value: Double, _ dtype: DType) -> Register {
        dtype.isFloating
            ? append(SPK_OP_CONST, dtype.lane, [], float: value)[0]
            : append(SPK_OP_CONST, dtype.lane, [], integer: Int64(value))[0]
    }

    /// The value of a scalar constant in every element.
    mutating func constant(_ value: Tensor) throws -> Register {
        let dtype = value.dtype
        if dtype == .int64 || dtype == .uint64 {
            let bits = try value.withUnsafeBytes { $0.load(as: Int64.self) }
            return append(SPK_OP_CONST, dtype.lane, [], integer: bits)[0]
        }
        return constant(try value.doubles()[0], dtype)
    }

    /// Each element's index along a dimension of the iteration space.
    mutating func index(_ dimension: Int, _ dtype: DType) -> Register {
        usesIndices = true
        let index = append(SPK_OP_INDEX, SPK_LANE_I32, [], integer: Int64(dimension))[0]
        return convert(index, from: .int32, to: dtype)
    }

    mutating func load(_ operand: Int, _ dtype: DType) -> Register {
        append(SPK_OP_LOAD, dtype.lane, [], integer: Int64(operand))[0]
    }

    mutating func store(_ register: Register, _ operand: Int, _ dtype: DType) {
        _ = append(SPK_OP_STORE, dtype.lane, [register], integer: Int64(operand), results: 0)
    }

    /// The two words of Threefry-2x32 of key (a, b) at counter (c, d).
    mutating func threefry(_ words: [Register]) -> [Register] {
        append(SPK_OP_THREEFRY, SPK_LANE_U32, words, results: 2)
    }

    mutating func bitcast(_ register: Register, from: DType, to: DType) -> Register {
        from.lane == to.lane
            ? register : append(SPK_OP_BITCAST, to.lane, [register], integer: Int64(from.lane.rawValue))[0]
    }

    /// A conversion: floats to integers truncate and saturate (NaN gives 0), integers wrap, numbers to bool are `!= 0`.
    mutating func convert(_ register: Register, from: DType, to: DType) -> Register {
        if to == .bool {
            return emit(SPK_OP_NE, from, register, constant(0, from), isComparison: true)
        }
        var value = register
        if from.isFloating, !to.isFloating, to.byteWidth < 4 {
            // The kernel saturates at 32 bits; narrower types saturate here. NaN passes through both.
            let low = constant(to.isSignedInteger ? -to.largestFinite - 1 : 0, from)
            value = append(SPK_OP_MAX, from.lane, [value, low])[0]
            value = append(SPK_OP_MIN, from.lane, [value, constant(to.largestFinite, from)])[0]
        }
        if from.lane != to.lane {
            value = append(SPK_OP_CONVERT, to.lane, [value], integer: Int64(from.lane.rawValue))[0]
        }
        return narrowed(value, to)
    }

    /// What all instructions but loads and stores cost, in simple operations.
    var weight: Int {
        instructions.reduce(0) {
            $1.op == SPK_OP_LOAD || $1.op == SPK_OP_STORE || $1.op == SPK_OP_CONST
                ? $0 : $0 + Int(spk_operation_weight(Int32($1.op.rawValue)))
        }
    }

    /// The instructions over at most `limit` real registers, or nil where that is not enough.
    func allocateRegisters(limit: Int) -> (code: [spk_instruction], count: Int)? {
        var lastUse = [Int](repeating: -1, count: registerCount)
        for (position, instruction) in instructions.enumerated() {
            for register in instruction.operands + instruction.results { lastUse[register.id] = position }
        }
        // By register: the first operand that it is stored to.
        var target = [UInt16](repeating: 0, count: registerCount)
        for instruction in instructions.reversed() where instruction.op == SPK_OP_STORE {
            target[instruction.operands[0].id] = UInt16(instruction.integer) + 1
        }
        var real = [UInt16](repeating: 0, count: registerCount)
        var free: [UInt16] = []
        var used = 0
        var code: [spk_instruction] = []
        code.reserveCapacity(instructions.count)
        for (position, instruction) in instructions.enumerated() {
            // A result may take the place of an operand that ends here only with one result: kernels read all operands of
            // an element before they write it, but a second result would come too late.
            let ending = Set(instruction.operands.filter { lastUse[$0.id] == position })
            if instruction.results.count <= 1 { for register in ending { free.append(real[register.id]) } }
            for result in instruction.results {
                if let register = free.popLast() {
                    real[result.id] = register
                } else {
                    guard used < limit else { return nil }
                    real[result.id] = UInt16(used)
                    used += 1
                }
            }
            if instruction.results.count > 1 { for register in ending { free.append(real[register.id]) } }
            for result in instruction.results where lastUse[result.id] == position {
                free.append(real[result.id])
            }

            var encoded = spk_instruction()
            encoded.op = UInt8(instruction.op.rawValue)
            encoded.lane = UInt8(instruction.lane.rawValue)
            func register(_ list: [Register], _ k: Int) -> UInt16 { k < list.count ? real[list[k].id] : 0 }
            encoded.dst = register(instruction.results, 0)
            encoded.dst2 =
                instruction.results.count == 1
                ? target[instruction.results[0].id] : register(instruction.results, 1)
            encoded.a = register(instruction.operands, 0)
            encoded.b = register(instruction.operands, 1)
            encoded.c = register(instruction.operands, 2)
            encoded.d = register(instruction.operands, 3)
            if let float = instruction.float {
                encoded.imm_f = float
            } else {
                encoded.imm_i = instruction.integer
            }
            code.append(encoded)
        }
        return (code, used)
    }
}

extension DType {
    /// The register lane that holds this type's elements.
    var lane: spk_lane {
        switch self {
        case .bool, .int8, .int16, .int32: SPK_LANE_I32
        case .uint8, .uint16, .uint32: SPK_LANE_U32
        case .int64: SPK_LANE_I64
        case .uint64: SPK_LANE_U64
        case .float16, .bfloat16, .float32: SPK_LANE_F32
        case .float64: SPK_LANE_F64
        }
    }

    /// The kernels' spk_dtype.
    var kernelType: Int32 { Int32(rawValue) }
}
