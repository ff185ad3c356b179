// Random numbers from continuous distributions, each by the formula that jax.random uses, so that a key gives the same ones.

extension PRNGKey {
    /// Gumbel with location 0 and scale 1.
    public func gumbel(_ shape: Shape = [], dtype: DType = .float32, mode: SamplingMode = .low) throws
        -> Tensor
    {
        try requireFloat(dtype, "gumbel")
        switch mode {
        case .low:
            let u = try uniform(shape, dtype: dtype, low: dtype.smallestNormal, high: 1.0)
            return try -log(-log(u))
        case .high:
            // Below ½ a second word continues the first one, so that x comes close to 0 in fine steps.
            let (coarse, fine) = try uniformPair(shape, dtype: dtype)
            let ulp = dtype.ulpOfOne
            let x = try select(greaterEqual(coarse, 0.5), coarse, coarse + ulp * fine + ulp * ulp / 2)
            return try -log(-log1p(-x))
        }
    }

    /// Exponential with mean 1.
    public func exponential(_ shape: Shape = [], dtype: DType = .float32) throws -> Tensor {
        try requireFloat(dtype, "exponential")
        return try -log1p(-uniform(shape, dtype: dtype))
    }

    /// Laplace with location 0 and scale 1.
    public func laplace(_ shape: Shape = [], dtype: DType = .float32) throws -> Tensor {
        try requireFloat(dtype, "laplace")
        let u = try uniform(shape, dtype: dtype, low: dtype.ulpOfOne / 2 - 1, high: 1.0)
        return try sign(u) * log1p(-abs(u))
    }

    /// Logistic with location 0 and scale 1.
    public func logistic(_ shape: Shape = [], dtype: DType = .float32) throws -> Tensor {
        try requireFloat(dtype, "logistic")
        let u = try uniform(shape, dtype: dtype, low: dtype.ulpOfOne, high: 1.0)
        return try log(u / (1 - u))
    }

    /// Cauchy with location 0 and scale 1.
    public func cauchy(_ shape: Shape = [], dtype: DType = .float32) throws -> Tensor {
        try requireFloat(dtype, "cauchy")
        let u = try uniform(shape, dtype: dtype, low: dtype.ulpOfOne, high: 1.0)
        return try tan(Double.pi * (u - 0.5))
    }

    /// Pareto on 1..., with exponent `b`.
    public func pareto(
        _ b: some TensorConvertible, _ shape: Shape? = nil, dtype: DType = .float32
    ) throws -> Tensor {
        let (shape, parameters) = try drawParameters("pareto", [b], shape, dtype)
        return try exp(exponential(shape, dtype: dtype) / parameters[0])
    }

    /// Rayleigh: the length of a vector of two normal numbers of deviation `scale`.
    public func rayleigh(
        _ scale: some TensorConvertible, _ shape: Shape? = nil, dtype: DType = .float32
    ) throws -> Tensor {
        let (shape, parameters) = try drawParameters("rayleigh", [scale], shape, dtype)
        return try parameters[0] * sqrt(log(uniform(shape, dtype: dtype)) * -2)
    }

    /// Weibull's distribution of minima.
    public func weibullMin(
        scale: some TensorConvertible, concentration: some TensorConvertible, _ shape: Shape? = nil,
        dtype: DType = .float32
    ) throws -> Tensor {
        let (shape, parameters) = try drawParameters("weibullMin", [scale, concentration], shape, dtype)
        return try pow(exponential(shape, dtype: dtype), 1 / parameters[1]) * parameters[0]
    }

    /// e to a normal number of mean 0 and deviation `sigma`.
    public func lognormal(
        sigma: some TensorConvertible = 1.0, _ shape: Shape? = nil, dtype: DType = .float32
    ) throws -> Tensor {
        let (shape, parameters) = try drawParameters("lognormal", [sigma], shape, dtype)
        return try exp(normal(shape, dtype: dtype) * parameters[0])
    }

    /// On `left...right` with a density that rises straight to `mode` and falls straight from there.
    public func triangular(
        left: some TensorConvertible, mode: some TensorConvertible, right: some TensorConvertible,
        _ shape: Shape? = nil, dtype: DType = .float32
    ) throws -> Tensor {
        let (shape, parameters) = try drawParameters("triangular", [left, mode, right], shape, dtype)
        let (left, mode, right) = (parameters[0], parameters[1], parameters[2])
        let u = try uniform(shape, dtype: dtype)
        let rising = try left + sqrt(u * (right - left) * (mode - left))
        let falling = try right - sqrt((1 - u) * (right - left) * (right - mode))
        return try select(less(u, (mode - left) / (right - left)), rising, falling)
    }

    /// Maxwell: the length of a vector of three standard normal numbers.
    public func maxwell(_ shape: Shape = [], dtype: DType = .float32) throws -> Tensor {
        try requireFloat(dtype, "maxwell")
        let vectors = try normal([shape.elementCount, 3], dtype: dtype)
        return try reshape(sqrt(sum(square(vectors), axes: [1])), shape)
    }

    /// A Maxwell number with a random sign, times `scale`, plus `location`.
    public func doubleSidedMaxwell(
        location: some TensorConvertible, scale: some TensorConvertible, _ shape: Shape? = nil,
        dtype: DType = .float32
    ) throws -> Tensor {
        let (shape, parameters) = try drawParameters("doubleSidedMaxwell", [location, scale], shape, dtype)
        let keys = try split()
        let signs = try keys[1].rademacher(shape, dtype: dtype)
        return try signs * keys[0].maxwell(shape, dtype: dtype) * parameters[1] + parameters[0]
    }

    /// Wald (inverse Gaussian) with scale 1, by Michael, Schucany and Haas (1976).
    public func wald(
        mean: some TensorConvertible, _ shape: Shape? = nil, dtype: DType = .float32
    ) throws -> Tensor {
        let (shape, parameters) = try drawParameters("wald", [mean], shape, dtype)
        let (mean, keys) = (parameters[0], try split())
        let y = try square(keys[0].normal(shape, dtype: dtype))
        let root = try sqrt(4 * mean * y + square(mean) * square(y))
        let x = try mean + square(mean) * y / 2 - mean / 2 * root
        let u = try keys[1].uniform(shape, dtype: dtype)
        return try select(lessEqual(u, mean / (mean + x)), x, square(mean) / x)
    }
}
