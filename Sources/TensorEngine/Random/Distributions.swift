// Random numbers of the usual distributions, computed as jax.random computes them.
import Glibc

extension PRNGKey {
    /// Uniform in `[low, high)`: the top mantissa bits of random words in [1, 2), minus 1, scaled with one rounding.
    public func uniform(
        _ shape: Shape, dtype: DType = .float32, low: some TensorConvertible = 0.0,
        high: some TensorConvertible = 1.0
    ) throws -> Tensor {
        guard dtype.isFloating else {
            throw TensorError(.dtype, "uniform", expected: "a float type", got: "\(dtype)")
        }
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

    /// True with probability `p`.
    public func bernoulli(_ p: some TensorConvertible = 0.5, _ shape: Shape) throws -> Tensor {
        let p = try p.tensor(beside: .float32)
        return try less(uniform(shape, dtype: p.dtype), p)
    }

    /// 0..<count in random order, int32.
    public func permutation(_ count: Int) throws -> Tensor {
        try shuffled(arange(count))
    }

    /// `x` with its slices along `axis` in random order; `independent` draws an order of its own for each line along it.
    public func permutation(_ x: Tensor, axis: Int = 0, independent: Bool = false) throws -> Tensor {
        guard x.rank > 0 else {
            throw TensorError(.shape, "permutation", expected: "rank 1 or more, or a count", got: "\(x.type)")
        }
        let axis = try x.shape.normalized(axis: axis, for: "permutation")
        if independent || x.rank == 1 { return try shuffled(x, axis: axis) }
        return try take(x, permutation(x.shape[axis]), axis: axis, mode: .clamp)
    }

    /// `x` sorted by random words, stably, as often as makes repeated words harmless (jax.random._shuffle).
    func shuffled(_ x: Tensor, axis: Int = 0) throws -> Tensor {
        let axis = try x.shape.normalized(axis: axis, for: "permutation")
        let rounds = PRNGKey.shuffleRounds(elements: x.shape.elementCount)
        var (key, result) = (self, x)
        for _ in 0..<rounds {
            let keys = try key.split()
            key = keys[0]
            result = try takeAlongAxis(
                result, argsort(keys[1].bits(x.shape), axis: axis), axis: axis, mode: .clamp)
        }
        return result
    }

    /// ceil(3 ln(n) / ln(2³² - 1)): 1 up to n = 1625, then 2, and so on.
    private static func shuffleRounds(elements: Int) -> Int {
        Int((3 * Glibc.log(Double(Swift.max(1, elements))) / Glibc.log(Double(UInt32.max))).rounded(.up))
    }

    /// Integers in `low..<high`: two words each, combined so that the bias is below 2⁻³² of the span.
    public func randint(_ shape: Shape, low: Int, high: Int, dtype: DType = .int32) throws -> Tensor {
        guard dtype.isInteger, dtype.byteWidth <= 4 else {
            throw TensorError(
                .dtype, "randint", expected: "an integer type of at most 32 bits", got: "\(dtype)")
        }
        let limits = (Int(dtype.isSignedInteger ? -dtype.largestFinite - 1 : 0), Int(dtype.largestFinite))
        let keys = try split()
        let (h, l) = (try keys[0].bits(shape), try keys[1].bits(shape))
        let lowest = Swift.min(Swift.max(low, limits.0), limits.1)
        let highest = Swift.min(Swift.max(high, limits.0), limits.1)
        var span = highest <= lowest ? 1 : UInt32(truncatingIfNeeded: highest - lowest)
        if high > limits.1, highest > lowest { span &+= 1 }
        let half = span == 0 ? 1 << 16 : (1 << 16) % span
        let multiplier = span == 0 ? half &* half : (half &* half) % span
        // A span of 2³² wraps to 0: every word is in range, and a remainder by 0 is the dividend.
        let (s, m) = (try Tensor(span), try Tensor(multiplier))
        let offset = try rem(rem(h, s) * m + rem(l, s), s)
        return try (offset + Tensor(UInt32(truncatingIfNeeded: lowest))).astype(
            dtype.isSignedInteger ? .int32 : .uint32
        )
        .astype(dtype)
    }
}
