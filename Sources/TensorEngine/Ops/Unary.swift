// Elementwise operations of one operand: what they have in common, and signs, roots, powers and logarithms.
import CKernels

/// An elementwise operation of one operand.
struct Unary: Primitive {
    typealias Derivative = @Sendable (_ x: Tensor, _ y: Tensor, _ tangent: Tensor) throws -> Tensor
    typealias Emission = @Sendable (inout BlockCode, Register, DType) -> Register

    /// Which element types the operation takes.
    enum Domain: Sendable {
        case floats, numbers, integers, anything

        func check(_ input: TensorType, for operation: String) throws {
            let fits =
                switch self {
                case .floats: input.dtype.isFloating
                case .numbers: input.dtype != .bool
                case .integers: !input.dtype.isFloating
                case .anything: true
                }
            guard fits else {
                throw TensorError(
                    .dtype, operation, expected: self == .integers ? "integers or bool" : "\(self)",
                    got: "\(input)", fix: "Convert with astype first.")
            }
        }
    }

    let name: String
    let domain: Domain
    /// The result's type where it is not the operand's.
    let result: DType?
    /// The tangent of the result; nil where it is zero everywhere (`floor`, `sign`).
    let derivative: Derivative?
    /// True for operations that are their own derivative (`neg`), so that they have a transpose.
    let isLinear: Bool
    let hlo: StableHLORule
    let emit: Emission

    init(
        _ name: String, _ opcode: spk_op, _ domain: Domain = .floats, result: DType? = nil,
        isLinear: Bool = false, hlo: StableHLORule, _ derivative: Derivative? = nil
    ) {
        self.init(name, domain, result: result, isLinear: isLinear, hlo: hlo, derivative) { code, x, dtype in
            code.emit(opcode, dtype, x)
        }
    }

    init(
        _ name: String, _ domain: Domain = .floats, result: DType? = nil, isLinear: Bool = false,
        hlo: StableHLORule, _ derivative: Derivative?, emit: @escaping Emission
    ) {
        self.name = name
        self.domain = domain
        self.result = result
        self.derivative = derivative
        self.isLinear = isLinear
        self.hlo = hlo
        self.emit = emit
    }

    static func == (a: Unary, b: Unary) -> Bool { a.name == b.name }
    func hash(into hasher: inout Hasher) { hasher.combine(name) }
    var parameterDescription: String { "" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        let input = inputs[0]
        try domain.check(input, for: name)
        return [TensorType(result ?? input.dtype, input.shape)]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        let y = try self(primals[0])
        guard let derivative, let tangent = tangents[0], primals[0].dtype.isFloating else {
            return ([y], [nil])
        }
        return ([y], [try derivative(primals[0], y, tangent)])
    }

    func transpose(_ cotangents: [Tensor?], _ operands: [LinearOperand]) throws -> [Tensor?] {
        guard isLinear, let cotangent = cotangents[0] else { return [nil] }
        return [try self(cotangent)]
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        [Batched(try self(inputs[0].tensor), isMapped: inputs[0].isMapped)]
    }

    var lowering: LoweringRule {
        .elementwise { code, registers, inputs, outputs in
            let dtype = inputs[0].dtype
            // Half precision is rounded once, however many instructions there are.
            let y = emit(&code, registers[0], dtype.accumulation)
            return [
                dtype.isHalfPrecision && outputs[0].dtype == dtype
                    ? code.convert(y, from: .float32, to: dtype) : y
            ]
        }
    }

    var stableHLO: StableHLORule { hlo.computedInAccumulationType }
}

extension Unary {
    static let neg = Unary("neg", SPK_OP_NEG, .numbers, isLinear: true, hlo: "stablehlo.negate") { _, _, t in
        try -t
    }
    // The derivative at 0 is +1, as JAX has it.
    static let abs = Unary("abs", SPK_OP_ABS, .numbers, hlo: .absoluteValue) { x, _, t in
        try select(greaterEqual(x, 0), t, -t)
    }
    static let sign = Unary("sign", SPK_OP_SIGN, .numbers, hlo: .sign)
    static let logicalNot = Unary("logicalNot", SPK_OP_LOGICAL_NOT, .integers, result: .bool, hlo: .isZero)
    static let square = Unary(
        "square", .numbers, hlo: .composite { x in [try x[0] * x[0]] }, { x, _, t in try t * (2 * x) }
    ) { code, x, dtype in
        code.emit(SPK_OP_MUL, dtype, x, x)
    }
    static let sqrt = Unary("sqrt", SPK_OP_SQRT, hlo: "stablehlo.sqrt") { _, y, t in try t * (0.5 / y) }
    static let rsqrt = Unary("rsqrt", SPK_OP_RSQRT, hlo: "stablehlo.rsqrt") { x, y, t in
        try t * (-0.5 * (y / x))
    }
    static let cbrt = Unary("cbrt", SPK_OP_CBRT, hlo: "stablehlo.cbrt") { _, y, t in
        try t * ((1.0 / 3) / (y * y))
    }
    static let exp = Unary("exp", SPK_OP_EXP, hlo: "stablehlo.exponential") { _, y, t in try t * y }
    static let exp2 = Unary("exp2", SPK_OP_EXP2, hlo: .composite { x in [try pow(2.0, x[0])] }) { _, y, t in
        try t * (logarithmOf2 * y)
    }
    static let expm1 = Unary("expm1", SPK_OP_EXPM1, hlo: "stablehlo.exponential_minus_one") { _, y, t in
        try t * (y + 1)
    }
    static let log = Unary("log", SPK_OP_LOG, hlo: "stablehlo.log") { x, _, t in try t / x }
    static let log1p = Unary("log1p", SPK_OP_LOG1P, hlo: "stablehlo.log_plus_one") { x, _, t in
        try t / (x + 1)
    }
    // max(x, 0) with derivative 0 at 0, as jax.nn.relu has it.
    static let relu = Unary(
        "relu", .numbers, hlo: .composite { x in [try maximum(x[0], zerosLike(x[0]))] },
        { x, _, t in try select(greater(x, 0), t, zerosLike(t)) }
    ) {
        code, x, dtype in
        code.emit(SPK_OP_MAX, dtype, x, code.constant(0, dtype))
    }
}

let logarithmOf2 = 0.69314718055994530942
private let logarithmOf10 = 2.30258509299404568402

// MARK: - The functions

/// Applies a float operation, converting integers to float32 first.
func floating(_ primitive: Unary, _ x: Tensor) throws -> Tensor {
    try primitive(try x.astype(x.dtype.floating))
}

/// The absolute value; the derivative at 0 is 1.
public func abs(_ x: Tensor) throws -> Tensor { x.dtype == .bool ? x : try Unary.abs(x) }
/// -1, 0 or 1, with the operand's sign.
public func sign(_ x: Tensor) throws -> Tensor { try Unary.sign(x) }
/// True where the element is zero (false).
public func logicalNot(_ x: Tensor) throws -> Tensor { try Unary.logicalNot(try x.astype(.bool)) }
/// x²
public func square(_ x: Tensor) throws -> Tensor { try Unary.square(x) }
/// 1 / x, in floats.
public func reciprocal(_ x: Tensor) throws -> Tensor { try 1.0 / x }
/// √x
public func sqrt(_ x: Tensor) throws -> Tensor { try floating(.sqrt, x) }
/// 1 / √x
public func rsqrt(_ x: Tensor) throws -> Tensor { try floating(.rsqrt, x) }
/// ∛x, negative for negative x.
public func cbrt(_ x: Tensor) throws -> Tensor { try floating(.cbrt, x) }
/// eˣ
public func exp(_ x: Tensor) throws -> Tensor { try floating(.exp, x) }
/// 2ˣ
public func exp2(_ x: Tensor) throws -> Tensor { try floating(.exp2, x) }
/// eˣ - 1, exact near 0.
public func expm1(_ x: Tensor) throws -> Tensor { try floating(.expm1, x) }
/// The natural logarithm.
public func log(_ x: Tensor) throws -> Tensor { try floating(.log, x) }
/// The logarithm to base 2: the natural one divided, so that it is not exact at all powers of 2 (as in JAX).
public func log2(_ x: Tensor) throws -> Tensor { try log(x) / logarithmOf2 }
/// The logarithm to base 10.
public func log10(_ x: Tensor) throws -> Tensor { try log(x) / logarithmOf10 }
/// log(1 + x), exact near 0.
public func log1p(_ x: Tensor) throws -> Tensor { try floating(.log1p, x) }
/// max(x, 0); the derivative at 0 is 0.
public func relu(_ x: Tensor) throws -> Tensor { try Unary.relu(x) }

public prefix func - (x: Tensor) throws -> Tensor { try Unary.neg(x) }
