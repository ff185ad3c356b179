// Elementwise operations of one operand: one line each, with its rules.
import CKernels

/// An elementwise operation of one operand.
struct Unary: Primitive {
    typealias Derivative = @Sendable (_ x: Tensor, _ y: Tensor, _ tangent: Tensor) throws -> Tensor

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
    let emit: @Sendable (inout BlockCode, Register, DType) -> Register

    init(
        _ name: String, _ opcode: spk_op, _ domain: Domain = .floats, result: DType? = nil,
        isLinear: Bool = false,
        _ derivative: Derivative? = nil
    ) {
        self.init(name, domain, result: result, isLinear: isLinear, derivative) { code, x, dtype in
            code.emit(opcode, dtype, x)
        }
    }

    init(
        _ name: String, _ domain: Domain = .floats, result: DType? = nil, isLinear: Bool = false,
        _ derivative: Derivative?, emit: @escaping @Sendable (inout BlockCode, Register, DType) -> Register
    ) {
        self.name = name
        self.domain = domain
        self.result = result
        self.derivative = derivative
        self.isLinear = isLinear
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
        .elementwise { code, registers, inputs, _ in [emit(&code, registers[0], inputs[0].dtype)] }
    }
}

extension Unary {
    static let neg = Unary("neg", SPK_OP_NEG, .numbers, isLinear: true) { _, _, t in try -t }
    // The derivative at 0 is +1, as JAX has it.
    static let abs = Unary("abs", SPK_OP_ABS, .numbers) { x, _, t in try select(greaterEqual(x, 0), t, -t) }
    static let sign = Unary("sign", SPK_OP_SIGN, .numbers)
    static let floor = Unary("floor", SPK_OP_FLOOR)
    static let ceil = Unary("ceil", SPK_OP_CEIL)
    static let round = Unary("round", SPK_OP_ROUND_EVEN)
    static let isFinite = Unary("isFinite", SPK_OP_IS_FINITE, result: .bool)
    static let logicalNot = Unary("logicalNot", SPK_OP_LOGICAL_NOT, .integers, result: .bool)
    static let bitwiseNot = Unary("bitwiseNot", SPK_OP_NOT, .integers)
    static let square = Unary("square", .numbers, { x, _, t in try t * (2 * x) }) { code, x, dtype in
        code.emit(SPK_OP_MUL, dtype, x, x)
    }
    static let sqrt = Unary("sqrt", SPK_OP_SQRT) { _, y, t in try t * (0.5 / y) }
    static let rsqrt = Unary("rsqrt", SPK_OP_RSQRT) { x, y, t in try t * (-0.5 * (y / x)) }
    static let exp = Unary("exp", SPK_OP_EXP) { _, y, t in try t * y }
    static let expm1 = Unary("expm1", SPK_OP_EXPM1) { _, y, t in try t * (y + 1) }
    static let log = Unary("log", SPK_OP_LOG) { x, _, t in try t / x }
    static let log1p = Unary("log1p", SPK_OP_LOG1P) { x, _, t in try t / (x + 1) }
    static let sin = Unary("sin", SPK_OP_SIN) { x, _, t in try t * TensorEngine.cos(x) }
    static let cos = Unary("cos", SPK_OP_COS) { x, _, t in try -(t * TensorEngine.sin(x)) }
    static let tanh = Unary("tanh", SPK_OP_TANH) { _, y, t in try t * (1 - y * y) }
    static let logistic = Unary("logistic", SPK_OP_LOGISTIC) { _, y, t in try t * (y * (1 - y)) }
    static let erf = Unary("erf", SPK_OP_ERF) { x, _, t in
        try t * (2 / Double.pi.squareRoot() * TensorEngine.exp(-(x * x)))
    }
    static let erfInv = Unary("erfInv", SPK_OP_ERF_INV) { _, y, t in
        try t * (Double.pi.squareRoot() / 2 * TensorEngine.exp(y * y))
    }
    // max(x, 0) with derivative 0 at 0, as jax.nn.relu has it.
    static let relu = Unary("relu", .numbers, { x, _, t in try select(greater(x, 0), t, zerosLike(t)) }) {
        code, x, dtype in
        code.emit(SPK_OP_MAX, dtype, x, code.constant(0, dtype))
    }
}

// MARK: - The functions

/// Applies a float operation, converting integers to float32 first.
private func floating(_ primitive: Unary, _ x: Tensor) throws -> Tensor {
    try primitive(try x.astype(x.dtype.floating))
}

/// The absolute value.
public func abs(_ x: Tensor) throws -> Tensor { x.dtype == .bool ? x : try Unary.abs(x) }
/// -1, 0 or 1, with the operand's sign.
public func sign(_ x: Tensor) throws -> Tensor { try Unary.sign(x) }
/// The largest whole number that is not greater.
public func floor(_ x: Tensor) throws -> Tensor { try floating(.floor, x) }
/// The smallest whole number that is not less.
public func ceil(_ x: Tensor) throws -> Tensor { try floating(.ceil, x) }
/// The nearest whole number; halves go to the even one.
public func round(_ x: Tensor) throws -> Tensor { try floating(.round, x) }
/// True where the element is neither infinite nor NaN.
public func isFinite(_ x: Tensor) throws -> Tensor { try floating(.isFinite, x) }
/// True where the element is zero (false).
public func logicalNot(_ x: Tensor) throws -> Tensor { try Unary.logicalNot(try x.astype(.bool)) }
/// x²
public func square(_ x: Tensor) throws -> Tensor { try Unary.square(x) }
/// √x
public func sqrt(_ x: Tensor) throws -> Tensor { try floating(.sqrt, x) }
/// 1 / √x
public func rsqrt(_ x: Tensor) throws -> Tensor { try floating(.rsqrt, x) }
/// eˣ
public func exp(_ x: Tensor) throws -> Tensor { try floating(.exp, x) }
/// eˣ - 1, exact near 0.
public func expm1(_ x: Tensor) throws -> Tensor { try floating(.expm1, x) }
/// The natural logarithm.
public func log(_ x: Tensor) throws -> Tensor { try floating(.log, x) }
/// log(1 + x), exact near 0.
public func log1p(_ x: Tensor) throws -> Tensor { try floating(.log1p, x) }
public func sin(_ x: Tensor) throws -> Tensor { try floating(.sin, x) }
public func cos(_ x: Tensor) throws -> Tensor { try floating(.cos, x) }
public func tanh(_ x: Tensor) throws -> Tensor { try floating(.tanh, x) }
/// 1 / (1 + e⁻ˣ), also called sigmoid.
public func logistic(_ x: Tensor) throws -> Tensor { try floating(.logistic, x) }
/// The error function.
public func erf(_ x: Tensor) throws -> Tensor { try floating(.erf, x) }
/// The inverse of the error function, by M. Giles' polynomial in float32, as XLA computes it.
public func erfInv(_ x: Tensor) throws -> Tensor { try floating(.erfInv, x) }
/// max(x, 0); the derivative at 0 is 0.
public func relu(_ x: Tensor) throws -> Tensor { try Unary.relu(x) }

public prefix func - (x: Tensor) throws -> Tensor { try Unary.neg(x) }

/// A tensor of zeros of the same type and shape.
public func zerosLike(_ x: Tensor) throws -> Tensor { try full(x.shape, 0, dtype: x.dtype) }
/// A tensor of ones of the same type and shape.
public func onesLike(_ x: Tensor) throws -> Tensor { try full(x.shape, 1, dtype: x.dtype) }
