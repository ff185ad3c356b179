// The attention function: weighted means of values, with weights by how well queries and keys agree.
import TensorEngine

/// How `dotProductAttention` computes.
public struct AttentionOptions {
    /// Added to the logits; broadcasts to `[batch…, heads, queries, keys]`.
    public var bias: Tensor?
    /// Where a query may look; broadcasts to `[batch…, heads, queries, keys]`.
    public var mask: Tensor?
    /// The fraction of the weights to set to 0; 0 is none.
    public var dropoutRate: Double
    /// Needed with a `dropoutRate`.
    public var dropoutKey: PRNGKey?
    /// Drop the same pairs for all heads and examples.
    public var broadcastsDropout: Bool
    /// The type to compute in; nil: what the inputs promote to.
    public var dtype: DType?
    /// Weights in float32 whatever the type is.
    public var forcesFloat32Softmax: Bool
    /// Keeps the weights as the intermediate result `attention_weights` of this module.
    public var sower: Module?

    public init(
        bias: Tensor? = nil, mask: Tensor? = nil, dropoutRate: Double = 0, dropoutKey: PRNGKey? = nil,
        broadcastsDropout: Bool = true, dtype: DType? = nil, forcesFloat32Softmax: Bool = false,
        sower: Module? = nil
    ) {
        self.bias = bias
        self.mask = mask
        self.dropoutRate = dropoutRate
        self.dropoutKey = dropoutKey
        self.broadcastsDropout = broadcastsDropout
        self.dtype = dtype
        self.forcesFloat32Softmax = forcesFloat32Softmax
        self.sower = sower
    }
}

/// softmax(query · key / √depth): `[batch…, heads, queries, keys]` of `query` `[batch…, queries, heads, depth]` and `key`
/// `[batch…, keys, heads, depth]`.
public func dotProductAttentionWeights(
    _ query: Tensor, _ key: Tensor, _ options: AttentionOptions = AttentionOptions()
) throws -> Tensor {
    guard query.rank == key.rank, query.rank >= 3,
        query.shape.dropLast(3).elementsEqual(key.shape.dropLast(3)),
        query.shape.suffix(2).elementsEqual(key.shape.suffix(2))
    else {
        throw ModuleError(
            .argument, "dotProductAttentionWeights",
            expected: "[batch…, queries, heads, depth] and [batch…, keys, heads, depth]",
            got: "\(query.type) and \(key.type)")
    }
    let operands = try promoted([query, key], to: options.dtype)
    let dtype = operands[0].dtype
    let rank = query.rank
    let depth = try full([], Double(query.shape[rank - 1]).squareRoot(), dtype: .float32).astype(dtype)
    let batch = Array(0..<(rank - 3)) + [rank - 2]
    var weights = try dotGeneral(
        operands[0] / depth, operands[1], contracting: ([rank - 1], [rank - 1]), batch: (batch, batch))
    if let bias = options.bias { weights = try weights + bias }
    if let mask = options.mask {
        let isSeen = try mask.astype(.bool)
        guard isSeen.rank <= rank,
            zip(isSeen.shape.reversed(), weights.shape.reversed()).allSatisfy({
                $0 == 1 || $0 == $1
            })
        else {
            throw ModuleError(
                .argument, "dotProductAttentionWeights",
                expected: "a mask that broadcasts to the weights, \(weights.shape)", got: "\(mask.type)")
        }
        let lowest = try full([], -dtype.largestFinite, dtype: weights.dtype)
        weights = try select(isSeen, weights, lowest)
    }
    weights =
        options.forcesFloat32Softmax
        ? try softmax(weights.astype(.float32)) : try softmax(weights).astype(dtype)
    try options.sower?.sow("intermediates", "attention_weights", weights)
    return try dropped(weights, options, dtype)
}

/// The mean of the values for each query, weighted by `dotProductAttentionWeights`: `[batch…, queries, heads, value depth]`.
///
/// - Parameter value: `[batch…, keys, heads, value depth]`.
public func dotProductAttention(
    _ query: Tensor, _ key: Tensor, _ value: Tensor, _ options: AttentionOptions = AttentionOptions()
) throws -> Tensor {
    guard value.rank == key.rank, value.rank >= 3, value.shape.dropLast().elementsEqual(key.shape.dropLast())
    else {
        throw ModuleError(
            .argument, "dotProductAttention",
            expected: "keys and values [batch…, keys, heads, depth] alike but for the depth",
            got: "\(key.type) and \(value.type)")
    }
    let operands = try promoted([query, key, value], to: options.dtype)
    var options = options
    options.dtype = operands[0].dtype
    let weights = try dotProductAttentionWeights(operands[0], operands[1], options)
    let rank = value.rank
    let outer = Array(0..<(rank - 3))
    // [batch…, heads, queries, depth], then the heads moved beside the depth.
    let result = try dotGeneral(
        weights, operands[2], contracting: ([rank - 1], [rank - 3]),
        batch: (outer + [rank - 3], outer + [rank - 2]))
    return try moveAxis(result, from: rank - 3, to: rank - 2)
}

private func dropped(_ weights: Tensor, _ options: AttentionOptions, _ dtype: DType) throws -> Tensor {
    guard options.dropoutRate > 0 else { return weights }
    guard options.dropoutRate <= 1, let key = options.dropoutKey else {
        throw ModuleError(
            .argument, "dotProductAttentionWeights", expected: "a dropout rate in 0...1, and a key for it",
            got: "\(options.dropoutRate) \(options.dropoutKey == nil ? "without" : "with") a key")
    }
    let kept = 1 - options.dropoutRate
    let rank = weights.rank
    let shape = Shape(
        weights.shape.enumerated().map {
            options.broadcastsDropout && $0.offset < rank - 2 ? 1 : $0.element
        })
    let factor = try key.bernoulli(kept, shape).astype(dtype) / full([], kept, dtype: dtype)
    return try weights * factor
}
