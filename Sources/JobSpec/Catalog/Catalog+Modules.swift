// Modules and activations, with linen's names, arguments and defaults.

extension Catalog {
    static let units = ParameterType.integer(1...1_000_000)

    private static let moduleName = Parameter.optional(
        "name", .text(.moduleName), "Name in the parameter tree; linen's automatic name if absent")

    static let modules: [CatalogEntry] = [
        CatalogEntry(
            .module, "Dense", "A linear transformation of the last dimension: x · kernel + bias",
            [
                .required("features", units, "Number of outputs"),
                .defaulted("use_bias", .boolean, true, "Whether to add a bias"),
                .defaulted(
                    "kernel_init", .typed([.initializer]), "lecun_normal",
                    "Initializer of kernel [inputs, features]"),
                .defaulted("bias_init", .typed([.initializer]), "zeros", "Initializer of bias [features]"),
                moduleName,
            ], planned: ["dtype", "param_dtype", "precision", "dot_general"]),
        CatalogEntry(
            .module, "Sequential", "Modules and activations, each applied to the result of the one before",
            [
                .required("layers", .typedList([.module, .activation], count: 1...1_000), "What is applied"),
                moduleName,
            ],
            check: { arguments, pointer, decoder in
                guard let layers = try? arguments.specs("layers") else { return }
                var seen: Set<String> = []
                for (index, layer) in layers.enumerated() {
                    guard let name = layer.arguments.optionalText("name"), !seen.insert(name).inserted else {
                        continue
                    }
                    decoder.report(
                        .conflict, pointer.appending("layers").appending(index).appending("name"),
                        "two layers of one Sequential are named \(name); give each its own name")
                }
            }),
        CatalogEntry(
            .module, "MLP", "Dense layers with an activation between them",
            [
                .required(
                    "features", .integers(count: 1...1_000, each: 1...1_000_000),
                    "Outputs of each Dense layer; the last is the output of the model"),
                .defaulted(
                    "activation", .typed([.activation]), "relu", "Between the layers; none after the last"),
                moduleName,
            ], planned: ["dropout_rate", "use_bias", "kernel_init", "bias_init"]),
    ]

    static let activations: [CatalogEntry] = [
        CatalogEntry(.activation, "relu", "max(x, 0)"),
        CatalogEntry(
            .activation, "leaky_relu", "x where x >= 0, else negative_slope · x",
            [.defaulted("negative_slope", .number(.any), 0.01, "Slope of the negative side")]),
        CatalogEntry(
            .activation, "elu", "x where x > 0, else alpha · (exp(x) - 1)",
            [.defaulted("alpha", .number(.any), 1.0, "Limit of the negative side is -alpha")]),
        CatalogEntry(
            .activation, "gelu", "x · Φ(x), Gaussian error linear unit",
            [.defaulted("approximate", .boolean, true, "The tanh approximation instead of erf")]),
        CatalogEntry(.activation, "silu", "x · sigmoid(x)"),
        CatalogEntry(.activation, "swish", "x · sigmoid(x), the same as silu"),
        CatalogEntry(.activation, "sigmoid", "1 / (1 + exp(-x))"),
        CatalogEntry(.activation, "tanh", "Hyperbolic tangent"),
        CatalogEntry(.activation, "softplus", "log(1 + exp(x))"),
        CatalogEntry(
            .activation, "softmax", "exp(x) divided by its sum over the axis",
            [.defaulted("axis", .integer(-8...7), -1, "Axis of the sum")]),
        CatalogEntry(
            .activation, "log_softmax", "Logarithm of softmax",
            [.defaulted("axis", .integer(-8...7), -1, "Axis of the sum")]),
    ]

    static let initializers: [CatalogEntry] = [
        CatalogEntry(.initializer, "lecun_normal", "Truncated normal with variance 1 / fan_in"),
        CatalogEntry(.initializer, "lecun_uniform", "Uniform with variance 1 / fan_in"),
        CatalogEntry(.initializer, "he_normal", "Truncated normal with variance 2 / fan_in"),
        CatalogEntry(.initializer, "he_uniform", "Uniform with variance 2 / fan_in"),
        CatalogEntry(
            .initializer, "glorot_normal", "Truncated normal with variance 2 / (fan_in + fan_out)"),
        CatalogEntry(.initializer, "glorot_uniform", "Uniform with variance 2 / (fan_in + fan_out)"),
        CatalogEntry(
            .initializer, "variance_scaling", "Variance scale / fan",
            [
                .required("scale", .number(.positive), "Factor of the variance"),
                .required(
                    "mode", .choice(["fan_in", "fan_out", "fan_avg"]), "Which number of units is the fan"),
                .required(
                    "distribution", .choice(["truncated_normal", "normal", "uniform"]),
                    "Shape of the distribution"),
            ]),
        CatalogEntry(
            .initializer, "normal", "Normal with mean 0",
            [.defaulted("stddev", .number(.nonnegative), 0.01, "Standard deviation")]),
        CatalogEntry(
            .initializer, "uniform", "Uniform from 0 to scale",
            [.defaulted("scale", .number(.any), 0.01, "Upper end")]),
        CatalogEntry(
            .initializer, "constant", "One value everywhere",
            [.required("value", .number(.any), "The value")]),
        CatalogEntry(.initializer, "zeros", "0 everywhere"),
        CatalogEntry(.initializer, "ones", "1 everywhere"),
    ]
}
