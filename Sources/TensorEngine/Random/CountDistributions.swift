// Random counts: Poisson, binomial and multinomial numbers, drawn by loops until every element has its number.

extension PRNGKey {
    /// Poisson with mean `rate`: Knuth's product of uniform numbers below 10, Hörmann's transformed rejection (1993) from there.
    /// A rate that is NaN gives -1.
    public func poisson(
        _ rate: some TensorConvertible, _ shape: Shape? = nil, dtype: DType = .int32
    ) throws -> Tensor {
        try requireInteger(dtype, "poisson")
        let (shape, parameters) = try drawParameters("poisson", [rate], shape, .float32)
        let rate = parameters[0]
        let isSmall = try or(notEqual(rate, rate), less(rate, 10))
        let small = try poissonByProducts(select(isSmall, rate, zerosLike(rate)), shape)
        let large = try poissonByRejection(select(isSmall, full(shape, 1e5), rate), shape)
        let drawn = try select(isSmall, small, large)
        return try select(equal(rate, 0), zerosLike(rate), drawn).astype(dtype)
    }

    /// How many uniform numbers can be multiplied before the product falls below e^-rate.
    private func poissonByProducts(_ rate: Tensor, _ shape: Shape) throws -> Tensor {
        let state = [try Tensor(Int32(0)), data, try zerosLike(rate), try zerosLike(rate)]
        let last = try whileLoop(
            { state in
                try and(less(state[0], longestRejection), any(greater(state[3], -rate)))
            },
            { state in
                let keys = try PRNGKey(data: state[1]).split()
                let count = try select(greater(state[3], -rate), state[2] + 1, state[2])
                let logProduct = try state[3] + log(keys[1].uniform(shape))
                return [try state[0] + 1, keys[0].data, count, logProduct]
            }, initial: state)
        return try last[2] - 1
    }

    private func poissonByRejection(_ rate: Tensor, _ shape: Shape) throws -> Tensor {
        let logRate = try log(rate)
        let b = try 0.931 + 2.53 * sqrt(rate)
        let a = try -0.059 + 0.02483 * b
        let inverseAlpha = try 1.1239 + 1.1328 / (b - 3.4)
        let limit = try 0.9277 - 3.6224 / (b - 2)
        return try rejecting(try full(shape, -1)) { keys in
            let u = try keys.0.uniform(shape) - 0.5
            let v = try keys.1.uniform(shape)
            let distance = try 0.5 - abs(u)
            let k = try floor((2 * a / distance + b) * u + rate + 0.43)
            let s = try log(v * inverseAlpha / (a / (distance * distance) + b))
            let t = try -rate + k * logRate - lgamma(k + 1)
            let isInside = try and(greaterEqual(distance, 0.07), lessEqual(v, limit))
            let isOutside = try or(less(k, 0), and(less(distance, 0.013), greater(v, distance)))
            return (k, try or(isInside, and(logicalNot(isOutside), lessEqual(s, t))))
        }
    }

    /// Draws until every element was accepted once; each element keeps what was accepted last, as jax.random has it.
    private func rejecting(
        _ initial: Tensor,
        _ attempt: @escaping ((PRNGKey, PRNGKey)) throws -> (value: Tensor, isAccepted: Tensor)
    ) throws -> Tensor {
        let state = [
            try Tensor(Int32(0)), data, initial, try full(initial.shape, 0, dtype: .bool),
        ]
        return try whileLoop(
            { state in
                try and(less(state[0], longestRejection), any(logicalNot(state[3])))
            },
            { state in
                let keys = try PRNGKey(data: state[1]).split(3)
                let (value, isAccepted) = try attempt((keys[1], keys[2]))
                return [
                    try state[0] + 1, keys[0].data, try select(isAccepted, value, state[2]),
                    try or(state[3], isAccepted),
                ]
            }, initial: state)[2]
    }
}

/// Rounds after which a loop gives up, so that no parameter keeps it running for ever. With parameters that make sense an
/// element that is still open then has a probability far below 2⁻¹⁰⁰⁰.
private let longestRejection = 2000

// MARK: - Binomial and multinomial

extension PRNGKey {
    /// The number of successes in `count` trials that each succeed with `probability`, as floats: by geometric steps where few
    /// are expected, otherwise by Hörmann's transformed rejection (1993). NaN where a parameter makes no sense.
    public func binomial(
        _ count: some TensorConvertible, _ probability: some TensorConvertible, _ shape: Shape? = nil,
        dtype: DType = .float32
    ) throws -> Tensor {
        let (shape, parameters) = try drawParameters("binomial", [count, probability], shape, dtype)
        let (given, p) = (parameters[0], parameters[1])
        let isLikely = try greaterEqual(p, 0.5)
        let q = try select(isLikely, 1 - p, p)
        let isCountInvalid = try or(notEqual(given, given), less(given, 0))
        let isInvalid = try or(isCountInvalid, or(notEqual(q, q), less(q, 0)))
        let rare = try select(isInvalid, full(shape, 0.01, dtype: dtype), q)
        let isRare = try or(isCountInvalid, lessEqual(given * rare, 10))
        let count = try floor(given)
        let few = try binomialBySteps(select(isRare, count, zerosLike(count)), rare, shape)
        let many = try binomialByRejection(
            select(isRare, full(shape, 1e4, dtype: dtype), count),
            select(isRare, full(shape, 0.5, dtype: dtype), rare), shape)
        var drawn = try select(isRare, few, many)
        let isInfinite = try equal(given, Double.infinity)
        drawn = try select(and(isLikely, logicalNot(isInfinite)), count - drawn, drawn)
        drawn = try select(isInfinite, given, drawn)
        return try select(isInvalid, full(shape, .nan, dtype: dtype), drawn)
    }

    /// How many geometric numbers of `p` sum to at most `count`.
    private func binomialBySteps(_ count: Tensor, _ p: Tensor, _ shape: Shape) throws -> Tensor {
        let logFailure = try log1p(-p)
        let state = [try Tensor(Int32(0)), data, try zerosLike(p), try zerosLike(p)]
        let last = try whileLoop(
            { state in
                try and(less(state[0], longestRejection), any(lessEqual(state[3], count)))
            },
            { state in
                let keys = try PRNGKey(data: state[1]).split()
                let successes = try select(lessEqual(state[3], count), state[2] + 1, state[2])
                let step = try ceil(log(keys[0].uniform(shape, dtype: p.dtype)) / logFailure)
                return [try state[0] + 1, keys[1].data, successes, try state[3] + step]
            }, initial: state)
        return try last[2] - 1
    }

    private func binomialByRejection(_ n: Tensor, _ p: Tensor, _ shape: Shape) throws -> Tensor {
        let dtype = p.dtype
        let deviation = try sqrt(n * p * (1 - p))
        let b = try 1.15 + 2.53 * deviation
        let a = try -0.0873 + 0.0248 * b + 0.01 * p
        let c = try n * p + 0.5
        let limit = try 0.92 - 4.2 / b
        let odds = try p / (1 - p)
        let alpha = try (2.83 + 5.1 / b) * deviation
        let m = try floor((n + 1) * p)
        return try rejecting(try full(shape, -1, dtype: dtype)) { keys in
            let u = try keys.0.uniform(shape, dtype: dtype) - 0.5
            let v = try keys.1.uniform(shape, dtype: dtype)
            let distance = try 0.5 - abs(u)
            let k = try floor((2 * a / distance + b) * u + c)
            let isInside = try and(greaterEqual(distance, 0.07), lessEqual(v, limit))
            let isOutside = try or(less(k, 0), greater(k, n))
            let height = try log(v * alpha / (a / (distance * distance) + b))
            let modeTerm = try (m + 0.5) * log((m + 1) / (odds * (n - m + 1)))
            let failureTerm = try (n + 1) * log((n - m + 1) / (n - k + 1))
            let successTerm = try (k + 0.5) * log(odds * (n - k + 1) / (k + 1))
            let tails = try modeTerm + failureTerm + successTerm + stirlingTail(m) + stirlingTail(n - m)
            let bound = try tails - stirlingTail(k) - stirlingTail(n - k)
            return (k, try or(isInside, and(logicalNot(isOutside), lessEqual(height, bound))))
        }
    }

    /// How often each category of the last axis of `probabilities` comes in `count` trials: binomial numbers one after the
    /// other, each of the trials that are left.
    ///
    /// - Parameter shape: the shape of the result with its last axis of categories; by default that of `probabilities`.
    public func multinomial(
        _ count: some TensorConvertible, _ probabilities: Tensor, _ shape: Shape? = nil,
        dtype: DType = .float32
    ) throws -> Tensor {
        guard let categories = probabilities.shape.last, categories > 0 else {
            throw TensorError(
                .shape, "multinomial", expected: "probabilities with a last axis of categories",
                got: "\(probabilities.type)")
        }
        let type = probabilities.dtype.floating
        let shape = try drawShape("multinomial", [probabilities.shape], shape ?? probabilities.shape)
        let batch = Shape(shape.dropLast())
        let p = try moveAxis(broadcastTo(probabilities.astype(type), shape), from: -1, to: 0)
        let rest = try cumsum(p, axis: 0, reverse: true)
        let ratios = try clip(p / select(equal(rest, 0), onesLike(rest), rest), 0, 1)
        let all = try broadcastTo(count.tensor(beside: type).astype(type), batch)
        let counts = try scan(
            { (left: Tensor, slice: [Tensor]) in
                let drawn = try PRNGKey(data: slice[0]).binomial(left, slice[1], dtype: type)
                return (try left - drawn, drawn)
            }, initial: all, over: [splitData([categories]), ratios]
        ).results
        return try moveAxis(counts, from: 0, to: -1).astype(dtype)
    }
}

/// log k! minus Stirling's formula: exact up to 9; beyond, its series at 9, as jax.random has it (which rejects a little less
/// often than the exact value would).
private func stirlingTail(_ k: Tensor) throws -> Tensor {
    let exact: [Double] = [
        0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509, 0.0166446911898211,
        0.0138761288230707, 0.0118967099458917, 0.0104112652619720, 0.00925546218271273, 0.00833056343336287,
    ]
    let small = try clip(k, 0, 9)
    let next = try small + 1
    let squared = try next * next
    let series = try (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / squared) / squared) / next
    let table = try Tensor(exact).astype(k.dtype)
    return try select(lessEqual(k, 9), take(table, floor(small).astype(.int32)), series)
}
