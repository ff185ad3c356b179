// Whole models under one name.

extension Catalog {
    private static let classes = Parameter.required("num_classes", units, "Outputs: one logit a class")
    private static let featureList = ParameterType.integers(count: 1...1_000, each: 1...1_000_000)
    private static let activation = Parameter.defaulted(
        "activation", .typed([.activation]), "relu", "Between the layers")
    private static let vocabulary = Parameter.required(
        "vocab_size", .integerOrAuto(1...10_000_000), "Number of tokens; \"auto\" is the data's")

    static let presets: [CatalogEntry] = [
        CatalogEntry(
            .module, "MLP", "Dense layers with an activation between them",
            [
                .required(
                    "features", featureList,
                    "Outputs of each Dense layer; the last is the output of the model"),
                .defaulted(
                    "activation", .typed([.activation]), "relu", "Between the layers; none after the last"),
                rate("Dropout after each activation"), moduleName,
            ], planned: ["use_bias", "kernel_init", "bias_init"]),
        CatalogEntry(
            .module, "CNN", "Convolutions with activation and pooling, then dense layers, for images",
            [
                classes,
                .defaulted("features", featureList, [32, 64], "Outputs of each convolution"),
                .defaulted("kernel_size", windowSizes, [3, 3], "Size of the kernels"),
                .defaulted(
                    "dense_features", .integers(count: 0...100, each: 1...1_000_000), [256],
                    "Outputs of the dense layers before the last"), activation,
                .defaulted("pooling", .choice(["avg", "max"]), "avg", "Pooling over 2x2 windows"),
                rate("Dropout after the dense layers"), moduleName,
            ]),
        CatalogEntry(
            .module, "ResNet", "Residual convolution blocks with BatchNorm, for images",
            [
                classes,
                .required("stage_sizes", .integers(count: 1...16, each: 1...1_000), "Blocks of each stage"),
                .defaulted(
                    "num_filters", .integer(1...65_536), 64, "Filters of the first stage; each next has twice"
                ),
                .defaulted("bottleneck", .boolean, false, "Blocks of three convolutions instead of two"),
                .defaulted(
                    "stem", .choice(["imagenet", "small"]), "imagenet",
                    "7x7 with stride 2 and a pooling, or 3x3 for images of few pixels"), moduleName,
            ]),
        CatalogEntry(
            .module, "TransformerLM", "Causal self-attention over tokens",
            [
                vocabulary,
                .required("num_layers", .integer(1...1_000), "Number of blocks"),
                .required("num_heads", .integer(1...10_000), "Heads of each attention"),
                .required("emb_dim", units, "Features of a token; a multiple of num_heads"),
                .required("mlp_dim", units, "Features inside each block's perceptron"),
                .required("max_len", .integer(1...1_000_000), "Longest sequence"),
                rate("Dropout of attention weights, embeddings and each block's parts"), moduleName,
            ],
            check: { arguments, pointer, decoder in
                guard let heads = arguments.optionalInteger("num_heads"),
                    let features = arguments.optionalInteger("emb_dim"), features % heads != 0
                else { return }
                decoder.report(
                    .conflict, pointer.appending("emb_dim"),
                    "emb_dim (\(features)) must be a multiple of num_heads (\(heads))")
            }),
        CatalogEntry(
            .module, "RecurrentLM", "Recurrent layers over tokens",
            [
                vocabulary,
                .defaulted(
                    "cell", .choice(["LSTMCell", "OptimizedLSTMCell", "GRUCell", "MGUCell", "SimpleCell"]),
                    "LSTMCell",
                    "Kind of the layers"),
                .required("hidden", units, "Features of a token and of each layer"),
                .defaulted("num_layers", .integer(1...100), 1, "Number of layers"),
                rate("Dropout after each layer"), moduleName,
            ]),
        CatalogEntry(
            .module, "Autoencoder",
            "Dense layers down to a code and back to the input; train it with target {\"shift\": 0}",
            [
                .required("features", featureList, "Outputs of the layers; the last is the code"), activation,
                moduleName,
            ]),
        CatalogEntry(
            .module, "VAE",
            "Variational autoencoder: the code is drawn at random; train it with target {\"shift\": 0}",
            [
                .required(
                    "features", featureList, "Outputs of the encoder's layers; the decoder has them backwards"
                ),
                .required("latents", units, "Size of the code"), activation,
                .defaulted("beta", .number(.nonnegative), 1.0, "Weight of the divergence in the loss"),
                moduleName,
            ]),
    ]
}
