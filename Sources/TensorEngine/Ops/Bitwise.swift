// Operations on bits: logic, shifts, counts, and the same bits as another type.
import CKernels

extension Unary {
    static let bitwiseNot = Unary("bitwiseNot", .integers, hlo: "stablehlo.not", nil) { code, x, dtype in
        code.emit(dtype == .bool ? SPK_OP_LOGICAL_NOT : SPK_OP_NOT, dtype, x)
    }
    static let populationCount = Unary("populationCount", .integers, hlo: "stablehlo.popcnt", nil) {
        code, x, dtype in
        code.emit(SPK_OP_POPCOUNT, dtype, unsigned(&code, x, dtype))
    }
    static let clz = Unary("clz", .integers, hlo: "stablehlo.count_leading_zeros", nil) { code, x, dtype in
        // Registers have 32 bits at least; a narrower type's zeros do not begin before its own width.
        let count = code.emit(SPK_OP_CLZ, dtype, unsigned(&code, x, dtype))
        let excess = Swift.max(32 - 8 * dtype.byteWidth, 0)
        return code.emit(SPK_OP_SUB, dtype, count, code.constant(Double(excess), dtype))
    }

    /// A register with the bits of its type only: signed 8- and 16-bit numbers are kept with their sign in front.
    fileprivate static func unsigned(_ code: inout BlockCode, _ x: Register, _ dtype: DType) -> Register {
        switch dtype {
        case .int8: code.convert(x, from: .int8, to: .uint8)
        case .int16: code.convert(x, from: .int16, to: .uint16)
        default: x
        }
    }
}

extension Binary {
    static let and = Binary("and", SPK_OP_AND, .integers, hlo: "stablehlo.and")
    static let or = Binary("or", SPK_OP_OR, .integers, hlo: "stablehlo.or")
    static let xor = Binary("xor", SPK_OP_XOR, .integers, hlo: "stablehlo.xor")
    static let shiftLeft = Binary("shiftLeft", SPK_OP_SHL, .integers, hlo: "stablehlo.shift_left")
    static let shiftRightLogical = Binary(
        "shiftRightLogical", .integers, hlo: "stablehlo.shift_right_logical", partials: nil
    ) {
        code, a, b, dtype in
        code.emit(SPK_OP_SHR_LOGICAL, dtype, Unary.unsigned(&code, a, dtype), b)
    }
    static let shiftRightArithmetic = Binary(
        "shiftRightArithmetic", .integers, hlo: "stablehlo.shift_right_arithmetic", partials: nil
    ) {
        code, a, b, dtype in
        let signed = dtype.signedCounterpart
        let shifted = code.emit(
            SPK_OP_SHR, signed, code.convert(a, from: dtype, to: signed),
            code.convert(b, from: dtype, to: signed))
        return code.convert(shifted, from: signed, to: dtype)
    }
}

extension DType {
    /// The unsigned integer type of the same width.
    fileprivate var bits: DType {
        switch byteWidth {
        case 1: .uint8
        case 2: .uint16
        case 4: .uint32
        default: .uint64
        }
    }

    /// The signed integer type of an unsigned one's width.
    fileprivate var signedCounterpart: DType {
        switch self {
        case .uint8: .int8
        case .uint16: .int16
        case .uint32: .int32
        case .uint64: .int64
        default: self
        }
    }
}

/// Applies an operation on bits; floats have none to speak of.
private func bitwise(
    _ primitive: Binary, _ a: some TensorConvertible, _ b: some TensorConvertible,
    _ kind: OperandKind = .anything
) throws -> Tensor {
    let (x, y) = try broadcastOperands(a, b, for: primitive.name, kind)
    guard !x.dtype.isFloating else {
        throw TensorError(
            .dtype, primitive.name, expected: "bool or integers", got: "\(x.type)",
            fix: "Use a comparison to get conditions.")
    }
    return try primitive(x, y)
}

/// Bitwise (integers) or logical (bool) and.
public func and(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try bitwise(.and, a, b)
}
/// Bitwise (integers) or logical (bool) or.
public func or(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try bitwise(.or, a, b)
}
/// Bitwise (integers) or logical (bool) exclusive or.
public func xor(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try bitwise(.xor, a, b)
}
/// Bitwise (integers) or logical (bool) not (jnp.invert).
public func bitwiseNot(_ x: Tensor) throws -> Tensor { try Unary.bitwiseNot(x) }

/// Whether both elements are nonzero.
public func logicalAnd(_ a: Tensor, _ b: Tensor) throws -> Tensor {
    try and(a.astype(.bool), b.astype(.bool))
}
/// Whether an element is nonzero.
public func logicalOr(_ a: Tensor, _ b: Tensor) throws -> Tensor { try or(a.astype(.bool), b.astype(.bool)) }
/// Whether just one element is nonzero.
public func logicalXor(_ a: Tensor, _ b: Tensor) throws -> Tensor {
    try xor(a.astype(.bool), b.astype(.bool))
}

/// a · 2ᵇ, wrapping; 0 from the type's width on.
public func shiftLeft(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try bitwise(.shiftLeft, a, b, .numbers)
}
/// The bits moved right by `b`, zeros moving in.
public func shiftRightLogical(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try bitwise(.shiftRightLogical, a, b, .numbers)
}
/// The bits moved right by `b`, copies of the highest bit moving in.
public func shiftRightArithmetic(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try bitwise(.shiftRightArithmetic, a, b, .numbers)
}
/// a / 2ᵇ rounded down: arithmetic for signed types, logical for unsigned ones (jnp.right_shift).
public func shiftRight(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    let (x, y) = try broadcastOperands(a, b, for: "shiftRight", .numbers)
    return try x.dtype.isUnsignedInteger ? shiftRightLogical(x, y) : shiftRightArithmetic(x, y)
}
/// The number of bits that are 1.
public func populationCount(_ x: Tensor) throws -> Tensor { try Unary.populationCount(x) }
/// The number of zero bits before the first 1; of 0 the type's width.
public func clz(_ x: Tensor) throws -> Tensor { try Unary.clz(x) }

// MARK: - The same bits

/// The same bits as another type of the same width, 4 or 8 bytes: what registers hold.
struct Bitcast: Primitive {
    let dtype: DType
    var name: String { "bitcast" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        guard inputs[0].dtype.byteWidth == dtype.byteWidth, dtype.byteWidth >= 4 else {
            throw TensorError(
                .dtype, name, expected: "two types of the same width, 4 or 8 bytes",
                got: "\(inputs[0].dtype) to \(dtype)")
        }
        return [TensorType(dtype, inputs[0].shape)]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        ([try self(primals[0])], [nil])
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        [Batched(try self(inputs[0].tensor), isMapped: inputs[0].isMapped)]
    }

    var lowering: LoweringRule {
        .elementwise { code, registers, inputs, outputs in
            [code.bitcast(registers[0], from: inputs[0].dtype, to: outputs[0].dtype)]
        }
    }

    var stableHLO: StableHLORule { "stablehlo.bitcast_convert" }
}

/// The same memory as another type of any width; a last dimension holds the parts of a wider element.
struct BitcastMemory: Primitive {
    let dtype: DType
    var name: String { "bitcastMemory" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        let (from, to) = (inputs[0].dtype.byteWidth, dtype.byteWidth)
        var dimensions = inputs[0].shape.dimensions
        if from > to { dimensions.append(from / to) }
        let isWhole = from >= to || dimensions.popLast() == to / from
        guard isWhole, dtype != .bool, dimensions.count <= TensorLimits.largestRank else {
            throw TensorError(
                .dtype, "bitcast",
                expected:
                    "a type other than bool, and for a wider one a last dimension of the ratio of widths",
                got: "\(inputs[0]) to \(dtype)")
        }
        return [TensorType(dtype, Shape(dimensions))]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        ([try self(primals[0])], [nil])
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        [Batched(try self(inputs[0].tensor), isMapped: inputs[0].isMapped)]
    }

    var lowering: LoweringRule {
        .kernel { builder, inputs, outputs in
            builder.copy(builder.dense(inputs[0]).bytes, to: outputs[0].bytes)
        }
    }

    /// Parts of elements by shifts where the batch size is open: readers that fill it in know this operation for equal widths only.
    var stableHLO: StableHLORule {
        .custom { writer, operation in
            let (x, result) = (operation.operands[0], operation.results[0])
            guard x.type.staticShape == nil, x.type.dtype.byteWidth != dtype.byteWidth else {
                return [writer.write("stablehlo.bitcast_convert", [x], as: result)]
            }
            return try writer.composite([x]) { operands in
                let bits = try bitcast(operands[0], to: x.type.dtype.bits)
                if bits.dtype.byteWidth > dtype.byteWidth {
                    let count = bits.dtype.byteWidth / dtype.byteWidth
                    let shape = Shape(bits.shape.dimensions + [count])
                    let spread = try broadcastInDim(bits, shape: shape, dimensions: Array(bits.shape.indices))
                    let shift =
                        try (iota(bits.dtype, shape: shape, dimension: bits.rank) * (8 * dtype.byteWidth))
                    return [try bitcast(shiftRightLogical(spread, shift).astype(dtype.bits), to: dtype)]
                }
                let wide = try bits.astype(dtype.bits)
                let shift =
                    try iota(wide.dtype, shape: wide.shape, dimension: wide.rank - 1)
                    * (8 * bits.dtype.byteWidth)
                return [try bitcast(reduceOr(shiftLeft(wide, shift), axes: [wide.rank - 1]), to: dtype)]
            }
        }
    }
}

extension Operand {
    /// The memory of a dense value.
    fileprivate var bytes: Operand {
        Operand(
            type: TensorType(.uint8, [type.byteCount]),
            layout: Layout(
                base: layout.base, offset: layout.offset * type.dtype.byteWidth, strides: [1]))
    }
}

/// The elements' bits seen as another type. A narrower type adds a last dimension with the parts of each element, the lowest
/// first; a wider one takes such a dimension away (lax.bitcast_convert_type).
public func bitcast(_ x: Tensor, to dtype: DType) throws -> Tensor {
    if x.dtype == dtype { return x }
    return x.dtype.byteWidth == dtype.byteWidth && dtype.byteWidth >= 4
        ? try Bitcast(dtype: dtype)(x) : try BitcastMemory(dtype: dtype)(x)
}
