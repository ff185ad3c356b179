// Normalizations and attention from the module specs of golden cases.
import JobSpec
import Linen
import TensorEngine

/// The constructor arguments of a module in a case.
struct ModuleParameters {
    let type: String
    let arguments: JSONValue
    let name: String?

    func boolean(_ key: String, _ fallback: Bool) -> Bool { arguments[key]?.boolValue ?? fallback }
    func integer(_ key: String) -> Int? { arguments[key]?.intValue }
    func number(_ key: String, _ fallback: Double) -> Double { arguments[key]?.doubleValue ?? fallback }
    func list(_ key: String) -> [Int]? {
        arguments[key].flatMap { $0.integers ?? $0.intValue.map { [$0] } }
    }
    func initializer(_ key: String, _ fallback: Initializer) throws -> Initializer {
        try arguments[key]?.initializer() ?? fallback
    }
    func dtype(_ key: String) throws -> DType? { try arguments[key]?.dtype() }
    func activation(_ key: String, _ fallback: Activation) throws -> Activation {
        try arguments[key].map(SpecModule.activation) ?? fallback
    }
    var paramDType: DType { get throws { try dtype("param_dtype") ?? .float32 } }

    func only(_ known: [String]) throws {
        for key in arguments.objectValue?.keys ?? [] where !known.contains(key) {
            throw NotBuilt("\(type)(\(key):)")
        }
    }

    /// The module in `{"$module": …}`.
    func module(_ key: String) throws -> SpecModule {
        try SpecModule.build(try arguments.member(key).member("$module"))
    }

    /// The module in `{"$module": …}` as a layer.
    func layer(_ key: String) throws -> any Layer<Tensor, Tensor> {
        guard let layer = try module(key).module as? any Layer<Tensor, Tensor> else {
            throw NotBuilt("\(type) of a module that is no layer")
        }
        return layer
    }
}

// MARK: - Normalizations

extension ModuleParameters {
    private static let shared = [
        "epsilon", "dtype", "param_dtype", "use_bias", "use_scale", "bias_init", "scale_init",
        "use_fast_variance", "force_float32_reductions",
    ]

    func normalization() throws -> SpecModule? {
        switch type {
        case "BatchNorm":
            try only(ModuleParameters.shared + ["use_running_average", "axis", "momentum"])
            let norm = BatchNorm(
                useRunningAverage: arguments["use_running_average"]?.boolValue, axes: list("axis") ?? [-1],
                momentum: number("momentum", 0.99), epsilon: number("epsilon", 1e-5),
                dtype: try dtype("dtype"),
                paramDType: try paramDType, useBias: boolean("use_bias", true),
                useScale: boolean("use_scale", true),
                biasInitializer: try initializer("bias_init", .zeros),
                scaleInitializer: try initializer("scale_init", .ones),
                useFastVariance: boolean("use_fast_variance", true),
                forceFloat32Reductions: boolean("force_float32_reductions", true), name: name)
            var result = SpecModule(norm) { call in
                try call.only("use_running_average", "mask")
                return .tensor(
                    try norm(
                        call.one(type), useRunningAverage: call.flag("use_running_average"),
                        mask: call.tensor("mask")))
            }
            result.lifted = .layer(norm)
            return result
        case "LayerNorm":
            try only(ModuleParameters.shared + ["reduction_axes", "feature_axes"])
            let norm = LayerNorm(
                epsilon: number("epsilon", 1e-6), dtype: try dtype("dtype"), paramDType: try paramDType,
                useBias: boolean("use_bias", true), useScale: boolean("use_scale", true),
                biasInitializer: try initializer("bias_init", .zeros),
                scaleInitializer: try initializer("scale_init", .ones),
                reductionAxes: list("reduction_axes") ?? [-1], featureAxes: list("feature_axes") ?? [-1],
                useFastVariance: boolean("use_fast_variance", true), name: name)
            return masked(norm) { try norm($0, mask: $1) }
        case "RMSNorm":
            try only(ModuleParameters.shared + ["reduction_axes", "feature_axes"])
            let norm = RMSNorm(
                epsilon: number("epsilon", 1e-6), dtype: try dtype("dtype"), paramDType: try paramDType,
                useScale: boolean("use_scale", true), scaleInitializer: try initializer("scale_init", .ones),
                reductionAxes: list("reduction_axes") ?? [-1], featureAxes: list("feature_axes") ?? [-1],
                name: name)
            return masked(norm) { try norm($0, mask: $1) }
        case "GroupNorm":
            try only(ModuleParameters.shared + ["num_groups", "group_size", "reduction_axes"])
            let norm = GroupNorm(
                groups: arguments["num_groups"]?.isNull == true ? nil : integer("num_groups") ?? 32,
                groupSize: integer("group_size"), epsilon: number("epsilon", 1e-6), dtype: try dtype("dtype"),
                paramDType: try paramDType, useBias: boolean("use_bias", true),
                useScale: boolean("use_scale", true),
                biasInitializer: try initializer("bias_init", .zeros),
                scaleInitializer: try initializer("scale_init", .ones), reductionAxes: list("reduction_axes"),
                useFastVariance: boolean("use_fast_variance", true), name: name)
            return masked(norm) { try norm($0, mask: $1) }
        case "InstanceNorm":
            try only(ModuleParameters.shared + ["feature_axes"])
            let norm = InstanceNorm(
                epsilon: number("epsilon", 1e-6), dtype: try dtype("dtype"), paramDType: try paramDType,
                useBias: boolean("use_bias", true), useScale: boolean("use_scale", true),
                biasInitializer: try initializer("bias_init", .zeros),
                scaleInitializer: try initializer("scale_init", .ones),
                featureAxes: list("feature_axes") ?? [-1],
                useFastVariance: boolean("use_fast_variance", true), name: name)
            return masked(norm) { try norm($0, mask: $1) }
        case "WeightNorm":
            try only([
                "layer_instance", "epsilon", "dtype", "param_dtype", "use_scale", "scale_init",
                "feature_axes",
            ])
            return SpecModule(
                WeightNorm(
                    try layer("layer_instance"), epsilon: number("epsilon", 1e-12), dtype: try dtype("dtype"),
                    paramDType: try paramDType, useScale: boolean("use_scale", true),
                    scaleInitializer: try initializer("scale_init", .ones),
                    featureAxes: list("feature_axes") ?? [-1], name: name))
        case "SpectralNorm":
            try only([
                "layer_instance", "n_steps", "epsilon", "dtype", "param_dtype", "error_on_non_matrix",
                "collection_name",
            ])
            let norm = SpectralNorm(
                try layer("layer_instance"), steps: integer("n_steps") ?? 1,
                epsilon: number("epsilon", 1e-12),
                dtype: try dtype("dtype"), paramDType: try paramDType,
                errorOnNonMatrix: boolean("error_on_non_matrix", false),
                collection: arguments["collection_name"]?.stringValue ?? "batch_stats", name: name)
            return SpecModule(norm) { call in
                try call.only("update_stats")
                guard let updates = call.flag("update_stats") else { throw ParityMismatch("no update_stats") }
                return .tensor(try norm(call.one(type), updateStats: updates))
            }
        default: return nil
        }
    }

    private func masked(
        _ layer: any Layer<Tensor, Tensor>, _ call: @escaping (Tensor, Tensor?) throws -> Tensor
    ) -> SpecModule {
        var result = SpecModule(layer) { arguments in
            try arguments.only("mask")
            return .tensor(try call(arguments.one(type), arguments.tensor("mask")))
        }
        result.lifted = .layer(layer)
        return result
    }
}

// MARK: - Attention

extension ModuleParameters {
    func attention() throws -> SpecModule? {
        let types: [String: MultiHeadDotProductAttention.Type] = [
            "MultiHeadDotProductAttention": MultiHeadDotProductAttention.self,
            "MultiHeadAttention": MultiHeadAttention.self, "SelfAttention": SelfAttention.self,
        ]
        guard let kind = types[type] else { return nil }
        try only([
            "num_heads", "dtype", "param_dtype", "qkv_features", "out_features", "broadcast_dropout",
            "dropout_rate", "deterministic", "kernel_init", "out_kernel_init", "bias_init", "out_bias_init",
            "use_bias", "decode", "normalize_qk", "force_fp32_for_softmax",
        ])
        let attention = kind.init(
            heads: integer("num_heads") ?? 0, dtype: try dtype("dtype"), paramDType: try paramDType,
            qkvFeatures: integer("qkv_features"), outFeatures: integer("out_features"),
            broadcastDropout: boolean("broadcast_dropout", true), dropoutRate: number("dropout_rate", 0),
            deterministic: arguments["deterministic"]?.boolValue,
            kernelInitializer: try initializer("kernel_init", .lecunNormal()),
            outKernelInitializer: try arguments["out_kernel_init"]?.initializer(),
            biasInitializer: try initializer("bias_init", .zeros),
            outBiasInitializer: try arguments["out_bias_init"]?.initializer(),
            useBias: boolean("use_bias", true), decode: boolean("decode", false),
            normalizeQK: boolean("normalize_qk", false),
            forceFloat32Softmax: boolean("force_fp32_for_softmax", false), name: name)
        return SpecModule(attention) { call in
            try call.only("mask", "deterministic", "sow_weights")
            let inputs = call.inputs.compactMap(\.tensor)
            guard let query = inputs.first, inputs.count == call.inputs.count, inputs.count <= 3 else {
                throw ParityMismatch("\(type) takes one to three tensors")
            }
            return .tensor(
                try attention(
                    query, inputs.count > 1 ? inputs[1] : nil, inputs.count > 2 ? inputs[2] : nil,
                    mask: call.tensor("mask"), deterministic: call.flag("deterministic"),
                    sowsWeights: call.flag("sow_weights") ?? false))
        }
    }
}
