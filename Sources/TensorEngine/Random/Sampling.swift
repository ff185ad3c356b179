// Drawing from what is given: permutations, choices, categories.
import Glibc

extension PRNGKey {
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

    /// Numbers of `0..<count`.
    ///
    /// - Parameters:
    ///   - replace: whether a number may come twice. Without, `shape` must not have more than `count` elements.
    ///   - probabilities: the probability of each number, `[count]`; nil is the same for all. They need not sum to 1. Without
    ///     replacement, at least as many must be above 0 as are drawn.
    /// - Returns: int32 of `shape`.
    public func choice(
        _ count: Int, _ shape: Shape = [], replace: Bool = true, probabilities: Tensor? = nil,
        mode: SamplingMode = .low
    ) throws -> Tensor {
        let draws = shape.elementCount
        guard count > 0 || draws == 0, count <= Int(Int32.max) else {
            throw TensorError(
                .argument, "choice", expected: "something to choose from, at most 2³¹ - 1", got: "\(count)")
        }
        guard replace || draws <= count else {
            throw TensorError(
                .argument, "choice", expected: "at most \(count) draws without replacement", got: "\(draws)",
                fix: "Pass replace: true, or draw fewer.")
        }
        if draws == 0 { return try zeros(shape, dtype: .int32) }
        guard let probabilities else {
            if replace { return try randint(shape, low: 0, high: count) }
            return try reshape(slice(permutation(count), axis: 0, 0..<draws), shape)
        }
        guard probabilities.shape == [count] else {
            throw TensorError(
                .shape, "choice", expected: "probabilities of shape [\(count)]", got: "\(probabilities.type)")
        }
        let p = try probabilities.astype(probabilities.dtype.floating)
        if replace {
            let cumulative = try cumsum(p)
            let total = try reshape(slice(cumulative, axis: 0, (count - 1)..<count), [])
            return try searchSorted(cumulative, total * (1 - uniform(shape, dtype: p.dtype)))
        }
        // The largest of log p + Gumbel noise are a draw without replacement (T. Vieira, "Gumbel-max trick", 2014).
        let noisy = try gumbel([count], dtype: p.dtype, mode: mode) + log(p)
        return try reshape(largest(draws, noisy), shape)
    }

    /// Slices of `x` along `axis`, which in the result is replaced by `shape`; otherwise as `choice(_:_:)`.
    public func choice(
        from x: Tensor, _ shape: Shape = [], replace: Bool = true, probabilities: Tensor? = nil,
        axis: Int = 0,
        mode: SamplingMode = .low
    ) throws -> Tensor {
        let axis = try x.shape.normalized(axis: axis, for: "choice")
        let indices = try choice(
            x.shape[axis], shape, replace: replace, probabilities: probabilities, mode: mode)
        return try take(x, indices, axis: axis)
    }

    /// Numbers of the categories along `axis` of `logits`, whose probabilities are `softmax(logits, axis)`.
    ///
    /// - Parameters:
    ///   - shape: ends in the shape of `logits` without `axis`, or what that broadcasts to; the dimensions before count
    ///     draws. By default one draw of each distribution.
    ///   - replace: whether the draws of one distribution may repeat a category.
    /// - Returns: int32 of `shape`.
    public func categorical(
        _ logits: Tensor, axis: Int = -1, shape: Shape? = nil, replace: Bool = true, mode: SamplingMode = .low
    ) throws -> Tensor {
        let axis = try logits.shape.normalized(axis: axis, for: "categorical")
        try requireFloat(logits.dtype, "categorical")
        let batch = logits.shape.removing(axes: [axis])
        let shape = try drawShape("categorical", [batch], shape)
        let (prefix, categories) = (Array(shape.dropLast(batch.rank)), logits.shape[axis])
        if replace {
            var drawn = Array(shape.suffix(batch.rank))
            drawn.insert(categories, at: axis)
            let noisy = try gumbel(Shape(prefix + drawn), dtype: logits.dtype, mode: mode) + logits
            return try argmax(noisy, axis: prefix.count + axis)
        }
        let draws = Shape(prefix).elementCount
        guard draws <= categories, shape.suffix(batch.rank).elementsEqual(batch) else {
            throw TensorError(
                .argument, "categorical",
                expected:
                    "a shape of at most \(categories) draws without replacement, then the batch \(batch)",
                got: "\(shape)", fix: "Pass replace: true, or draw fewer.")
        }
        let noisy = try gumbel(logits.shape, dtype: logits.dtype, mode: mode) + logits
        let drawn = try largest(draws, moveAxis(noisy, from: axis, to: -1))
        return try reshape(moveAxis(drawn, from: -1, to: 0), shape)
    }
}

/// The indices of the `count` largest elements along the last axis, largest first.
private func largest(_ count: Int, _ x: Tensor) throws -> Tensor {
    try slice(argsort(x, axis: -1, descending: true), axis: -1, 0..<count)
}
