// Rounding to whole numbers, and what kind of number an element is.
import CKernels

extension Unary {
    static let floor = Unary("floor", SPK_OP_FLOOR, hlo: "stablehlo.floor")
    static let ceil = Unary("ceil", SPK_OP_CEIL, hlo: "stablehlo.ceil")
    static let round = Unary("round", SPK_OP_ROUND_EVEN, hlo: "stablehlo.round_nearest_even")
    static let roundAway = Unary("roundAway", SPK_OP_ROUND_AWAY, hlo: "stablehlo.round_nearest_afz")
    static let trunc = Unary(
        "trunc", .floats,
        hlo: .composite { x in
            [try select(less(x[0], 0), TensorEngine.ceil(x[0]), TensorEngine.floor(x[0]))]
        }, nil
    ) { code, x, dtype in
        let isNegative = code.emit(SPK_OP_LT, dtype, x, code.constant(0, dtype), isComparison: true)
        let (up, down) = (code.emit(SPK_OP_CEIL, dtype, x), code.emit(SPK_OP_FLOOR, dtype, x))
        return code.emit(SPK_OP_SELECT, dtype, isNegative, up, down, isExact: true)
    }
    static let isFinite = Unary("isFinite", SPK_OP_IS_FINITE, result: .bool, hlo: "stablehlo.is_finite")
}

/// Where halves go.
public enum RoundingMethod: Sendable {
    /// To the even neighbour (NumPy's rounding).
    case toNearestEven
    /// Away from zero (lax.round's default).
    case awayFromZero
}

/// Applies a rounding; integers are whole already.
private func rounding(_ primitive: Unary, _ x: Tensor) throws -> Tensor {
    x.dtype.isFloating ? try primitive(x) : x
}

/// The largest whole number that is not greater. Integers stay as they are.
public func floor(_ x: Tensor) throws -> Tensor { try rounding(.floor, x) }
/// The smallest whole number that is not less. Integers stay as they are.
public func ceil(_ x: Tensor) throws -> Tensor { try rounding(.ceil, x) }
/// The whole part, rounded towards zero. Integers stay as they are.
public func trunc(_ x: Tensor) throws -> Tensor { try rounding(.trunc, x) }
/// The nearest whole number; halves go where `method` says.
public func round(_ x: Tensor, _ method: RoundingMethod = .toNearestEven) throws -> Tensor {
    try rounding(method == .toNearestEven ? .round : .roundAway, x)
}

/// The nearest multiple of 10^-`decimals`: scaled, rounded (halves to even) and scaled back. Negative `decimals` are for
/// floats only.
public func round(_ x: Tensor, decimals: Int) throws -> Tensor {
    guard x.dtype.isFloating else {
        guard decimals >= 0 else {
            throw TensorError(
                .argument, "round", expected: "decimals of 0 or more for \(x.dtype)", got: "\(decimals)",
                fix: "Convert to a float type first.")
        }
        return x
    }
    guard (-300...300).contains(decimals) else {
        throw TensorError(.argument, "round", expected: "decimals in -300...300", got: "\(decimals)")
    }
    if decimals == 0 { return try Unary.round(x) }
    let power = (0..<decimals.magnitude).reduce(1.0) { product, _ in product * 10 }
    let factor = decimals > 0 ? power : 1 / power
    // 10^decimals has no exact half-precision form from early on.
    let wide = try x.astype(x.dtype.isHalfPrecision ? .float32 : x.dtype)
    return try (Unary.round(wide * factor) / factor).astype(x.dtype)
}

/// True where the element is neither infinite nor NaN.
public func isFinite(_ x: Tensor) throws -> Tensor { try floating(.isFinite, x) }
/// True where the element is not a number.
public func isNaN(_ x: Tensor) throws -> Tensor { try notEqual(x, x) }
/// True where the element is infinite, of either sign.
public func isInf(_ x: Tensor) throws -> Tensor { try equal(abs(x), Double.infinity) }

/// True where the sign bit is set: negative numbers, -0, and NaN with a sign.
public func signbit(_ x: Tensor) throws -> Tensor {
    guard x.dtype.isFloating else { return try x.dtype == .bool ? notEqual(x, x) : less(x, 0) }
    return x.dtype == .float64
        ? try less(bitcast(x, to: .int64), 0) : try less(bitcast(x.astype(.float32), to: .int32), 0)
}

/// |a| with the sign of `b`, in floats.
public func copysign(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    let (x, y) = try broadcastOperands(a, b, for: "copysign", .floats)
    let magnitude = try abs(x)
    return try select(signbit(y), -magnitude, magnitude)
}

/// 0 where `x` is negative, 1 where it is positive, `atZero` where it is 0; NaN stays.
public func heaviside(_ x: some TensorConvertible, _ atZero: some TensorConvertible) throws -> Tensor {
    let (x, atZero) = try broadcastOperands(x, atZero, for: "heaviside", .floats)
    let otherwise = try select(isNaN(x), x, atZero)
    return try select(less(x, 0), zerosLike(x), select(greater(x, 0), onesLike(x), otherwise))
}

/// NaN replaced by `nan`, infinities by `posInf` and `negInf`; without these by the type's largest and lowest numbers.
public func nanToNum(
    _ x: Tensor, nan: Double = 0, posInf: Double? = nil, negInf: Double? = nil
) throws -> Tensor {
    guard x.dtype.isFloating else { return x }
    let largest = x.dtype.largestFinite
    let numbers = try select(isNaN(x), nan, x)
    let bounded = try select(equal(numbers, Double.infinity), posInf ?? largest, numbers)
    return try select(equal(bounded, -Double.infinity), negInf ?? -largest, bounded)
}
