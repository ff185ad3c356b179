// Elementwise operations of two operands, operators, and broadcasting between them.
import CKernels

/// An elementwise operation of two operands of the same type and shape.
struct Binary: Primitive {
    typealias Partial =
        @Sendable (_ a: Tensor, _ b: Tensor, _ result: Tensor, _ tangent: Tensor) throws -> Tensor
    typealias Transposed = @Sendable (_ cotangent: Tensor, _ other: Tensor) throws -> Tensor
    typealias Emission = @Sendable (inout BlockCode, Register, Register, DType) -> Register

    let name: String
    let domain: Unary.Domain
    /// True where the result is a condition.
    let isComparison: Bool
    /// The tangents that a tangent of the first and of the second operand gives.
    let partials: (Partial, Partial)?
    /// Which operands the operation is linear in: with the other one fixed, or (add, sub) together.
    let transposed: (Transposed?, Transposed?)
    let hlo: StableHLORule
    let emit: Emission

    init(
        _ name: String, _ opcode: spk_op, _ domain: Unary.Domain = .anything, isComparison: Bool = false,
        hlo: StableHLORule, partials: (Partial, Partial)? = nil,
        transposed: (Transposed?, Transposed?) = (nil, nil)
    ) {
        self.init(
            name, domain, isComparison: isComparison, hlo: hlo, partials: partials, transposed: transposed
        ) { code, a, b, dtype in
            code.emit(opcode, dtype, a, b, isComparison: isComparison)
        }
    }

    init(
        _ name: String, _ domain: Unary.Domain = .anything, isComparison: Bool = false,
        hlo: StableHLORule, partials: (Partial, Partial)?,
        transposed: (Transposed?, Transposed?) = (nil, nil), emit: @escaping Emission
    ) {
        self.name = name
        self.domain = domain
        self.isComparison = isComparison
        self.partials = partials
        self.transposed = transposed
        self.hlo = hlo
        self.emit = emit
    }

    static func == (a: Binary, b: Binary) -> Bool { a.name == b.name }
    func hash(into hasher: inout Hasher) { hasher.combine(name) }
    var parameterDescription: String { "" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        guard inputs[0] == inputs[1] else {
            throw TensorError(
                inputs[0].dtype == inputs[1].dtype ? .shape : .dtype, name,
                expected: "two operands of one type and shape",
                got: "\(inputs[0]) and \(inputs[1])")
        }
        try domain.check(inputs[0], for: name)
        return [TensorType(isComparison ? .bool : inputs[0].dtype, inputs[0].shape)]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let (a, b) = (primals[0], primals[1])
        let y = try self(a, b)
        guard let partials, a.dtype.isFloating else { return ([y], [nil]) }
        let fromA = try tangents[0].map { try partials.0(a, b, y, $0) }
        let fromB = try tangents[1].map { try partials.1(a, b, y, $0) }
        return ([y], [try sum(fromA, fromB)])
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard let cotangent = cotangents[0] else { return [nil, nil] }
        // For add and sub the other operand does not matter; for mul and div it is known.
        let a = operands[0].isLinear ? try transposed.0?(cotangent, operands[1].known ?? cotangent) : nil
        let b = operands[1].isLinear ? try transposed.1?(cotangent, operands[0].known ?? cotangent) : nil
        return [a, b]
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        [
            Batched(
                try self(try inputs[0].materialized(size: size), try inputs[1].materialized(size: size)),
                isMapped: true)
        ]
    }

    var lowering: LoweringRule {
        .elementwise { code, registers, inputs, _ in
            let dtype = inputs[0].dtype
            let y = emit(&code, registers[0], registers[1], dtype.accumulation)
            return [dtype.isHalfPrecision && !isComparison ? code.convert(y, from: .float32, to: dtype) : y]
        }
    }

    var stableHLO: StableHLORule { hlo.computedInAccumulationType }
}

/// The sum of two tangents or cotangents, where nil is zeros.
func sum(_ a: Tensor?, _ b: Tensor?) throws -> Tensor? {
    switch (a, b) {
    case (let a?, let b?): try Binary.add(a, b)
    default: a ?? b
    }
}

extension Binary {
    static let add = Binary(
        "add", SPK_OP_ADD, hlo: "stablehlo.add", partials: ({ _, _, _, t in t }, { _, _, _, t in t }),
        transposed: ({ ct, _ in ct }, { ct, _ in ct }))
    static let sub = Binary(
        "sub", SPK_OP_SUB, hlo: "stablehlo.subtract",
        partials: ({ _, _, _, t in t }, { _, _, _, t in try -t }),
        transposed: ({ ct, _ in ct }, { ct, _ in try -ct }))
    static let mul = Binary(
        "mul", SPK_OP_MUL, hlo: "stablehlo.multiply",
        partials: ({ _, b, _, t in try t * b }, { a, _, _, t in try a * t }),
        transposed: ({ ct, b in try ct * b }, { ct, a in try a * ct }))
    static let div = Binary(
        "div", SPK_OP_DIV, hlo: "stablehlo.divide",
        partials: ({ _, b, _, t in try t / b }, { _, b, y, t in try -(t * (y / b)) }),
        transposed: ({ ct, b in try ct / b }, nil))
    static let pow = Binary(
        "pow", SPK_OP_POW, .numbers, hlo: "stablehlo.power",
        partials: (
            { a, b, _, t in
                try t * (b * TensorEngine.pow(a, select(TensorEngine.equal(b, 0), onesLike(b), b - 1)))
            },
            { a, _, y, t in try t * (TensorEngine.log(select(TensorEngine.equal(a, 0), onesLike(a), a)) * y) }
        ))
    // Where both operands are equal, each gets half.
    static let max = Binary(
        "max", SPK_OP_MAX, hlo: "stablehlo.maximum", partials: (shareOfFirst, shareOfSecond))
    static let min = Binary(
        "min", SPK_OP_MIN, hlo: "stablehlo.minimum", partials: (shareOfFirst, shareOfSecond))
    static let nextAfter = Binary("nextAfter", SPK_OP_NEXTAFTER, .floats, hlo: "chlo.next_after")
    static let logAddExp = Binary(
        "logAddExp", .floats, hlo: logOfSum(TensorEngine.exp, scale: 1),
        partials: (
            { a, _, y, t in try t * TensorEngine.exp(finiteAbove(a) - finiteAbove(y)) },
            { _, b, y, t in try t * TensorEngine.exp(finiteAbove(b) - finiteAbove(y)) }
        )
    ) { code, a, b, dtype in
        logOfSum(&code, a, b, dtype, SPK_OP_EXP, scale: 1)
    }
    static let logAddExp2 = Binary(
        "logAddExp2", .floats, hlo: logOfSum(TensorEngine.exp2, scale: 1 / logarithmOf2),
        partials: (
            { a, _, y, t in try t * TensorEngine.exp2(finiteAbove(a) - finiteAbove(y)) },
            { _, b, y, t in try t * TensorEngine.exp2(finiteAbove(b) - finiteAbove(y)) }
        )
    ) { code, a, b, dtype in
        logOfSum(&code, a, b, dtype, SPK_OP_EXP2, scale: 1 / logarithmOf2)
    }
    static let equal = Binary("equal", SPK_OP_EQ, isComparison: true, hlo: .comparison("EQ"))
    static let notEqual = Binary("notEqual", SPK_OP_NE, isComparison: true, hlo: .comparison("NE"))
    static let less = Binary("less", SPK_OP_LT, isComparison: true, hlo: .comparison("LT"))
    static let lessEqual = Binary("lessEqual", SPK_OP_LE, isComparison: true, hlo: .comparison("LE"))
    static let greater = Binary("greater", SPK_OP_GT, isComparison: true, hlo: .comparison("GT"))
    static let greaterEqual = Binary("greaterEqual", SPK_OP_GE, isComparison: true, hlo: .comparison("GE"))

    private static let shareOfFirst: Partial = { a, b, y, t in try t * share(a, b, of: y) }
    private static let shareOfSecond: Partial = { a, b, y, t in try t * share(b, a, of: y) }

    /// 1 where `x` is the result alone, 1/2 where `other` is too, 0 elsewhere.
    static func share(_ x: Tensor, _ other: Tensor, of result: Tensor) throws -> Tensor {
        let isResult = try TensorEngine.equal(x, result).astype(result.dtype)
        return try isResult / (TensorEngine.equal(other, result).astype(result.dtype) + 1)
    }

    /// The larger operand plus `scale` · log(1 + exponential(-|a - b|)), so that nothing overflows.
    private static func logOfSum(
        _ code: inout BlockCode, _ a: Register, _ b: Register, _ dtype: DType, _ exponential: spk_op,
        scale: Double
    ) -> Register {
        let difference = code.emit(SPK_OP_SUB, dtype, a, b)
        let exponent = code.emit(SPK_OP_NEG, dtype, code.emit(SPK_OP_ABS, dtype, difference))
        var rest = code.emit(SPK_OP_LOG1P, dtype, code.emit(exponential, dtype, exponent))
        if scale != 1 { rest = code.emit(SPK_OP_MUL, dtype, rest, code.constant(scale, dtype)) }
        let sum = code.emit(SPK_OP_ADD, dtype, code.emit(SPK_OP_MAX, dtype, a, b), rest)
        // NaN, or infinities of the same sign: their sum is right.
        let isSpecial = code.emit(SPK_OP_NE, dtype, difference, difference, isComparison: true)
        let special = code.emit(SPK_OP_ADD, dtype, a, b)
        return code.emit(SPK_OP_SELECT, dtype, isSpecial, special, sum, isExact: true)
    }

    /// The same in operations of their own.
    private static func logOfSum(
        _ exponential: @escaping @Sendable (Tensor) throws -> Tensor, scale: Double
    ) -> StableHLORule {
        .composite { x in
            let difference = try x[0] - x[1]
            let rest = try TensorEngine.log1p(exponential(-TensorEngine.abs(difference))) * scale
            return [try select(isNaN(difference), x[0] + x[1], maximum(x[0], x[1]) + rest)]
        }
    }

    /// 0 for +inf: an infinite operand has the result's whole tangent.
    static func finiteAbove(_ x: Tensor) throws -> Tensor {
        try select(TensorEngine.equal(x, Double.infinity), zerosLike(x), x)
    }
}

// MARK: - Literals beside tensors

/// What can stand beside a tensor in an operation: a tensor, or a Swift number, which adopts the tensor's type.
public protocol TensorConvertible {
    /// The tensor, or the number as a scalar tensor in the type that it takes on beside `other`.
    func tensor(beside other: DType) throws -> Tensor
}

extension Tensor: TensorConvertible {
    public func tensor(beside other: DType) -> Tensor { self }
}

extension Int: TensorConvertible {
    public func tensor(beside other: DType) throws -> Tensor {
        let dtype = other.promoted(withLiteral: .integer)
        if dtype.isFloating || dtype == .bool { return try full([], Double(self), dtype: dtype) }
        // Integers wrap, and Double does not hold those beyond 2^53.
        return switch dtype {
        case .int8: try Tensor(Int8(truncatingIfNeeded: self))
        case .int16: try Tensor(Int16(truncatingIfNeeded: self))
        case .int64: try Tensor(Int64(self))
        case .uint8: try Tensor(UInt8(truncatingIfNeeded: self))
        case .uint16: try Tensor(UInt16(truncatingIfNeeded: self))
        case .uint32: try Tensor(UInt32(truncatingIfNeeded: self))
        case .uint64: try Tensor(UInt64(truncatingIfNeeded: self))
        default: try Tensor(Int32(truncatingIfNeeded: self))
        }
    }
}

extension Double: TensorConvertible {
    public func tensor(beside other: DType) throws -> Tensor {
        try full([], self, dtype: other.promoted(withLiteral: .floating))
    }
}

extension Float: TensorConvertible {
    public func tensor(beside other: DType) throws -> Tensor { try Double(self).tensor(beside: other) }
}

extension Bool: TensorConvertible {
    public func tensor(beside other: DType) throws -> Tensor {
        try full([], self ? 1 : 0, dtype: other.promoted(withLiteral: .bool))
    }
}

/// What an operation takes, and makes of other types.
enum OperandKind: Sendable {
    case anything
    /// bool counts as int32.
    case numbers
    /// bool and integers count as float32.
    case floats
}

/// Both operands in the type that they promote to and the shape that they broadcast to (NumPy's rules).
func broadcastOperands(
    _ a: some TensorConvertible, _ b: some TensorConvertible, for operation: String,
    _ kind: OperandKind = .anything
) throws -> (Tensor, Tensor) {
    let anchor = ((a as? Tensor) ?? (b as? Tensor))?.dtype ?? .float32
    let (x, y) = (
        try a.tensor(beside: (b as? Tensor)?.dtype ?? anchor),
        try b.tensor(beside: (a as? Tensor)?.dtype ?? anchor)
    )
    var dtype = DType.promote(x.dtype, y.dtype)
    switch kind {
    case .anything: break
    case .numbers: if dtype == .bool { dtype = .int32 }
    case .floats: dtype = dtype.floating
    }
    let shape = try broadcastShapes([x.shape, y.shape], for: operation)
    return (try broadcastTo(x.astype(dtype), shape), try broadcastTo(y.astype(dtype), shape))
}

/// Promotes both operands to one type, broadcasts them to one shape (NumPy's rules) and applies the primitive.
func broadcasting(
    _ primitive: Binary, _ a: some TensorConvertible, _ b: some TensorConvertible,
    _ kind: OperandKind = .anything
) throws -> Tensor {
    let (x, y) = try broadcastOperands(a, b, for: primitive.name, kind)
    return try primitive(x, y)
}

/// a + b, with broadcasting.
public func + (a: Tensor, b: Tensor) throws -> Tensor { try broadcasting(.add, a, b) }
public func + (a: Tensor, b: some TensorConvertible) throws -> Tensor { try broadcasting(.add, a, b) }
public func + (a: some TensorConvertible, b: Tensor) throws -> Tensor { try broadcasting(.add, a, b) }
/// a - b, with broadcasting.
public func - (a: Tensor, b: Tensor) throws -> Tensor { try broadcasting(.sub, a, b) }
public func - (a: Tensor, b: some TensorConvertible) throws -> Tensor { try broadcasting(.sub, a, b) }
public func - (a: some TensorConvertible, b: Tensor) throws -> Tensor { try broadcasting(.sub, a, b) }
/// a · b element by element, with broadcasting.
public func * (a: Tensor, b: Tensor) throws -> Tensor { try broadcasting(.mul, a, b) }
public func * (a: Tensor, b: some TensorConvertible) throws -> Tensor { try broadcasting(.mul, a, b) }
public func * (a: some TensorConvertible, b: Tensor) throws -> Tensor { try broadcasting(.mul, a, b) }
/// a / b, always in floats, with broadcasting.
public func / (a: Tensor, b: Tensor) throws -> Tensor { try broadcasting(.div, a, b, .floats) }
public func / (a: Tensor, b: some TensorConvertible) throws -> Tensor {
    try broadcasting(.div, a, b, .floats)
}
public func / (a: some TensorConvertible, b: Tensor) throws -> Tensor {
    try broadcasting(.div, a, b, .floats)
}

/// The larger of two elements; NaN if either is NaN. Equal operands share the gradient.
public func maximum(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try broadcasting(.max, a, b)
}
/// The smaller of two elements; NaN if either is NaN. Equal operands share the gradient.
public func minimum(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try broadcasting(.min, a, b)
}
/// The larger of two elements; a number if only one is NaN. The first of equal operands has no gradient.
public func fmax(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    let (x, y) = try broadcastOperands(a, b, for: "fmax")
    return try select(or(greater(x, y), isNaN(y)), x, y)
}
/// The smaller of two elements; a number if only one is NaN. The first of equal operands has no gradient.
public func fmin(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    let (x, y) = try broadcastOperands(a, b, for: "fmin")
    return try select(or(less(x, y), isNaN(y)), x, y)
}
/// a to the power b. Integers to integer powers stay integers and wrap; a negative power of them is rounded towards 0. For
/// whole constant exponents `integerPow` is faster.
public func pow(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try broadcasting(.pow, a, b, .numbers)
}
/// a to the power b, in floats.
public func floatPower(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try broadcasting(.pow, a, b, .floats)
}
/// log(eᵃ + eᵇ) without overflow.
public func logAddExp(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try broadcasting(.logAddExp, a, b, .floats)
}
/// log2(2ᵃ + 2ᵇ) without overflow.
public func logAddExp2(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try broadcasting(.logAddExp2, a, b, .floats)
}
/// The next representable number after `a` in the direction of `b`.
public func nextAfter(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    let anchor = ((a as? Tensor) ?? (b as? Tensor))?.dtype ?? .float32
    let (x, y) = (try a.tensor(beside: anchor), try b.tensor(beside: anchor))
    let dtype = DType.promote(x.dtype, y.dtype).floating
    guard dtype.isHalfPrecision else { return try broadcasting(.nextAfter, x, y, .floats) }
    // The kernel would compute in float32, whose neighbours round back: step by one unit of the 16-bit type instead.
    let shape = try broadcastShapes([x.shape, y.shape], for: "nextAfter")
    let (from, to) = (
        try broadcastTo(x.astype(.float32), shape), try broadcastTo(y.astype(.float32), shape)
    )
    // In float32's bit pattern, a unit of the 16-bit type is this much; away from zero is up for either sign.
    let unit = dtype == .bfloat16 ? 0x10000 : 0x2000
    let isOutward = try equal(less(from, to), greater(from, 0))
    let pattern = try bitcast(from, to: .int32)
    var next = try bitcast(select(isOutward, pattern + unit, pattern - unit), to: .float32)
    // Below the smallest normal number the unit is the smallest number itself.
    let (tiny, smallestNormal) = dtype == .bfloat16 ? (0x1p-133, 0x1p-126) : (0x1p-24, 0x1p-14)
    let magnitude = try abs(from)
    let isSubnormal = try or(
        less(magnitude, smallestNormal), and(logicalNot(isOutward), equal(magnitude, smallestNormal)))
    let upwards = try select(less(from, to), onesLike(from), -onesLike(from))
    next = try select(isSubnormal, from + tiny * upwards, next)
    let isNumber = try and(equal(from, from), equal(to, to))
    return try select(isNumber, select(equal(from, to), to, next), from + to).astype(dtype)
}
public func equal(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try broadcasting(.equal, a, b)
}
public func notEqual(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try broadcasting(.notEqual, a, b)
}
public func less(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try broadcasting(.less, a, b)
}
public func lessEqual(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try broadcasting(.lessEqual, a, b)
}
public func greater(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try broadcasting(.greater, a, b)
}
public func greaterEqual(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try broadcasting(.greaterEqual, a, b)
}

/// Where |a - b| ≤ `atol` + `rtol` · |b|; infinities are close to themselves, and NaN is with `equalNaN`.
public func isClose(
    _ a: some TensorConvertible, _ b: some TensorConvertible, rtol: Double = 1e-5, atol: Double = 1e-8,
    equalNaN: Bool = false
) throws -> Tensor {
    let (x, y) = try broadcastOperands(a, b, for: "isClose", .floats)
    let isNear = try lessEqual(abs(x - y), rtol * abs(y) + atol)
    let result = try select(and(isFinite(x), isFinite(y)), isNear, equal(x, y))
    return equalNaN ? try or(result, and(isNaN(x), isNaN(y))) : result
}

/// Whether all elements are close, as `isClose` says.
public func allClose(
    _ a: some TensorConvertible, _ b: some TensorConvertible, rtol: Double = 1e-5, atol: Double = 1e-8,
    equalNaN: Bool = false
) throws -> Tensor {
    try all(isClose(a, b, rtol: rtol, atol: atol, equalNaN: equalNaN))
}

/// Whether two tensors have one shape and equal elements.
public func arrayEqual(_ a: Tensor, _ b: Tensor) throws -> Tensor {
    a.shape == b.shape ? try all(equal(a, b)) : try full([], 0, dtype: .bool)
}
