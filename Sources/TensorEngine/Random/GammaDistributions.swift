// The gamma distribution, drawn by rejection, and the distributions that are made of it.

extension PRNGKey {
    /// Gamma with shape parameter `a` > 0 and scale 1. For `a` far below 1 the numbers come close to 0, where `loggamma` is
    /// exact for longer. Differentiable by `a`, as are the distributions made of it.
    public func gamma(
        _ a: some TensorConvertible, _ shape: Shape? = nil, dtype: DType = .float32
    ) throws -> Tensor {
        try gammaNumbers("gamma", a, shape, dtype, isLogarithmic: false)
    }

    /// The logarithm of a gamma number.
    public func loggamma(
        _ a: some TensorConvertible, _ shape: Shape? = nil, dtype: DType = .float32
    ) throws -> Tensor {
        try gammaNumbers("loggamma", a, shape, dtype, isLogarithmic: true)
    }

    /// Beta on 0...1.
    public func beta(
        _ a: some TensorConvertible, _ b: some TensorConvertible, _ shape: Shape? = nil,
        dtype: DType = .float32
    ) throws -> Tensor {
        let (shape, parameters) = try drawParameters("beta", [a, b], shape, dtype)
        let keys = try split()
        // X / (X + Y) of two gamma numbers, scaled by the larger one so that neither vanishes.
        let x = try keys[0].loggamma(parameters[0], shape, dtype: dtype)
        let y = try keys[1].loggamma(parameters[1], shape, dtype: dtype)
        let larger = try maximum(x, y)
        let (first, second) = (try exp(x - larger), try exp(y - larger))
        return try first / (first + second)
    }

    /// Dirichlet: vectors of the last axis of `alpha` that sum to 1.
    ///
    /// - Parameter shape: the shape of the draw without the last axis; by default that of `alpha`.
    public func dirichlet(_ alpha: Tensor, _ shape: Shape? = nil, dtype: DType = .float32) throws -> Tensor {
        guard let size = alpha.shape.last else {
            throw TensorError(.shape, "dirichlet", expected: "alpha of rank 1 or more", got: "\(alpha.type)")
        }
        let batch = try drawShape("dirichlet", [Shape(alpha.shape.dropLast())], shape)
        return try softmax(loggamma(alpha, Shape(batch + [size]), dtype: dtype), axis: -1)
    }

    /// Chi-square with `df` degrees of freedom.
    public func chisquare(
        df: some TensorConvertible, _ shape: Shape? = nil, dtype: DType = .float32
    ) throws -> Tensor {
        let (shape, parameters) = try drawParameters("chisquare", [df], shape, dtype)
        return try exp(loggamma(parameters[0] / 2, shape, dtype: dtype)) * 2
    }

    /// Student's t with `df` degrees of freedom.
    public func t(
        df: some TensorConvertible, _ shape: Shape? = nil, dtype: DType = .float32
    ) throws -> Tensor {
        let (shape, parameters) = try drawParameters("t", [df], shape, dtype)
        let (keys, half) = (try split(), try parameters[0] / 2)
        let normals = try keys[0].normal(shape, dtype: dtype)
        return try normals * sqrt(half / keys[1].gamma(half, shape, dtype: dtype))
    }

    /// F with `dfNumerator` and `dfDenominator` degrees of freedom.
    public func f(
        dfNumerator: some TensorConvertible, dfDenominator: some TensorConvertible, _ shape: Shape? = nil,
        dtype: DType = .float32
    ) throws -> Tensor {
        let (shape, parameters) = try drawParameters("f", [dfNumerator, dfDenominator], shape, dtype)
        let keys = try split()
        let numerator = try keys[1].chisquare(df: parameters[0], shape, dtype: dtype) / parameters[0]
        return try numerator / (keys[0].chisquare(df: parameters[1], shape, dtype: dtype) / parameters[1])
    }

    /// Density proportional to exp(-|x|ᵖ).
    public func generalizedNormal(p: Double, _ shape: Shape = [], dtype: DType = .float32) throws -> Tensor {
        let keys = try split()
        let magnitude = try pow(keys[0].gamma(1 / p, shape, dtype: dtype), 1 / p)
        return try keys[1].rademacher(shape, dtype: dtype) * magnitude
    }

    /// Uniform in the unit ball of `dimension` dimensions under the norm (Σ|x|ᵖ)^(1/p) (Barthe et al. 2005), `[shape…, dimension]`.
    public func ball(
        dimension: Int, p: Double = 2, _ shape: Shape = [], dtype: DType = .float32
    ) throws -> Tensor {
        guard dimension >= 0 else {
            throw TensorError(.argument, "ball", expected: "a dimension of 0 or more", got: "\(dimension)")
        }
        let keys = try split()
        let direction = try keys[0].generalizedNormal(p: p, Shape(shape + [dimension]), dtype: dtype)
        let norm = try sum(pow(abs(direction), p), axes: [-1]) + keys[1].exponential(shape, dtype: dtype)
        return try direction / expandDims(pow(norm, 1 / p), axis: -1)
    }
}

// MARK: - One gamma number

extension PRNGKey {
    /// One number for each element of `a`, with a key for each, so that an element does not depend on the others.
    private func gammaNumbers(
        _ operation: String, _ a: some TensorConvertible, _ shape: Shape?, _ dtype: DType, isLogarithmic: Bool
    ) throws -> Tensor {
        let (shape, parameters) = try drawParameters(operation, [a], shape, dtype)
        let count = shape.elementCount
        if count == 0 { return parameters[0] }
        let drawAll = { @Sendable (inputs: [Tensor]) in
            try vmap { (words: Tensor, a: Tensor) in
                try gammaNumber(PRNGKey(data: words), a, isLogarithmic: isLogarithmic)
            }(inputs[0], inputs[1])
        }
        let draw = customJVP(drawAll) { inputs, tangents in
            let value = try drawAll(inputs)
            let smallest = value.dtype.smallestNormal
            let logarithm = try isLogarithmic ? value : log(maximum(value, smallest))
            let slope = try logGammaSlope(logarithm, inputs[1])
            return (value, try tangents[1] * (isLogarithmic ? slope : slope * value))
        }
        return try reshape(draw([splitData([count]), reshape(parameters[0], [count])]), shape)
    }
}

/// The derivative of a log-gamma number by its parameter `a`, at a fixed probability: -∂P(a, z)/∂a / z p(z), where P is the
/// distribution function and p its density (implicit reparametrisation, Figurnov et al. 2018).
private func logGammaSlope(_ logarithm: Tensor, _ parameter: Tensor) throws -> Tensor {
    // P is zᵃ e⁻ᶻ / Γ(a + 1) · Σ zᵏ / (a + 1)…(a + k); in the upper tail ∂P/∂a is a small difference, hence float64.
    let (logZ, given) = (try logarithm.astype(.float64), try parameter.astype(.float64))
    let largest = 1e4
    let a = try minimum(given, largest)
    let z = try exp(select(less(given, largest), logZ, zerosLike(logZ)))
    let one = try onesLike(a)
    let start = [try Tensor(Int32(0)), one, try zerosLike(a), one, try zerosLike(a)]
    let last = try whileLoop(
        { state in
            let isOpen = try greater(state[1], 1e-17 * state[3])
            return try and(less(state[0], 100_000), any(or(isOpen, greater(abs(state[2]), 1e-17 * state[3]))))
        },
        { state in
            let (term, slope) = (state[1], state[2])
            let k = try state[0] + 1
            let next = try a + k.astype(.float64)
            let nextTerm = try term * (z / next)
            let nextSlope = try (slope - term / next) * (z / next)
            return [k, nextTerm, nextSlope, try state[3] + nextTerm, try state[4] + nextSlope]
        }, initial: start)
    let exact = try -(last[4] + last[3] * (logZ - digamma(a + 1))) / a
    // Far out the number is a + √a n + (n² - 1) / 3 for a normal number n (Cornish and Fisher).
    let value = try exp(logZ)
    let root = try sqrt(given)
    let first = try (value - given) / root
    let normal = try first - (square(first) - 1) / (3 * root)
    let asymptotic = try (1 + normal / (2 * root)) / value
    return try select(less(given, largest), exact, asymptotic).astype(parameter.dtype)
}

/// One gamma number or its logarithm, by Marsaglia and Tsang, "A simple method for generating gamma variables" (2000).
private func gammaNumber(_ key: PRNGKey, _ a: Tensor, isLogarithmic: Bool) throws -> Tensor {
    let dtype = a.dtype
    func constant(_ value: Double) throws -> Tensor { try full([], value, dtype: dtype) }
    // The method is for a ≥ 1; below, X of a + 1 times U^(1/a) is the number for a.
    let needsNoBoost = try greaterEqual(a, 1)
    let d = try select(needsNoBoost, a, a + 1) - 1.0 / 3.0
    let c = try 1.0 / 3.0 / sqrt(d)
    let keys = try key.split()
    // The state: key, x², v³ and u of the last try; the first one is a try that is rejected.
    let first = [keys[0].data, try constant(0), try constant(1), try constant(2)]
    let last = try whileLoop(
        { state in
            let (x, v, u) = (state[1], state[2], state[3])
            return try and(
                greaterEqual(u, 1 - 0.0331 * (x * x)), greaterEqual(log(u), x * 0.5 + d * (1 - v + log(v))))
        },
        { state in
            let keys = try PRNGKey(data: state[0]).split(3)
            let drawn = try whileLoop(
                { state in try lessEqual(state[2], 0) },
                { state in
                    let keys = try PRNGKey(data: state[0]).split()
                    let x = try keys[1].normal([], dtype: dtype)
                    return [keys[0].data, x, try 1 + x * c]
                },
                initial: [keys[1].data, try constant(0), try constant(-1)])
            let (x, v) = (drawn[1], drawn[2])
            return [keys[0].data, try x * x, try v * v * v, try keys[2].uniform([], dtype: dtype)]
        }, initial: first)
    let v = last[2]
    if isLogarithmic {
        let logarithm = try -keys[1].exponential([], dtype: dtype)
        let boost = try select(
            or(needsNoBoost, equal(logarithm, 0)), constant(0), logarithm * (1 / a))
        return try log(d) + log(v) + boost
    }
    let u = try 1 - keys[1].uniform([], dtype: dtype)
    return try d * v * select(needsNoBoost, constant(1), pow(u, 1 / a))
}
