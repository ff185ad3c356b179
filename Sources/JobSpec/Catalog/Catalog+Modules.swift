// Modules with linen's names, arguments and defaults.

extension Catalog {
    static let units = ParameterType.integer(1...1_000_000)
    static let moduleName = Parameter.optional(
        "name", .text(.moduleName), "Name in the parameter tree; linen's automatic name if absent")
    static let layer = ParameterType.typed([.module, .activation])

    static let features = Parameter.required("features", units, "Number of outputs")
    static let useBias = Parameter.defaulted("use_bias", .boolean, true, "Whether to add a bias")
    static let useScale = Parameter.defaulted("use_scale", .boolean, true, "Whether to multiply by a scale")
    static let kernelInit = initializer("kernel_init", "lecun_normal", "Initializer of the kernel")
    static let biasInit = initializer("bias_init", "zeros", "Initializer of the bias")
    static let scaleInit = initializer("scale_init", "ones", "Initializer of the scale")
    static let axes = ParameterType.integers(count: 1...8, each: -8...7)
    static let sizes = ParameterType.integers(count: 1...6, each: 1...1_000_000)
    static let windowSizes = ParameterType.integers(count: 1...3, each: 1...10_000)
    private static let floatTypes = ParameterType.choice(["float32", "bfloat16", "float16"])
    static let dtypes: [Parameter] = [
        .optional("dtype", floatTypes, "Type to compute in; that of input and parameters if absent"),
        .defaulted("param_dtype", floatTypes, "float32", "Type that parameters are kept in"),
    ]
    static func initializer(_ name: String, _ value: JSONValue, _ doc: String) -> Parameter {
        .defaulted(name, .typed([.initializer]), value, doc)
    }
    static func rate(_ doc: String) -> Parameter {
        .defaulted("dropout_rate", .number(.range(0, 1)), 0.0, doc)
    }

    static let modules: [CatalogEntry] =
        containers + denseLayers + convolutions + normalizations + attentions + recurrentLayers + presets

    private static let containers: [CatalogEntry] = [
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
            .module, "Residual", "body(x) + shortcut(x); body(x) + x without a shortcut",
            [
                .required("body", layer, "What is added to the input"),
                .optional("shortcut", layer, "What the input passes on its way beside the body"), moduleName,
            ]),
        CatalogEntry(
            .module, "Parallel", "Several modules on one input, whose results are put together",
            [
                .required("branches", .typedList([.module, .activation], count: 1...100), "The modules"),
                .defaulted(
                    "combine", .choice(["add", "concatenate"]), "add", "How the results are put together"),
                .defaulted("axis", .integer(-8...7), -1, "Axis of the concatenation"), moduleName,
            ]),
        CatalogEntry(
            .module, "Repeat", "One module after the other, all alike, each with parameters of its own",
            [
                .required("times", .integer(1...1_000), "How many"), .required("body", layer, "The module"),
                moduleName,
            ]),
        CatalogEntry(
            .module, "Function", "A function without parameters",
            [
                .required(
                    "function",
                    .choice(["flatten", "reshape", "mean", "max", "transpose", "max_pool", "avg_pool"]),
                    "flatten and reshape keep the batch; mean and max reduce axes; pools take windows of [batch, spatial…, features]"
                ),
                .optional(
                    "shape", .integers(count: 1...7, each: 1...1_000_000),
                    "Shape behind the batch, for reshape"),
                .optional(
                    "axes", axes, "Axes of mean and max, or the order of transpose; the batch is axis 0"),
                .optional("window_shape", windowSizes, "Window of a pool"),
                .optional("strides", windowSizes, "Distance of two windows; 1 if absent, as in linen"),
                .defaulted("padding", .padding, "VALID", "Padding of a pool"), moduleName,
            ], check: checkFunction),
    ]

    private static let checkFunction: @Sendable (Arguments, JSONPointer, SpecDecoder) -> Void = {
        arguments, pointer, decoder in
        guard let function = arguments.optionalText("function") else { return }
        let needed = [
            "reshape": "shape", "mean": "axes", "max": "axes", "transpose": "axes",
            "max_pool": "window_shape",
            "avg_pool": "window_shape",
        ][function]
        for name in ["shape", "axes", "window_shape"] {
            let isGiven = arguments.values[name] != nil
            if name == needed, !isGiven {
                decoder.report(.missingField, pointer.appending(name), "missing; \(function) needs \(name)")
            } else if name != needed, isGiven {
                decoder.report(
                    .conflict, pointer.appending(name), "\(function) takes no \(name); leave it out")
            }
        }
    }

    private static let denseLayers: [CatalogEntry] = [
        CatalogEntry(
            .module, "Dense", "A linear transformation of the last dimension: x · kernel + bias",
            [features, useBias] + dtypes + [kernelInit, biasInit, moduleName],
            planned: ["precision", "dot_general"]),
        CatalogEntry(
            .module, "DenseGeneral", "A linear transformation of several dimensions",
            [
                .required(
                    "features", .integers(count: 1...6, each: 1...1_000_000), "Dimensions of the output"),
                .defaulted("axis", axes, [-1], "Dimensions of the input that it takes"),
                .defaulted(
                    "batch_dims", .integers(count: 0...6, each: 0...6), [],
                    "Dimensions with a kernel for each place"),
                useBias,
            ] + dtypes + [kernelInit, biasInit, moduleName], planned: ["precision", "dot_general"]),
        CatalogEntry(
            .module, "Einsum", "A product of the input and a kernel in Einstein's notation",
            [
                .required("shape", .integers(count: 1...8, each: 1...1_000_000), "Shape of the kernel"),
                .required("einsum_str", .text(.title), "The notation, such as \"abc,cde->abde\""), useBias,
            ] + dtypes + [kernelInit, biasInit, moduleName], planned: ["precision"]),
        CatalogEntry(
            .module, "Embed", "A learned vector for each token",
            [
                .required(
                    "num_embeddings", .integerOrAuto(1...10_000_000),
                    "Number of tokens; \"auto\" is the data's"),
                features,
            ] + dtypes + [
                initializer(
                    "embedding_init",
                    [
                        "type": "variance_scaling", "scale": 1, "mode": "fan_in", "distribution": "normal",
                        "out_axis": 0,
                    ],
                    "Initializer of the table"), moduleName,
            ]),
        CatalogEntry(
            .module, "Dropout", "Sets values to 0 at random in training",
            [
                .required("rate", .number(.range(0, 1)), "Probability of a 0"),
                .defaulted(
                    "broadcast_dims", .integers(count: 0...8, each: -8...7), [],
                    "Dimensions that share their fate"),
                moduleName,
            ]),
        CatalogEntry(
            .module, "PReLU", "x where x >= 0, else a learned slope times x",
            [
                .defaulted("negative_slope_init", .number(.any), 0.01, "The slope at the beginning"),
                moduleName,
            ]),
    ]

    private static func convolution(_ name: String, _ summary: String, _ own: [Parameter]) -> CatalogEntry {
        CatalogEntry(
            .module, name, summary,
            [
                features, .required("kernel_size", windowSizes, "Size in each spatial dimension"),
                .optional("strides", windowSizes, "Steps of the window; 1 if absent"),
                .defaulted("padding", .padding, "SAME", "What is added at the borders"),
            ] + own + [
                .optional("kernel_dilation", windowSizes, "Distance of two kernel elements; 1 if absent"),
                useBias,
            ] + dtypes + [kernelInit, biasInit, moduleName], planned: ["mask", "precision"])
    }

    private static let inputDilation = Parameter.optional(
        "input_dilation", windowSizes, "Distance of two input elements; 1 if absent")

    private static let convolutions: [CatalogEntry] = [
        convolution(
            "Conv", "A convolution over [batch, spatial…, inputs]",
            [
                inputDilation,
                .defaulted(
                    "feature_group_count", .integer(1...1_000_000), 1, "Groups convolved on their own"),
            ]),
        convolution("ConvLocal", "A convolution with a kernel of its own at each place", [inputDilation]),
        convolution(
            "ConvTranspose", "A transposed convolution, which enlarges",
            [
                .defaulted(
                    "transpose_kernel", .boolean, false, "Whether the kernel is that of the Conv it reverses")
            ]),
    ]

    private static func epsilonNorm(_ value: Double) -> Parameter {
        .defaulted("epsilon", .number(.nonnegative), .double(value), "Added to the variance")
    }
    private static let normParameters = [useBias, useScale, biasInit, scaleInit] + dtypes + [moduleName]
    private static let wrapped = Parameter.required("layer", .typed([.module]), "The layer")

    private static let normalizations: [CatalogEntry] = [
        CatalogEntry(
            .module, "BatchNorm",
            "Normalizes each feature over the batch; running averages are used outside of training",
            [
                .defaulted("axis", axes, [-1], "Dimensions that are not averaged over"),
                .defaulted(
                    "momentum", .number(.range(0, 1)), 0.99, "What is kept of a running average in a step"),
                epsilonNorm(1e-5),
            ] + normParameters),
        CatalogEntry(
            .module, "LayerNorm", "Normalizes each row over its features",
            [
                epsilonNorm(1e-6),
                .defaulted("reduction_axes", axes, [-1], "Dimensions that are averaged over"),
                .defaulted("feature_axes", axes, [-1], "Dimensions with a scale and a bias"),
            ] + normParameters),
        CatalogEntry(
            .module, "RMSNorm", "Divides each row by the root of its mean square",
            [
                epsilonNorm(1e-6), useScale, scaleInit,
                .defaulted("reduction_axes", axes, [-1], "Dimensions that are averaged over"),
                .defaulted("feature_axes", axes, [-1], "Dimensions with a scale"),
            ] + dtypes + [moduleName]),
        CatalogEntry(
            .module, "GroupNorm", "Normalizes groups of features",
            [
                .optional("num_groups", units, "How many groups; 32 if group_size is absent too"),
                .optional("group_size", units, "Features of a group, instead"), epsilonNorm(1e-6),
            ] + normParameters,
            check: { arguments, pointer, decoder in
                if arguments.values["num_groups"] != nil, arguments.values["group_size"] != nil {
                    decoder.report(
                        .conflict, pointer.appending("group_size"), "num_groups is given too; leave one out")
                }
            }),
        CatalogEntry(
            .module, "InstanceNorm", "Normalizes each feature over the places of each row",
            [epsilonNorm(1e-6), .defaulted("feature_axes", axes, [-1], "Dimensions not averaged over")]
                + normParameters),
        CatalogEntry(
            .module, "SpectralNorm", "A layer whose weights are divided by their largest singular value",
            [
                wrapped, .defaulted("n_steps", .integer(1...1_000), 1, "Iterations of a step"),
                epsilonNorm(1e-12),
                .defaulted(
                    "error_on_non_matrix", .boolean, false, "Whether to refuse weights of more dimensions"),
                moduleName,
            ]),
        CatalogEntry(
            .module, "WeightNorm", "A layer whose weights are a direction times a length",
            [
                wrapped, epsilonNorm(1e-12), useScale, scaleInit,
                .defaulted("feature_axes", axes, [-1], "Dimensions of a weight with a length each"),
                moduleName,
            ]),
    ]

    private static func attention(_ name: String, _ summary: String) -> CatalogEntry {
        CatalogEntry(
            .module, name, summary,
            [
                .required("num_heads", .integer(1...10_000), "Number of heads"),
                .optional("qkv_features", units, "Outputs of the projections in all; the inputs' if absent"),
                .optional("out_features", units, "Number of outputs; the inputs' if absent"),
                .defaulted("broadcast_dropout", .boolean, true, "One fate for all batch members and heads"),
                rate("Dropout of the attention weights"), useBias,
                .defaulted("normalize_qk", .boolean, false, "Whether queries and keys pass a LayerNorm"),
                .defaulted(
                    "causal", .boolean, false,
                    "Whether each place sees only those before it (make_causal_mask)"),
            ] + dtypes + [kernelInit, biasInit, moduleName],
            planned: ["mask", "decode", "out_kernel_init", "out_bias_init", "precision"])
    }

    private static let attentions: [CatalogEntry] = [
        attention("MultiHeadDotProductAttention", "Self-attention over [batch, time, features]"),
        attention("MultiHeadAttention", "Self-attention over [batch, time, features]"),
        attention("SelfAttention", "Self-attention over [batch, time, features]"),
    ]

    private static let recurrentLayers: [CatalogEntry] = [
        CatalogEntry(
            .module, "RNN", "A recurrent cell along the second dimension of [batch, time, features]",
            [
                .required("cell", .typed([.cell]), "The cell"),
                .defaulted("time_major", .boolean, false, "Whether time is the first dimension"),
                .defaulted("reverse", .boolean, false, "From the end to the beginning"),
                .defaulted(
                    "keep_order", .boolean, false,
                    "Whether a reversed one gives its outputs in the input's order"),
                moduleName,
            ]),
        CatalogEntry(
            .module, "Bidirectional",
            "Two recurrent cells, one from each end, with their outputs side by side",
            [
                .required("forward_cell", .typed([.cell]), "The cell from the beginning"),
                .required("backward_cell", .typed([.cell]), "The cell from the end"),
                .defaulted("time_major", .boolean, false, "Whether time is the first dimension"), moduleName,
            ]),
    ]

    private static func cell(_ name: String, _ summary: String, gated: Bool = true, _ own: [Parameter] = [])
        -> CatalogEntry
    {
        CatalogEntry(
            .cell, name, summary,
            [features]
                + (gated
                    ? [.defaulted("gate_fn", .typed([.activation]), "sigmoid", "Activation of the gates")]
                    : [])
                + [
                    .defaulted("activation_fn", .typed([.activation]), "tanh", "Activation of the output"),
                    kernelInit,
                    initializer(
                        "recurrent_kernel_init", "orthogonal", "Initializer of the recurrent kernels"),
                ] + own + dtypes + [initializer("carry_init", "zeros", "Initializer of the state")])
    }

    static let cells: [CatalogEntry] = [
        CatalogEntry(
            .cell, "ConvLSTMCell",
            "Long short-term memory on images [batch, time, …, channels], with convolutions",
            [
                features, .required("kernel_size", windowSizes, "Size in each spatial dimension"),
                .optional("strides", windowSizes, "Steps of the window; 1 if absent"),
                .defaulted("padding", .padding, "SAME", "What is added at the borders"), useBias,
            ] + dtypes + [initializer("carry_init", "zeros", "Initializer of the state")]),
        cell("LSTMCell", "Long short-term memory", [biasInit]),
        cell("OptimizedLSTMCell", "Long short-term memory with joined products", [biasInit]),
        cell("GRUCell", "Gated recurrent unit", [biasInit]),
        cell(
            "MGUCell", "Minimal gated unit",
            [
                initializer("forget_bias_init", "ones", "Initializer of the forget gate's bias"),
                initializer("activation_bias_init", "zeros", "Initializer of the activation's bias"),
                .defaulted("reset_gate", .boolean, true, "Whether the forget gate resets the state too"),
            ]),
        cell(
            "SimpleCell", "One activation of input and state", gated: false,
            [biasInit, .defaulted("residual", .boolean, false, "Whether the state is added to its next")]),
    ]
}
