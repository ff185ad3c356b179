// Trigonometric and hyperbolic functions, their inverses, and angles.
import CKernels

extension Unary {
    static let sin = Unary("sin", SPK_OP_SIN, hlo: "stablehlo.sine") { x, _, t in try t * TensorEngine.cos(x)
    }
    static let cos = Unary("cos", SPK_OP_COS, hlo: "stablehlo.cosine") { x, _, t in
        try -(t * TensorEngine.sin(x))
    }
    static let tan = Unary("tan", SPK_OP_TAN, hlo: "chlo.tan") { _, y, t in try t * (1 + y * y) }
    static let asin = Unary("asin", SPK_OP_ASIN, hlo: "chlo.asin") { x, _, t in
        try t * TensorEngine.rsqrt(1 - x * x)
    }
    static let acos = Unary("acos", SPK_OP_ACOS, hlo: "chlo.acos") { x, _, t in
        try -(t * TensorEngine.rsqrt(1 - x * x))
    }
    static let atan = Unary("atan", SPK_OP_ATAN, hlo: "chlo.atan") { x, _, t in try t / (1 + x * x) }
    static let sinh = Unary("sinh", SPK_OP_SINH, hlo: "chlo.sinh") { x, _, t in try t * TensorEngine.cosh(x) }
    static let cosh = Unary("cosh", SPK_OP_COSH, hlo: "chlo.cosh") { x, _, t in try t * TensorEngine.sinh(x) }
    static let tanh = Unary("tanh", SPK_OP_TANH, hlo: "stablehlo.tanh") { _, y, t in try t * (1 - y * y) }
    static let asinh = Unary("asinh", SPK_OP_ASINH, hlo: "chlo.asinh") { x, _, t in
        try t * TensorEngine.rsqrt(x * x + 1)
    }
    static let acosh = Unary("acosh", SPK_OP_ACOSH, hlo: "chlo.acosh") { x, _, t in
        try t * TensorEngine.rsqrt(x * x - 1)
    }
    static let atanh = Unary("atanh", SPK_OP_ATANH, hlo: "chlo.atanh") { x, _, t in
        try t / ((1 + x) * (1 - x))
    }
    static let logistic = Unary("logistic", SPK_OP_LOGISTIC, hlo: "stablehlo.logistic") { _, y, t in
        try t * (y * (1 - y))
    }
    static let sinc = Unary(
        "sinc", .floats,
        hlo: .composite { x in
            let angle = try x[0] * Double.pi
            return [try select(TensorEngine.equal(x[0], 0), 1.0, TensorEngine.sin(angle) / angle)]
        }, { x, y, t in try t * sincSlope(x, y) }
    ) { code, x, dtype in
        let zero = code.constant(0, dtype)
        let one = code.constant(1, dtype)
        let angle = code.emit(SPK_OP_MUL, dtype, x, code.constant(.pi, dtype))
        let isZero = code.emit(SPK_OP_EQ, dtype, x, zero, isComparison: true)
        let quotient = code.emit(SPK_OP_DIV, dtype, code.emit(SPK_OP_SIN, dtype, angle), angle)
        return code.emit(SPK_OP_SELECT, dtype, isZero, one, quotient, isExact: true)
    }

    /// The derivative of sinc. Near 0, where the closed form is a small difference of large numbers, by the power series,
    /// whose own derivatives are right at 0 too.
    private static func sincSlope(_ x: Tensor, _ y: Tensor) throws -> Tensor {
        let isNear = try less(TensorEngine.abs(x), 0.25)
        let near = try select(isNear, x, zerosLike(x))
        let far = try select(isNear, onesLike(x), x)
        let squaredAngle = try TensorEngine.square(near * Double.pi)
        // Of sin(u)/u: the sum of (-1)^k u^2k / (2k + 1)!, differentiated term by term, by Horner from the highest.
        var series = try zerosLike(x)
        var factorial = 1.0
        let coefficients = (1...8).map { k in
            factorial *= Double(2 * k) * Double(2 * k + 1)
            return (k.isMultiple(of: 2) ? 1 : -1) * Double(2 * k) / factorial
        }
        for coefficient in coefficients.reversed() { series = try series * squaredAngle + coefficient }
        let nearSlope = try series * near * (Double.pi * Double.pi)
        let farSlope = try (TensorEngine.cos(far * Double.pi) - y) / far
        return try select(isNear, nearSlope, farSlope)
    }
}

extension Binary {
    static let atan2 = Binary(
        "atan2", SPK_OP_ATAN2, .floats, hlo: "stablehlo.atan2",
        partials: (
            { a, b, _, t in try t * (b / (a * a + b * b)) },
            { a, b, _, t in try -(t * (a / (a * a + b * b))) }
        ))
}

// MARK: - The functions

public func sin(_ x: Tensor) throws -> Tensor { try floating(.sin, x) }
public func cos(_ x: Tensor) throws -> Tensor { try floating(.cos, x) }
public func tan(_ x: Tensor) throws -> Tensor { try floating(.tan, x) }
/// The angle in -π/2...π/2 whose sine is x; NaN outside -1...1.
public func asin(_ x: Tensor) throws -> Tensor { try floating(.asin, x) }
/// The angle in 0...π whose cosine is x; NaN outside -1...1.
public func acos(_ x: Tensor) throws -> Tensor { try floating(.acos, x) }
/// The angle in -π/2...π/2 whose tangent is x.
public func atan(_ x: Tensor) throws -> Tensor { try floating(.atan, x) }
/// The angle in -π...π of the point (x: `b`, y: `a`) (jnp.arctan2).
public func atan2(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try broadcasting(.atan2, a, b, .floats)
}
public func sinh(_ x: Tensor) throws -> Tensor { try floating(.sinh, x) }
public func cosh(_ x: Tensor) throws -> Tensor { try floating(.cosh, x) }
public func tanh(_ x: Tensor) throws -> Tensor { try floating(.tanh, x) }
public func asinh(_ x: Tensor) throws -> Tensor { try floating(.asinh, x) }
/// The number of 0 or more whose hyperbolic cosine is x; NaN below 1.
public func acosh(_ x: Tensor) throws -> Tensor { try floating(.acosh, x) }
/// NaN outside -1...1.
public func atanh(_ x: Tensor) throws -> Tensor { try floating(.atanh, x) }
/// 1 / (1 + e⁻ˣ), also called sigmoid.
public func logistic(_ x: Tensor) throws -> Tensor { try floating(.logistic, x) }
/// sin(πx) / (πx), 1 at 0.
public func sinc(_ x: Tensor) throws -> Tensor { try floating(.sinc, x) }
/// Radians to degrees.
public func degrees(_ x: Tensor) throws -> Tensor { try x * (180 / Double.pi) }
/// Degrees to radians.
public func radians(_ x: Tensor) throws -> Tensor { try x * (Double.pi / 180) }

/// √(a² + b²) without overflow on the way.
public func hypot(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    let (x, y) = try broadcastOperands(a, b, for: "hypot", .floats)
    let (first, second) = (try abs(x), try abs(y))
    let isInfinite = try or(isInf(first), isInf(second))
    let (larger, smaller) = (try maximum(first, second), try minimum(first, second))
    let isZero = try equal(larger, 0)
    let ratio = try smaller / select(isZero, onesLike(larger), larger)
    let length = try select(isZero, larger, larger * sqrt(1 + square(ratio)))
    return try select(isInfinite, full([], .infinity, dtype: length.dtype), length)
}
