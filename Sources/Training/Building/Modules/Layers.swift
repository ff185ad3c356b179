// Dense layers, embeddings, convolutions and attention.
import JobSpec
import Linen
import TensorEngine

extension ModelBuilder {
    static let denseLayers: [ModuleBuilder] = [
        .init("Dense") { a in
            Dense(
                features: try a.integer("features"), useBias: try a.flag("use_bias"), dtype: try a.dtype,
                paramDType: try a.paramDType, kernelInitializer: try a.initializer("kernel_init"),
                biasInitializer: try a.initializer("bias_init"), name: a.name)
        },
        .init("DenseGeneral") { a in
            DenseGeneral(
                features: try a.integers("features"), axes: try a.integers("axis"),
                batchAxes: try a.integers("batch_dims"), useBias: try a.flag("use_bias"), dtype: try a.dtype,
                paramDType: try a.paramDType, kernelInitializer: try a.initializer("kernel_init"),
                biasInitializer: try a.initializer("bias_init"), name: a.name)
        },
        .init("Einsum") { a in
            Einsum(
                shape: Shape(try a.integers("shape")), try a.text("einsum_str"),
                useBias: try a.flag("use_bias"),
                dtype: try a.dtype, paramDType: try a.paramDType,
                kernelInitializer: try a.initializer("kernel_init"),
                biasInitializer: try a.initializer("bias_init"), name: a.name)
        },
        .init("Embed") { a in
            Embed(
                count: try a.tokens("num_embeddings"), features: try a.integer("features"),
                dtype: try a.dtype,
                paramDType: try a.paramDType, embeddingInitializer: try a.initializer("embedding_init"),
                name: a.name)
        },
        .init("Dropout") { a in
            Dropout(rate: try a.number("rate"), broadcastAxes: try a.integers("broadcast_dims"), name: a.name)
        },
        .init("PReLU") { a in PReLU(initialSlope: try a.number("negative_slope_init"), name: a.name) },
    ]

    static let convolutions: [ModuleBuilder] = [
        .init("Conv") { a in
            let kernel = try a.integers("kernel_size")
            return Conv(
                features: try a.integer("features"), kernelSize: kernel,
                strides: a.optionalIntegers("strides"),
                padding: try a.convPadding(rank: kernel.count),
                inputDilation: a.optionalIntegers("input_dilation"),
                kernelDilation: a.optionalIntegers("kernel_dilation"),
                featureGroupCount: try a.integer("feature_group_count"), useBias: try a.flag("use_bias"),
                dtype: try a.dtype, paramDType: try a.paramDType,
                kernelInitializer: try a.initializer("kernel_init"),
                biasInitializer: try a.initializer("bias_init"), name: a.name)
        },
        .init("ConvLocal") { a in
            let kernel = try a.integers("kernel_size")
            return ConvLocal(
                features: try a.integer("features"), kernelSize: kernel,
                strides: a.optionalIntegers("strides"),
                padding: try a.convPadding(rank: kernel.count),
                inputDilation: a.optionalIntegers("input_dilation"),
                kernelDilation: a.optionalIntegers("kernel_dilation"), useBias: try a.flag("use_bias"),
                dtype: try a.dtype, paramDType: try a.paramDType,
                kernelInitializer: try a.initializer("kernel_init"),
                biasInitializer: try a.initializer("bias_init"), name: a.name)
        },
        .init("ConvTranspose") { a in
            let kernel = try a.integers("kernel_size")
            return ConvTranspose(
                features: try a.integer("features"), kernelSize: kernel,
                strides: a.optionalIntegers("strides"),
                padding: try a.convPadding(rank: kernel.count),
                kernelDilation: a.optionalIntegers("kernel_dilation"),
                useBias: try a.flag("use_bias"), transposeKernel: try a.flag("transpose_kernel"),
                dtype: try a.dtype, paramDType: try a.paramDType,
                kernelInitializer: try a.initializer("kernel_init"),
                biasInitializer: try a.initializer("bias_init"), name: a.name)
        },
    ]

    static let attentions: [ModuleBuilder] = [
        .init("MultiHeadDotProductAttention") { try attention($0, MultiHeadDotProductAttention.self) },
        .init("MultiHeadAttention") { try attention($0, MultiHeadAttention.self) },
        .init("SelfAttention") { try attention($0, SelfAttention.self) },
    ]

    private static func attention(
        _ a: ModuleArguments, _ type: MultiHeadDotProductAttention.Type
    ) throws -> Model {
        let attention = type.init(
            heads: try a.integer("num_heads"), dtype: try a.dtype, paramDType: try a.paramDType,
            qkvFeatures: a.optionalInteger("qkv_features"), outFeatures: a.optionalInteger("out_features"),
            broadcastDropout: try a.flag("broadcast_dropout"), dropoutRate: try a.number("dropout_rate"),
            kernelInitializer: try a.initializer("kernel_init"),
            biasInitializer: try a.initializer("bias_init"),
            useBias: try a.flag("use_bias"), normalizeQK: try a.flag("normalize_qk"), name: a.name)
        return try a.flag("causal") ? CausalAttention(attention, name: a.name) : attention
    }
}
