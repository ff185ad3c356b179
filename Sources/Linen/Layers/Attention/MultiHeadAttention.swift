// Multi-head attention with its projections.
import TensorEngine

/// Attention in several heads: projects queries, keys and values, lets each head attend, and projects the result.
///
/// Queries `[batch…, queries, features]`, keys and values `[batch…, keys, features]`; output `[batch…, queries, outFeatures]`.
/// Submodules `query`, `key`, `value` (`DenseGeneral` to `[heads, head size]`) and `out` (`DenseGeneral` from both), with
/// `normalizeQK` also `query_ln` and `key_ln` (`LayerNorm`).
///
/// With `decode`, one position is given at a time, and the collection `cache` keeps what came before: `cached_key` and
/// `cached_value` `[batch…, length, heads, head size]` and `cache_index`. Initialize it with an input of the full length.
public class MultiHeadDotProductAttention: Module, Layer {
    public let heads: Int
    public let qkvFeatures: Int?
    public let outFeatures: Int?
    public let dropoutRate: Double
    public let deterministic: Bool?
    private let configuration: Configuration

    private struct Configuration {
        var dtype: DType?
        var paramDType: DType
        var broadcastDropout: Bool
        var kernelInitializer: Initializer
        var outKernelInitializer: Initializer
        var biasInitializer: Initializer
        var outBiasInitializer: Initializer
        var useBias: Bool
        var decode: Bool
        var normalizeQK: Bool
        var forceFloat32Softmax: Bool
    }

    /// - Parameters:
    ///   - dtype: the type to compute in; nil: what inputs and parameters promote to.
    ///   - qkvFeatures: the size of all heads together, a multiple of their number; nil: the queries' size.
    ///   - outFeatures: the size of the output; nil: the queries' size.
    ///   - broadcastDropout: drop the same weights in all examples and heads.
    ///   - dropoutRate: the fraction of the attention weights that is dropped in training; whether it is, is said here
    ///     (`deterministic`), in the call, or by `apply(…, training:)`.
    ///   - outKernelInitializer: for the output projection; nil: `kernelInitializer`.
    ///   - outBiasInitializer: for the output projection; nil: `biasInitializer`.
    public required init(
        heads: Int, dtype: DType? = nil, paramDType: DType = .float32, qkvFeatures: Int? = nil,
        outFeatures: Int? = nil, broadcastDropout: Bool = true, dropoutRate: Double = 0,
        deterministic: Bool? = nil, kernelInitializer: Initializer = .lecunNormal(),
        outKernelInitializer: Initializer? = nil, biasInitializer: Initializer = .zeros,
        outBiasInitializer: Initializer? = nil, useBias: Bool = true, decode: Bool = false,
        normalizeQK: Bool = false, forceFloat32Softmax: Bool = false, name: String? = nil
    ) {
        self.heads = heads
        self.qkvFeatures = qkvFeatures
        self.outFeatures = outFeatures
        self.dropoutRate = dropoutRate
        self.deterministic = deterministic
        configuration = Configuration(
            dtype: dtype, paramDType: paramDType, broadcastDropout: broadcastDropout,
            kernelInitializer: kernelInitializer,
            outKernelInitializer: outKernelInitializer ?? kernelInitializer, biasInitializer: biasInitializer,
            outBiasInitializer: outBiasInitializer ?? biasInitializer, useBias: useBias, decode: decode,
            normalizeQK: normalizeQK, forceFloat32Softmax: forceFloat32Softmax)
        super.init(name: name)
    }

    /// Self-attention.
    public final func forward(_ x: Tensor) throws -> Tensor {
        try attend(x, x, x, mask: nil, deterministic: nil, dropoutKey: nil, sowsWeights: false)
    }

    /// Attention of `query` to keys (nil: the queries' positions themselves) and values (nil: the keys').
    ///
    /// - Parameters:
    ///   - mask: where each query may look; broadcasts to `[batch…, heads, queries, keys]`.
    ///   - dropoutKey: for the dropout; nil: the next of the stream `dropout`.
    ///   - sowsWeights: keep the weights as the intermediate result `attention_weights`.
    public final func callAsFunction(
        _ query: Tensor, _ key: Tensor? = nil, _ value: Tensor? = nil, mask: Tensor? = nil,
        deterministic: Bool? = nil, dropoutKey: PRNGKey? = nil, sowsWeights: Bool = false
    ) throws -> Tensor {
        try mainCall(query) { query in
            guard key != nil || value == nil else {
                throw ModuleError(
                    .argument, className, expected: "keys with the values", got: "values alone",
                    fix: "For keys and values alike, give them as keys.")
            }
            return try attend(
                query, key ?? query, value ?? key ?? query, mask: mask, deterministic: deterministic,
                dropoutKey: dropoutKey, sowsWeights: sowsWeights)
        }
    }

    private func attend(
        _ queryInput: Tensor, _ keyInput: Tensor, _ valueInput: Tensor, mask: Tensor?, deterministic: Bool?,
        dropoutKey: PRNGKey?, sowsWeights: Bool
    ) throws -> Tensor {
        guard let width = queryInput.shape.last, queryInput.rank >= 2 else {
            throw ModuleError(
                .argument, className, expected: "queries [batch…, queries, features]",
                got: "\(queryInput.type)")
        }
        let total = qkvFeatures ?? width
        guard heads > 0, total % heads == 0, total > 0 else {
            throw ModuleError(
                .argument, className,
                expected: "qkvFeatures, \(total), to be a multiple of the number of heads",
                got: "\(heads) heads")
        }
        func projection(_ name: String) -> DenseGeneral {
            DenseGeneral(
                features: [heads, total / heads], useBias: configuration.useBias, dtype: configuration.dtype,
                paramDType: configuration.paramDType, kernelInitializer: configuration.kernelInitializer,
                biasInitializer: configuration.biasInitializer, name: name)
        }
        func norm(_ name: String) -> LayerNorm {
            LayerNorm(
                dtype: configuration.dtype, paramDType: configuration.paramDType, useBias: false, name: name)
        }
        var query = try projection("query")(queryInput)
        var key = try projection("key")(keyInput)
        var value = try projection("value")(valueInput)
        if configuration.normalizeQK {
            query = try norm("query_ln")(query)
            key = try norm("key_ln")(key)
        }
        var mask = mask
        if configuration.decode {
            (key, value, mask) = try withCache(query, key, value, mask)
        }
        var options = AttentionOptions(
            mask: mask, broadcastsDropout: configuration.broadcastDropout, dtype: configuration.dtype,
            forcesFloat32Softmax: configuration.forceFloat32Softmax, sower: sowsWeights ? self : nil)
        if dropoutRate > 0,
            try !mergeParam(
                "deterministic", self.deterministic, deterministic, fallback: isTraining.map { !$0 })
        {
            options.dropoutRate = dropoutRate
            options.dropoutKey = try dropoutKey ?? makeRNG("dropout")
        }
        let attended = try dotProductAttention(query, key, value, options)
        return try DenseGeneral(
            features: [outFeatures ?? width], axes: [-2, -1], useBias: configuration.useBias,
            dtype: configuration.dtype, paramDType: configuration.paramDType,
            kernelInitializer: configuration.outKernelInitializer,
            biasInitializer: configuration.outBiasInitializer, name: "out")(attended)
    }

    /// Puts the one position given into the cache; returns all positions up to it, and the mask that hides the rest.
    private func withCache(
        _ query: Tensor, _ key: Tensor, _ value: Tensor, _ mask: Tensor?
    ) throws -> (key: Tensor, value: Tensor, mask: Tensor?) {
        let isReady = try hasVariable("cache", "cached_key")
        let cachedKey = try variable("cache", "cached_key") { try zerosLike(key) }
        let cachedValue = try variable("cache", "cached_value") { try zerosLike(value) }
        let cacheIndex = try variable("cache", "cache_index") { try zeros([], dtype: .int32) }
        guard isReady else { return (key, value, mask) }
        let shape = try cachedKey.value.shape
        let time = shape.rank - 3
        let (batch, length) = (Array(shape.prefix(time)), shape[time])
        let expected = Shape(batch + [1] + shape.suffix(2))
        guard query.shape == expected else {
            throw ModuleError(
                .argument, className, expected: "one position at a time, a query of shape \(expected)",
                got: "\(query.shape)")
        }
        let index = try cacheIndex.value
        // A position beyond the end overwrites the last one, as dynamic_update_slice clamps.
        let place = try minimum(index, Swift.max(length - 1, 0))
        func updated(_ cache: ModuleVariable, _ new: Tensor) throws -> Tensor {
            let old = try cache.value
            let isHere = try equal(iota(.int32, shape: old.shape, dimension: time), place)
            let result = try select(isHere, broadcastTo(new.astype(old.dtype), old.shape), old)
            try cache.set(result)
            return result
        }
        let (allKeys, allValues) = (try updated(cachedKey, key), try updated(cachedValue, value))
        try cacheIndex.set(index + 1)
        let isPast = try lessEqual(arange(length), index)
        let past = try broadcastTo(isPast, Shape(batch + [1, 1, length]))
        return (allKeys, allValues, try combineMasks(mask, past))
    }
}

/// `MultiHeadDotProductAttention` under its other name, by which it is numbered.
public final class MultiHeadAttention: MultiHeadDotProductAttention {}

/// `MultiHeadDotProductAttention` of a sequence to itself, under a name of its own.
public final class SelfAttention: MultiHeadDotProductAttention {}
