// Names that the job spec reserves and that this version refuses as such: a clear "not in this version" instead of
// a misleading suggestion.

extension Catalog {
    package static let planned: [CatalogKind: [String]] = [
        .module: [
            "Residual", "Parallel", "Repeat", "Function", "CNN", "ResNet", "TransformerLM", "RecurrentLM",
            "Autoencoder", "VAE", "DenseGeneral", "Einsum", "Conv", "ConvTranspose", "Embed", "BatchNorm",
            "LayerNorm", "RMSNorm", "GroupNorm", "Dropout", "MultiHeadDotProductAttention", "SelfAttention",
            "LSTMCell", "GRUCell", "RNN",
        ],
        .activation: [
            "celu", "selu", "glu", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "log_sigmoid",
            "relu6", "soft_sign", "PReLU",
        ],
        .initializer: ["orthogonal", "delta_orthogonal", "truncated_normal"],
        .optimizer: ["lbfgs", "lookahead", "named_chain"],
        .transformation: [],
        .schedule: [],
        .loss: ["ctc_loss", "triplet_margin_loss"],
        .metric: [],
        .transform: ["pad"],
        .generator: [],
        .callback: ["early_stopping", "reduce_on_plateau", "stop_when"],
    ]
}
