// Layers that normalize their inputs or the weights of another layer.
import JobSpec
import Linen
import TensorEngine

extension ModelBuilder {
    static let normalizations: [ModuleBuilder] = [
        .init("BatchNorm") { a in
            BatchNorm(
                axes: try a.integers("axis"), momentum: try a.number("momentum"),
                epsilon: try a.number("epsilon"),
                dtype: try a.dtype, paramDType: try a.paramDType, useBias: try a.flag("use_bias"),
                useScale: try a.flag("use_scale"), biasInitializer: try a.initializer("bias_init"),
                scaleInitializer: try a.initializer("scale_init"), name: a.name)
        },
        .init("LayerNorm") { a in
            LayerNorm(
                epsilon: try a.number("epsilon"), dtype: try a.dtype, paramDType: try a.paramDType,
                useBias: try a.flag("use_bias"), useScale: try a.flag("use_scale"),
                biasInitializer: try a.initializer("bias_init"),
                scaleInitializer: try a.initializer("scale_init"),
                reductionAxes: try a.integers("reduction_axes"), featureAxes: try a.integers("feature_axes"),
                name: a.name)
        },
        .init("RMSNorm") { a in
            RMSNorm(
                epsilon: try a.number("epsilon"), dtype: try a.dtype, paramDType: try a.paramDType,
                useScale: try a.flag("use_scale"), scaleInitializer: try a.initializer("scale_init"),
                reductionAxes: try a.integers("reduction_axes"), featureAxes: try a.integers("feature_axes"),
                name: a.name)
        },
        .init("GroupNorm") { a in
            let size = a.optionalInteger("group_size")
            return GroupNorm(
                groups: a.optionalInteger("num_groups") ?? (size == nil ? 32 : nil), groupSize: size,
                epsilon: try a.number("epsilon"), dtype: try a.dtype, paramDType: try a.paramDType,
                useBias: try a.flag("use_bias"), useScale: try a.flag("use_scale"),
                biasInitializer: try a.initializer("bias_init"),
                scaleInitializer: try a.initializer("scale_init"),
                name: a.name)
        },
        .init("InstanceNorm") { a in
            InstanceNorm(
                epsilon: try a.number("epsilon"), dtype: try a.dtype, paramDType: try a.paramDType,
                useBias: try a.flag("use_bias"), useScale: try a.flag("use_scale"),
                biasInitializer: try a.initializer("bias_init"),
                scaleInitializer: try a.initializer("scale_init"),
                featureAxes: try a.integers("feature_axes"), name: a.name)
        },
        .init("SpectralNorm") { a in
            SpectralNorm(
                try a.builder.model(try a.inner("layer")), steps: try a.integer("n_steps"),
                epsilon: try a.number("epsilon"), errorOnNonMatrix: try a.flag("error_on_non_matrix"),
                name: a.name)
        },
        .init("WeightNorm") { a in
            WeightNorm(
                try a.builder.model(try a.inner("layer")), epsilon: try a.number("epsilon"),
                useScale: try a.flag("use_scale"), scaleInitializer: try a.initializer("scale_init"),
                featureAxes: try a.integers("feature_axes"), name: a.name)
        },
    ]
}
