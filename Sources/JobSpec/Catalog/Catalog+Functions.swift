// Activations and initializers, with linen's names, arguments and defaults.

extension Catalog {
    static let activations: [CatalogEntry] = [
        CatalogEntry(.activation, "relu", "max(x, 0)"),
        CatalogEntry(
            .activation, "glu",
            "The first half along axis times the sigmoid of the second: half as many outputs",
            [.defaulted("axis", .integer(-8...7), -1, "The axis that is halved")]),
        CatalogEntry(.activation, "relu6", "min(max(x, 0), 6)"),
        CatalogEntry(
            .activation, "leaky_relu", "x where x >= 0, else negative_slope · x",
            [.defaulted("negative_slope", .number(.any), 0.01, "Slope of the negative side")]),
        CatalogEntry(
            .activation, "elu", "x where x > 0, else alpha · (exp(x) - 1)",
            [.defaulted("alpha", .number(.any), 1.0, "Limit of the negative side is -alpha")]),
        CatalogEntry(
            .activation, "celu", "x where x > 0, else alpha · (exp(x / alpha) - 1)",
            [.defaulted("alpha", .number(.positive), 1.0, "Limit of the negative side is -alpha")]),
        CatalogEntry(.activation, "selu", "elu, scaled so that deep networks normalize themselves"),
        CatalogEntry(
            .activation, "gelu", "x · Φ(x), Gaussian error linear unit",
            [.defaulted("approximate", .boolean, true, "The tanh approximation instead of erf")]),
        CatalogEntry(.activation, "silu", "x · sigmoid(x)"),
        CatalogEntry(.activation, "swish", "x · sigmoid(x), the same as silu"),
        CatalogEntry(.activation, "sigmoid", "1 / (1 + exp(-x))"),
        CatalogEntry(.activation, "log_sigmoid", "Logarithm of sigmoid"),
        CatalogEntry(.activation, "tanh", "Hyperbolic tangent"),
        CatalogEntry(.activation, "softplus", "log(1 + exp(x))"),
        CatalogEntry(.activation, "soft_sign", "x / (1 + |x|)"),
        CatalogEntry(.activation, "hard_sigmoid", "relu6(x + 3) / 6"),
        CatalogEntry(.activation, "hard_silu", "x · hard_sigmoid(x)"),
        CatalogEntry(.activation, "hard_swish", "x · hard_sigmoid(x), the same as hard_silu"),
        CatalogEntry(.activation, "hard_tanh", "x between -1 and 1"),
        CatalogEntry(.activation, "mish", "x · tanh(softplus(x))"),
        CatalogEntry(.activation, "squareplus", "(x + sqrt(x² + 4)) / 2"),
        CatalogEntry(
            .activation, "sparse_plus", "0, then a parabola, then x: softplus with a bounded middle"),
        CatalogEntry(.activation, "sparse_sigmoid", "(x + 1) / 2 between 0 and 1"),
        CatalogEntry(
            .activation, "softmax", "exp(x) divided by its sum over the axis",
            [.defaulted("axis", .integer(-8...7), -1, "Axis of the sum")]),
        CatalogEntry(
            .activation, "log_softmax", "Logarithm of softmax",
            [.defaulted("axis", .integer(-8...7), -1, "Axis of the sum")]),
    ]

    private static let kernelAxes: [Parameter] = [
        .defaulted("in_axis", .integer(-8...7), -2, "Axis of the inputs"),
        .defaulted("out_axis", .integer(-8...7), -1, "Axis of the outputs"),
    ]
    private static let columnAxis = Parameter.defaulted(
        "column_axis", .integer(-8...7), -1, "Axis of the columns")
    private static let gain = Parameter.defaulted("scale", .number(.any), 1.0, "Factor")

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
            ] + kernelAxes),
        CatalogEntry(
            .initializer, "normal", "Normal with mean 0",
            [.defaulted("stddev", .number(.nonnegative), 0.01, "Standard deviation")]),
        CatalogEntry(
            .initializer, "truncated_normal", "Normal with mean 0 between two bounds",
            [
                .defaulted("stddev", .number(.nonnegative), 0.01, "Standard deviation before it is cut off"),
                .defaulted("lower", .number(.any), -2.0, "Lower bound, in standard deviations"),
                .defaulted("upper", .number(.any), 2.0, "Upper bound, in standard deviations"),
            ]),
        CatalogEntry(
            .initializer, "uniform", "Uniform from 0 to scale",
            [.defaulted("scale", .number(.any), 0.01, "Upper end")]),
        CatalogEntry(.initializer, "orthogonal", "A random orthogonal matrix", [gain, columnAxis]),
        CatalogEntry(
            .initializer, "delta_orthogonal", "A convolution kernel with an orthogonal matrix at its centre",
            [gain, columnAxis]),
        CatalogEntry(
            .initializer, "constant", "One value everywhere",
            [.required("value", .number(.any), "The value")]),
        CatalogEntry(.initializer, "zeros", "0 everywhere"),
        CatalogEntry(.initializer, "ones", "1 everywhere"),
    ]
}
