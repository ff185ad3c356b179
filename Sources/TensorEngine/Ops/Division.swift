// Whole quotients and remainders, with the sign of the divisor (Python's) or of the dividend (C's).
import CKernels

extension Binary {
    static let rem = Binary(
        "rem", SPK_OP_REM, hlo: "stablehlo.remainder",
        partials: (
            { _, _, _, t in t }, { a, b, _, t in try -(t * (sign(a / b) * floor(abs(a / b)))) }
        ))
}

/// The remainder with the sign of the dividend (lax.rem). Of integers by 0: the dividend.
public func rem(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    try broadcasting(.rem, a, b, .numbers)
}

/// The remainder with the sign of the dividend (C's and NumPy's fmod). Of integers by 0: 0, as in JAX.
public func fmod(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    let (x, y) = try broadcastOperands(a, b, for: "fmod", .numbers)
    return try Binary.rem(x, divisor(y))
}

/// The remainder with the sign of the divisor (jnp.mod, jnp.remainder). Of integers by 0: 0, as in JAX.
public func mod(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    let (x, y) = try broadcastOperands(a, b, for: "mod", .numbers)
    let divisor = try divisor(y)
    let remainder = try Binary.rem(x, divisor)
    let signsDiffer = try notEqual(less(remainder, 0), less(divisor, 0))
    return try select(and(signsDiffer, notEqual(remainder, 0)), remainder + divisor, remainder)
}

/// Integers by 0 count as by 1, of which nothing remains.
private func divisor(_ b: Tensor) throws -> Tensor {
    b.dtype.isFloating ? b : try select(equal(b, 0), onesLike(b), b)
}

/// The quotient rounded down (Python's `//`), in the operands' type. Of integers by 0: no value to rely on, but no trap.
public func floorDivide(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    let (x, y) = try broadcastOperands(a, b, for: "floorDivide", .numbers)
    if x.dtype.isUnsignedInteger { return try Binary.div(x, y) }
    let remainder = try Binary.rem(x, y)
    guard x.dtype.isFloating else {
        let quotient = try Binary.div(x, y)
        let isRoundedUp = try and(notEqual(sign(x), sign(y)), notEqual(remainder, 0))
        return try select(isRoundedUp, quotient - 1, quotient)
    }
    // What the remainder leaves divides without rest, up to rounding.
    let quotient = try select(equal(y, 0), x, x - remainder) / y
    let isRoundedUp = try and(notEqual(remainder, 0), notEqual(sign(y), sign(remainder)))
    return try round(select(isRoundedUp, quotient - 1, quotient))
}

/// `floorDivide` and `mod` (jnp.divmod).
public func divmod(
    _ a: some TensorConvertible, _ b: some TensorConvertible
) throws -> (quotient: Tensor, remainder: Tensor) {
    (try floorDivide(a, b), try mod(a, b))
}
