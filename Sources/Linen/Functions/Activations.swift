// Activation functions as jax.nn has them, besides those of TensorEngine (relu, tanh, softmax, logSoftmax).
import TensorEngine

/// 1 / (1 + e⁻ˣ).
public func sigmoid(_ x: Tensor) throws -> Tensor { try logistic(x) }

/// x · sigmoid(x), also called swish.
public func silu(_ x: Tensor) throws -> Tensor { try x * logistic(x) }

/// log(1 + eˣ), without overflow; its derivative is sigmoid(x) everywhere, also at 0.
public func softplus(_ x: Tensor) throws -> Tensor {
    let isPositive = try greater(x, 0)
    // -|x|, with the derivative of x itself at 0.
    let magnitude = try select(isPositive, -x, x)
    return try select(isPositive, x, zerosLike(x)) + log1p(exp(magnitude))
}

/// log(sigmoid(x)).
public func logSigmoid(_ x: Tensor) throws -> Tensor { try -softplus(-x) }

/// x · Φ(x). By default in the tanh approximation, as in JAX: ½x(1 + tanh(√(2/π)(x + 0.044715x³))).
public func gelu(_ x: Tensor, approximate: Bool = true) throws -> Tensor {
    let x = try x.astype(x.dtype.floating)
    guard approximate else {
        return try x * (0.5 * (1.0 + erf(x / Double(2).squareRoot())))
    }
    let root = try full([], (2 / Double.pi).squareRoot(), dtype: x.dtype)
    let inner = try root * (x + 0.044715 * integerPow(x, 3))
    return try x * (0.5 * (1.0 + tanh(inner)))
}

/// x where x ≥ 0, else `negativeSlope` · x.
public func leakyReLU(_ x: Tensor, negativeSlope: Double = 0.01) throws -> Tensor {
    let x = try x.astype(x.dtype.floating)
    return try select(greaterEqual(x, 0), x, x * negativeSlope)
}

/// x where x > 0, else `alpha` · (eˣ - 1).
public func elu(_ x: Tensor, alpha: Double = 1) throws -> Tensor {
    let isPositive = try greater(x, 0)
    // exp of a large x would be infinite, and its derivative times 0 not a number.
    let safe = try select(isPositive, zerosLike(x), x)
    return try select(isPositive, x, alpha * expm1(safe))
}

/// x where x > 0, else `alpha` · (e^(x/alpha) - 1).
public func celu(_ x: Tensor, alpha: Double = 1) throws -> Tensor {
    let isPositive = try greater(x, 0)
    let safe = try select(isPositive, zerosLike(x), x)
    return try select(isPositive, x, alpha * expm1(safe / alpha))
}

/// The self-normalizing unit: elu with Klambauer's two constants.
public func selu(_ x: Tensor) throws -> Tensor {
    try 1.0507009873554804934193349852946 * elu(x, alpha: 1.6732632423543772848170429916717)
}

/// min(max(x, 0), 6).
public func relu6(_ x: Tensor) throws -> Tensor { try minimum(relu(x), 6) }

/// relu6(x + 3) / 6.
public func hardSigmoid(_ x: Tensor) throws -> Tensor { try relu6(x + 3) / 6 }

/// x · hardSigmoid(x), also called hard swish.
public func hardSiLU(_ x: Tensor) throws -> Tensor { try x * hardSigmoid(x) }

/// x, cut off at ±1.
public func hardTanh(_ x: Tensor) throws -> Tensor {
    try select(greater(x, 1), onesLike(x), select(less(x, -1), -onesLike(x), x))
}

/// x / (|x| + 1).
public func softSign(_ x: Tensor) throws -> Tensor { try x / (abs(x) + 1) }

/// x · tanh(softplus(x)).
public func mish(_ x: Tensor) throws -> Tensor { try x * tanh(softplus(x)) }

/// (x + √(x² + b)) / 2, a smooth relu.
public func squareplus(_ x: Tensor, b: Double = 4) throws -> Tensor { try (x + sqrt(square(x) + b)) / 2 }

/// 0 up to -1, x from 1 on, and ¼(x + 1)² between.
public func sparsePlus(_ x: Tensor) throws -> Tensor {
    let x = try x.astype(x.dtype.floating)
    let between = try square(x + 1) / 4
    return try select(lessEqual(x, -1), zerosLike(x), select(greaterEqual(x, 1), x, between))
}

/// ½(x + 1), cut off at 0 and 1: the derivative of `sparsePlus`.
public func sparseSigmoid(_ x: Tensor) throws -> Tensor { try 0.5 * clip(x + 1.0, 0.0, 2.0) }

/// The gated linear unit: the first half of `x` along `axis` times the sigmoid of the second.
public func glu(_ x: Tensor, axis: Int = -1) throws -> Tensor {
    let resolved = axis < 0 ? axis + x.rank : axis
    guard x.shape.indices.contains(resolved), x.shape[resolved].isMultiple(of: 2) else {
        throw TensorError(
            .shape, "glu", expected: "an even size along axis \(axis)", got: "\(x.type)")
    }
    let half = x.shape[resolved] / 2
    return try slice(x, axis: resolved, 0..<half) * sigmoid(slice(x, axis: resolved, half..<(2 * half)))
}
