// A language model of attention layers, ready made.
import TensorEngine

/// A decoder-only transformer with layer norms before each part and learned positions.
///
/// Input: tokens `[batch, time]`; output: logits `[batch, time, vocabulary]`, of which position t sees the tokens up to t. Submodules
/// `Embed_0`, `TransformerBlock_0`, …, `LayerNorm_0`, `Dense_0` and the parameter `pos_embedding` `[longest, features]`. In Flax:
///
///     x = Embed(vocabulary, features, embedding_init=normal(0.02))(tokens)
///     x = x + self.param("pos_embedding", normal(0.02), (longest, features))[:time]
///     x = Dropout(rate)(x)
///     for _ in range(layers): x = TransformerBlock(heads, mlp_features, rate)(x)
///     return Dense(vocabulary)(LayerNorm()(x))
public final class TransformerLM: Module, Layer {
    public let vocabulary: Int
    public let layers: Int
    public let heads: Int
    public let features: Int
    public let mlpFeatures: Int
    /// The longest sequence that the model has positions for.
    public let longest: Int
    public let dropoutRate: Double

    public init(
        vocabulary: Int, layers: Int, heads: Int, features: Int, mlpFeatures: Int, longest: Int,
        dropoutRate: Double = 0, name: String? = nil
    ) {
        self.vocabulary = vocabulary
        self.layers = layers
        self.heads = heads
        self.features = features
        self.mlpFeatures = mlpFeatures
        self.longest = longest
        self.dropoutRate = dropoutRate
        super.init(name: name)
    }

    public func forward(_ tokens: Tensor) throws -> Tensor {
        guard tokens.rank == 2, tokens.shape[1] <= longest else {
            throw ModuleError(
                .argument, className, expected: "tokens [batch, time] with a time of \(longest) at most",
                got: "\(tokens.shape)", fix: "Make the windows shorter, or the largest length larger.")
        }
        var x = try Embed(count: vocabulary, features: features, embeddingInitializer: .normal(stddev: 0.02))(
            tokens)
        let positions = try param("pos_embedding", .normal(stddev: 0.02), [longest, features])
        x = try x + slice(positions, axis: 0, 0..<tokens.shape[1])
        if dropoutRate > 0 { x = try Dropout(rate: dropoutRate)(x) }
        for _ in 0..<layers {
            x = try TransformerBlock(heads: heads, mlpFeatures: mlpFeatures, dropoutRate: dropoutRate)(x)
        }
        return try Dense(features: vocabulary)(LayerNorm()(x))
    }
}

/// Causal self-attention and a two-layer perceptron, each with a layer norm before it and beside a shortcut.
///
/// Input and output `[batch, time, features]`. Submodules `LayerNorm_0`, `MultiHeadDotProductAttention_0`, `LayerNorm_1`, `Dense_0`,
/// `Dense_1`. In Flax:
///
///     y = MultiHeadDotProductAttention(heads, dropout_rate=rate)(LayerNorm()(x), mask=make_causal_mask(x[..., 0]))
///     x = x + Dropout(rate)(y)
///     y = Dense(features)(Dropout(rate)(gelu(Dense(mlp_features)(LayerNorm()(x)))))
///     return x + Dropout(rate)(y)
public final class TransformerBlock: Module, Layer {
    public let heads: Int
    public let mlpFeatures: Int
    public let dropoutRate: Double

    public init(heads: Int, mlpFeatures: Int, dropoutRate: Double = 0, name: String? = nil) {
        self.heads = heads
        self.mlpFeatures = mlpFeatures
        self.dropoutRate = dropoutRate
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        let (batch, time, features) = (x.shape[0], x.shape[1], x.shape[2])
        let mask = try makeCausalMask(zeros([batch, time]))
        let attention = MultiHeadDotProductAttention(heads: heads, dropoutRate: dropoutRate)
        let x = try x + dropped(attention(LayerNorm()(x), mask: mask))
        let hidden = try dropped(gelu(Dense(features: mlpFeatures)(LayerNorm()(x))))
        return try x + dropped(Dense(features: features)(hidden))
    }

    private func dropped(_ x: Tensor) throws -> Tensor {
        dropoutRate > 0 ? try Dropout(rate: dropoutRate)(x) : x
    }
}
