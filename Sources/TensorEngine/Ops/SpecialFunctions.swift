// Special functions: errors and normal distributions, gamma and zeta, Bessel's, entropies.
import CKernels

private let rootOfPi = Double.pi.squareRoot()
let logRootOf2Pi = 0.91893853320467274178
let rootOfHalf = 0.70710678118654752440

extension Unary {
    static let erf = Unary("erf", SPK_OP_ERF, hlo: "chlo.erf") { x, _, t in
        try t * (2 / rootOfPi * TensorEngine.exp(-(x * x)))
    }
    static let erfc = Unary("erfc", SPK_OP_ERFC, hlo: "chlo.erfc") { x, _, t in
        try t * (-2 / rootOfPi * TensorEngine.exp(-(x * x)))
    }
    static let erfInv = Unary("erfInv", SPK_OP_ERF_INV, hlo: "chlo.erf_inv") { _, y, t in
        try t * (rootOfPi / 2 * TensorEngine.exp(y * y))
    }
    static let ndtr = Unary(
        "ndtr", .floats, hlo: .composite { x in [try 0.5 * TensorEngine.erfc(-x[0] * rootOfHalf)] },
        { x, _, t in try t * normalDensity(x) }
    ) { code, x, dtype in
        let scaled = code.emit(SPK_OP_MUL, dtype, x, code.constant(-rootOfHalf, dtype))
        let tail = code.emit(SPK_OP_ERFC, dtype, scaled)
        return code.emit(SPK_OP_MUL, dtype, tail, code.constant(0.5, dtype))
    }
    static let ndtri = Unary("ndtri", SPK_OP_NDTRI, hlo: .normalQuantile) { _, y, t in
        try t / normalDensity(y)
    }
    static let logNdtr = Unary("logNdtr", SPK_OP_LOG_NDTR, hlo: .logNormalDistribution) { x, y, t in
        try t * TensorEngine.exp(-0.5 * TensorEngine.square(x) - logRootOf2Pi - y)
    }

    static let lgamma = Unary("lgamma", SPK_OP_LGAMMA, hlo: "chlo.lgamma") { x, _, t in
        try t * TensorEngine.digamma(x)
    }
    static let digamma = Unary("digamma", SPK_OP_DIGAMMA, hlo: "chlo.digamma") { x, _, t in
        try t * TensorEngine.polygamma(1, x)
    }
    static let besselI0e = Unary("besselI0e", SPK_OP_BESSEL_I0E, hlo: .bessel(order: 0)) { x, y, t in
        try t * (i1e(x) - TensorEngine.sign(x) * y)
    }
    static let besselI1e = Unary("besselI1e", SPK_OP_BESSEL_I1E, hlo: .bessel(order: 1)) { x, y, t in
        // 1/x · I₁ e⁻ˣ tends to 1/2.
        let isTiny = try lessEqual(TensorEngine.abs(x), 0x1p-23)
        let safe = try select(isTiny, onesLike(x), x)
        let slope = try i0e(safe) - y * (TensorEngine.sign(safe) + 1.0 / safe)
        return try t * select(isTiny, 0.5, slope)
    }

    static let xLogX = Unary(
        "xLogX", .floats,
        hlo: .composite { x in
            [try select(TensorEngine.equal(x[0], 0), zerosLike(x[0]), x[0] * TensorEngine.log(x[0]))]
        }, { x, _, t in try t * (TensorEngine.log(x) + 1) }
    ) { code, x, dtype in
        let zero = code.constant(0, dtype)
        let product = code.emit(SPK_OP_MUL, dtype, x, code.emit(SPK_OP_LOG, dtype, x))
        let isZero = code.emit(SPK_OP_EQ, dtype, x, zero, isComparison: true)
        return code.emit(SPK_OP_SELECT, dtype, isZero, zero, product, isExact: true)
    }
    static let logit = Unary(
        "logit", .floats, hlo: .composite { x in [try TensorEngine.log(x[0] / (1 - x[0]))] },
        { x, _, t in try t / (x * (1 - x)) }
    ) { code, x, dtype in
        let rest = code.emit(SPK_OP_SUB, dtype, code.constant(1, dtype), x)
        return code.emit(SPK_OP_LOG, dtype, code.emit(SPK_OP_DIV, dtype, x, rest))
    }
    static let log1mexp = Unary(
        "log1mexp", .floats,
        hlo: .composite { x in
            let near = try TensorEngine.log(-TensorEngine.expm1(-x[0]))
            return [try select(less(x[0], logarithmOf2), near, TensorEngine.log1p(-TensorEngine.exp(-x[0])))]
        }, { x, _, t in try t / TensorEngine.expm1(x) }
    ) { code, x, dtype in
        // Each form where it loses no digits (M. Mächler, "Accurately computing log(1 - exp(-|a|))").
        let negative = code.emit(SPK_OP_NEG, dtype, x)
        let difference = code.emit(SPK_OP_NEG, dtype, code.emit(SPK_OP_EXPM1, dtype, negative))
        let near = code.emit(SPK_OP_LOG, dtype, difference)
        let exponential = code.emit(SPK_OP_NEG, dtype, code.emit(SPK_OP_EXP, dtype, negative))
        let far = code.emit(SPK_OP_LOG1P, dtype, exponential)
        let isNear = code.emit(SPK_OP_LT, dtype, x, code.constant(logarithmOf2, dtype), isComparison: true)
        return code.emit(SPK_OP_SELECT, dtype, isNear, near, far, isExact: true)
    }

    /// The `order`-th derivative of digamma, order 1 or more: (-1)^(n+1) n! ζ(n + 1, x).
    static func polygamma(_ order: Int) -> Unary {
        let factorial = (1...order).reduce(1.0) { $0 * Double($1) }
        return Unary(
            "polygamma\(order)", .floats, hlo: .polygamma(order, factorial: factorial),
            { x, _, t in try t * TensorEngine.polygamma(order + 1, x) }
        ) { code, x, dtype in
            let exponent = code.constant(Double(order + 1), dtype)
            let zeta = code.emit(SPK_OP_ZETA, dtype, exponent, x)
            let factor = code.constant(order.isMultiple(of: 2) ? -factorial : factorial, dtype)
            let value = code.emit(SPK_OP_MUL, dtype, zeta, factor)
            guard order.isMultiple(of: 2) else { return value }
            // The two sides of a pole differ in sign.
            let isInfinite = code.emit(
                SPK_OP_EQ, dtype, code.emit(SPK_OP_ABS, dtype, zeta), code.constant(.infinity, dtype),
                isComparison: true)
            let isPole = code.emit(
                SPK_OP_LE, dtype, x, code.constant(0, dtype), isComparison: true)
            let isBoth = code.emit(SPK_OP_AND, .bool, isInfinite, isPole)
            return code.emit(SPK_OP_SELECT, dtype, isBoth, code.constant(.nan, dtype), value, isExact: true)
        }
    }

    /// e^(-x²/2) / √(2π)
    private static func normalDensity(_ x: Tensor) throws -> Tensor {
        try TensorEngine.exp(-0.5 * TensorEngine.square(x) - logRootOf2Pi)
    }
}

extension Binary {
    static let xLogY = Binary(
        "xLogY", .floats, hlo: productWithLog(TensorEngine.log),
        partials: ({ _, b, _, t in try t * TensorEngine.log(b) }, { a, b, _, t in try t * (a / b) })
    ) { code, a, b, dtype in
        productWithLog(&code, a, b, dtype, SPK_OP_LOG)
    }
    static let xLog1PY = Binary(
        "xLog1PY", .floats, hlo: productWithLog(TensorEngine.log1p),
        partials: ({ _, b, _, t in try t * TensorEngine.log1p(b) }, { a, b, _, t in try t * (a / (b + 1)) })
    ) { code, a, b, dtype in
        productWithLog(&code, a, b, dtype, SPK_OP_LOG1P)
    }
    static let zeta = Binary(
        "zeta", SPK_OP_ZETA, .floats, hlo: "chlo.zeta",
        partials: (
            { _, _, _, _ in
                throw TensorError(
                    .tracing, "zeta", expected: "an operation with a derivative",
                    got: "zeta by its first operand, which has none")
            },
            { s, q, _, t in try -(t * (s * TensorEngine.zeta(s + 1, q))) }
        ))

    /// a · log(b), but 0 where a is 0 and b a number.
    private static func productWithLog(
        _ code: inout BlockCode, _ a: Register, _ b: Register, _ dtype: DType, _ logarithm: spk_op
    ) -> Register {
        let zero = code.constant(0, dtype)
        let product = code.emit(SPK_OP_MUL, dtype, a, code.emit(logarithm, dtype, b))
        let isZero = code.emit(SPK_OP_EQ, dtype, a, zero, isComparison: true)
        let isNumber = code.emit(SPK_OP_EQ, dtype, b, b, isComparison: true)
        let isSpecial = code.emit(SPK_OP_AND, .bool, isZero, isNumber)
        return code.emit(SPK_OP_SELECT, dtype, isSpecial, zero, product, isExact: true)
    }

    private static func productWithLog(
        _ logarithm: @escaping @Sendable (Tensor) throws -> Tensor
    ) -> StableHLORule {
        .composite { x in
            let isSpecial = try TensorEngine.and(TensorEngine.equal(x[0], 0), TensorEngine.equal(x[1], x[1]))
            return [try select(isSpecial, zerosLike(x[0]), x[0] * logarithm(x[1]))]
        }
    }
}

// MARK: - Errors and the normal distribution

/// The error function.
public func erf(_ x: Tensor) throws -> Tensor { try floating(.erf, x) }
/// 1 - erf(x), exact where that is small.
public func erfc(_ x: Tensor) throws -> Tensor { try floating(.erfc, x) }
/// The inverse of the error function, by M. Giles' polynomial in float32, as XLA computes it.
public func erfInv(_ x: Tensor) throws -> Tensor { try floating(.erfInv, x) }
/// The distribution function of the normal distribution.
public func ndtr(_ x: Tensor) throws -> Tensor { try floating(.ndtr, x) }
/// The inverse of `ndtr`; NaN outside 0...1.
public func ndtri(_ p: Tensor) throws -> Tensor { try floating(.ndtri, p) }
/// log(ndtr(x)), also where ndtr(x) underflows.
public func logNdtr(_ x: Tensor) throws -> Tensor { try floating(.logNdtr, x) }

// MARK: - Gamma, beta and zeta

/// log |Γ(x)| (also called gammaln).
public func lgamma(_ x: Tensor) throws -> Tensor { try floating(.lgamma, x) }
/// The derivative of `lgamma`; NaN at 0, -1, -2, …
public func digamma(_ x: Tensor) throws -> Tensor { try floating(.digamma, x) }

/// The `order`-th derivative of `digamma`.
public func polygamma(_ order: Int, _ x: Tensor) throws -> Tensor {
    guard (0...150).contains(order) else {
        throw TensorError(.argument, "polygamma", expected: "an order in 0...150", got: "\(order)")
    }
    return try floating(order == 0 ? .digamma : .polygamma(order), x)
}

/// Hurwitz' zeta function, Σ (q + k)⁻ˢ over k ≥ 0, for s > 1. Without a derivative by `s`.
public func zeta(_ s: some TensorConvertible, _ q: some TensorConvertible) throws -> Tensor {
    try broadcasting(.zeta, s, q, .floats)
}

/// log |B(a, b)|, the logarithm of the beta function.
public func betaln(_ a: some TensorConvertible, _ b: some TensorConvertible) throws -> Tensor {
    let (x, y) = try broadcastOperands(a, b, for: "betaln", .floats)
    return try lgamma(x) + lgamma(y) - lgamma(x + y)
}

/// The logarithm of the multivariate gamma function of dimension `d`.
public func multigammaln(_ a: Tensor, d: Int) throws -> Tensor {
    guard (1...10_000).contains(d) else {
        throw TensorError(.argument, "multigammaln", expected: "a dimension in 1...10000", got: "\(d)")
    }
    let a = try a.astype(a.dtype.floating)
    let halves = try iota(a.dtype, shape: [d]) / 2
    let constant = 0.25 * Double(d) * Double(d - 1) * 1.14472988584940017414
    return try sum(lgamma(expandDims(a, axis: -1) - halves), axes: [-1]) + constant
}

// MARK: - Bessel functions

/// e^-|x| I₀(x), the exponentially scaled modified Bessel function of the first kind.
public func i0e(_ x: Tensor) throws -> Tensor { try floating(.besselI0e, x) }
/// e^-|x| I₁(x)
public func i1e(_ x: Tensor) throws -> Tensor { try floating(.besselI1e, x) }
/// I₀(x), the modified Bessel function of the first kind.
public func i0(_ x: Tensor) throws -> Tensor { try exp(abs(x)) * i0e(x) }
/// I₁(x)
public func i1(_ x: Tensor) throws -> Tensor { try exp(abs(x)) * i1e(x) }

// MARK: - Logarithms and entropies

/// log(x / (1 - x)), the inverse of `logistic`.
public func logit(_ x: Tensor) throws -> Tensor { try floating(.logit, x) }
/// log(1 - e⁻ˣ) for x > 0.
public func log1mexp(_ x: Tensor) throws -> Tensor { try floating(.log1mexp, x) }
/// x · log(y), 0 where x is 0.
public func xlogy(_ x: some TensorConvertible, _ y: some TensorConvertible) throws -> Tensor {
    try broadcasting(.xLogY, x, y, .floats)
}
/// x · log(1 + y), 0 where x is 0.
public func xlog1py(_ x: some TensorConvertible, _ y: some TensorConvertible) throws -> Tensor {
    try broadcasting(.xLog1PY, x, y, .floats)
}
/// -x · log(x), 0 at 0, -inf for negative x.
public func entr(_ x: Tensor) throws -> Tensor {
    let x = try x.astype(x.dtype.floating)
    return try select(less(x, 0), full([], -.infinity, dtype: x.dtype), -floating(.xLogX, x))
}

/// p · log(p / q); 0 where p is 0 and q is not negative, inf outside of the domain.
public func relEntr(_ p: some TensorConvertible, _ q: some TensorConvertible) throws -> Tensor {
    let (p, q) = try broadcastOperands(p, q, for: "relEntr", .floats)
    let isPositive = try and(greater(p, 0), greater(q, 0))
    let isZero = try and(equal(p, 0), greaterEqual(q, 0))
    let (safeP, safeQ) = (try select(isPositive, p, onesLike(p)), try select(isPositive, q, onesLike(q)))
    let entropy = try floating(.xLogX, safeP) - xlogy(safeP, safeQ)
    return try select(isPositive, entropy, select(isZero, zerosLike(p), full([], .infinity, dtype: p.dtype)))
}

/// p · log(p / q) - p + q, the terms of the Kullback-Leibler divergence.
public func klDiv(_ p: some TensorConvertible, _ q: some TensorConvertible) throws -> Tensor {
    let (p, q) = try broadcastOperands(p, q, for: "klDiv", .floats)
    return try relEntr(p, q) - p + q
}
