// Uniform and normal random numbers, computed as jax.random computes them, and what all distributions share.

extension PRNGKey {
    /// Uniform in `[low, high)`: the top mantissa bits of random words in [1, 2), minus 1, scaled with one rounding.
    public func uniform(
        _ shape: Shape, dtype: DType = .float32, low: some TensorConvertible = 0.0,
        high: some TensorConvertible = 1.0
    ) throws -> Tensor {
        try requireFloat(dtype, "uniform")
        let (low, high) = (
            try broadcastTo(low.tensor(beside: dtype).astype(dtype), shape),
            try broadcastTo(high.tensor(beside: dtype).astype(dtype), shape)
        )
        let fraction: Tensor
        switch dtype {
        case .float64:
            let mantissa = try or(
                shiftRightLogical(bits(shape, dtype: .uint64), 12),
                bitcast(ones([], dtype: .float64), to: .uint64))
            fraction = try bitcast(mantissa, to: .float64) - 1
        case .float32:
            let one = try Tensor(Float(1).bitPattern)
            fraction = try bitcast(or(shiftRightLogical(bits(shape), 9), one), to: .float32) - 1
        case .bfloat16, .float16:
            // 8 random bits for bfloat16's 7 mantissa bits, 16 for float16's 10: fraction = top bits / 2^mantissa.
            let (width, mantissa): (DType, Int) = dtype == .bfloat16 ? (.uint8, 7) : (.uint16, 10)
            let top = try shiftRightLogical(bits(shape, dtype: width), width.byteWidth * 8 - mantissa)
            fraction = try (top.astype(.float32) * Double(sign: .plus, exponent: -mantissa, significand: 1))
                .astype(dtype)
        default:
            throw TensorError(.dtype, "uniform", expected: "a float type", got: "\(dtype)")
        }
        // XLA contracts the product and the sum to one fused multiply-add, except in 16-bit types, where it rounds both.
        let span = try Binary.sub(high, low)
        let scaled =
            dtype.isHalfPrecision
            ? try Binary.add(Binary.mul(fraction, span), low) : try FusedMultiplyAdd()(fraction, span, low)
        return try Binary.max(low, scaled)
    }

    /// Normal with mean 0 and deviation 1: √2 · erf⁻¹ of a uniform number in (-1, 1).
    public func normal(_ shape: Shape, dtype: DType = .float32) throws -> Tensor {
        let root = try full([], Double(2).squareRoot(), dtype: dtype)
        return try root * symmetricErfInv(shape, dtype: dtype)
    }

    /// erf⁻¹ of a uniform number in (-1, 1): a normal number divided by √2.
    package func symmetricErfInv(_ shape: Shape, dtype: DType) throws -> Tensor {
        let low = try nextAfter(full([], -1, dtype: dtype), full([], 0, dtype: dtype))
        return try erfInv(uniform(shape, dtype: dtype, low: low, high: 1.0))
    }

    /// Normal, cut off to `low...high`.
    public func truncatedNormal(
        low: some TensorConvertible, high: some TensorConvertible, _ shape: Shape, dtype: DType = .float32
    ) throws -> Tensor {
        let (low, high) = (
            try low.tensor(beside: dtype).astype(dtype), try high.tensor(beside: dtype).astype(dtype)
        )
        let root = try full([], Double(2).squareRoot(), dtype: dtype)
        let u = try uniform(shape, dtype: dtype, low: erf(low / root), high: erf(high / root))
        let infinity = try full([], .infinity, dtype: dtype)
        return try clip(root * erfInv(u), nextAfter(low, infinity), nextAfter(high, -infinity))
    }
}

/// How finely a sampler resolves rare events, as in jax.random: `.high` spends a second random word on each number, so that
/// probabilities below 2⁻²³ (float32) come out right.
public enum SamplingMode: String, Sendable, CaseIterable {
    case low, high
}

// MARK: - What the samplers share

/// Throws unless `dtype` is a float type.
func requireFloat(_ dtype: DType, _ operation: String) throws {
    guard dtype.isFloating else {
        throw TensorError(.dtype, operation, expected: "a float type", got: "\(dtype)")
    }
}

/// Throws unless `dtype` is an integer type.
func requireInteger(_ dtype: DType, _ operation: String) throws {
    guard dtype.isInteger else {
        throw TensorError(.dtype, operation, expected: "an integer type", got: "\(dtype)")
    }
}

/// The parameters of a distribution in the type of the draw and at its shape: the shape that was asked for, or, without one,
/// what the parameters broadcast to.
func drawParameters(
    _ operation: String, _ parameters: [any TensorConvertible], _ shape: Shape?, _ dtype: DType
) throws -> (shape: Shape, values: [Tensor]) {
    try requireFloat(dtype, operation)
    let tensors = try parameters.map { try $0.tensor(beside: dtype).astype(dtype) }
    let shape = try drawShape(operation, tensors.map(\.shape), shape)
    return (shape, try tensors.map { try broadcastTo($0, shape) })
}

/// The shape of a draw whose parameters have the given shapes: `shape` if they broadcast to it, or what they broadcast to.
func drawShape(_ operation: String, _ parameterShapes: [Shape], _ shape: Shape?) throws -> Shape {
    guard let shape else { return try broadcastShapes(parameterShapes, for: operation) }
    guard try broadcastShapes([shape] + parameterShapes, for: operation) == shape else {
        throw TensorError(
            .shape, operation, expected: "parameters that broadcast to the shape \(shape) of the draw",
            got: parameterShapes.map(\.description).joined(separator: " and "))
    }
    return shape
}

extension PRNGKey {
    /// Two uniform numbers for each element, from one draw of shape `[2, shape…]`.
    func uniformPair(_ shape: Shape, dtype: DType) throws -> (Tensor, Tensor) {
        let both = try uniform([2, shape.elementCount], dtype: dtype)
        return (
            try reshape(slice(both, axis: 0, 0..<1), shape), try reshape(slice(both, axis: 0, 1..<2), shape)
        )
    }
}

extension DType {
    /// Bits behind the binary point of a float's significand: 23 for float32.
    var significandBits: Int {
        switch self {
        case .float16: 10
        case .bfloat16: 7
        case .float64: 52
        default: 23
        }
    }

    /// The distance from 1 to the next larger number.
    var ulpOfOne: Double { Double(sign: .plus, exponent: -significandBits, significand: 1) }

    /// The smallest normal number.
    var smallestNormal: Double {
        switch self {
        case .float16: 0x1p-14
        case .float64: Double.leastNormalMagnitude
        default: Double(Float.leastNormalMagnitude)
        }
    }
}
