// Random integers and conditions, computed as jax.random computes them.

extension PRNGKey {
    /// True with probability `p`.
    public func bernoulli(
        _ p: some TensorConvertible = 0.5, _ shape: Shape? = nil, mode: SamplingMode = .low
    ) throws -> Tensor {
        let p = try p.tensor(beside: .float32)
        let shape = try drawShape("bernoulli", [p.shape], shape)
        try requireFloat(p.dtype, "bernoulli")
        switch mode {
        case .low:
            return try less(uniform(shape, dtype: p.dtype), p)
        case .high:
            let (first, second) = try uniformPair(shape, dtype: p.dtype)
            return try less(second * p.dtype.ulpOfOne, p - first)
        }
    }

    /// -1 or 1, each with probability ½.
    public func rademacher(_ shape: Shape = [], dtype: DType = .int32) throws -> Tensor {
        try (2 * bernoulli(0.5, shape).astype(dtype) - 1).astype(dtype)
    }

    /// The number of trials up to the first success, 1 or more, where each succeeds with probability `p`.
    public func geometric(
        _ p: some TensorConvertible, _ shape: Shape? = nil, dtype: DType = .int32
    ) throws -> Tensor {
        try requireInteger(dtype, "geometric")
        let p = try p.tensor(beside: .float32)
        let (shape, parameters) = try drawParameters("geometric", [p], shape, p.dtype.floating)
        let u = try uniform(shape, dtype: parameters[0].dtype)
        return try (floor(log(u) / log1p(-parameters[0])) + 1).astype(dtype)
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
