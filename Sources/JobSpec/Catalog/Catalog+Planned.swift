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
        .optimizer: [
            "adamw", "adagrad", "adadelta", "adafactor", "adamax", "adabelief", "amsgrad", "lamb", "lars",
            "lion", "nadam", "nadamw", "novograd", "radam", "rmsprop", "rprop", "yogi", "lbfgs", "MultiSteps",
            "masked", "partition", "apply_if_finite", "ema",
        ],
        .transformation: [
            "clip", "clip_by_global_norm", "clip_by_block_rms", "adaptive_grad_clip", "add_decayed_weights",
            "add_noise", "centralize", "scale_by_rms", "scale_by_trust_ratio", "zero_nans",
        ],
        .schedule: [
            "join_schedules", "cosine_onecycle_schedule", "linear_onecycle_schedule", "sgdr_schedule",
            "warmup_constant_schedule", "warmup_exponential_decay_schedule", "piecewise_interpolate_schedule",
        ],
        .loss: [
            "softmax_cross_entropy", "sigmoid_binary_cross_entropy", "huber_loss", "log_cosh", "hinge_loss",
            "kl_divergence", "cosine_distance", "ctc_loss", "poly_loss_cross_entropy",
        ],
        .metric: ["top_k_accuracy", "auc", "f1_macro", "r2", "perplexity"],
        .transform: [
            "one_hot", "tokenize_chars", "window", "random_crop", "random_flip", "normalize", "pad",
            "reshape",
        ],
        .generator: [],
        .callback: ["early_stopping", "reduce_on_plateau", "stop_when"],
    ]
}
