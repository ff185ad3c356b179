"""Every preset with data for it, as in a spec: the model, the data, the loss."""

scale = {"type": "scale", "by": 0.0625}
labelled = {"train": {"dataset": "digits"}, "target": "target", "transforms": [scale]}
images = {**labelled, "transforms": [scale, {"type": "reshape", "shape": [8, 8, 1]}]}
pixels = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
reconstructed = {**labelled, "inputs": pixels, "target": {"shift": 0}}
text = {"train": {"dataset": "scripture"}, "target": {"shift": 1}, "transforms": ["tokenize_chars", {"type": "window", "length": 32}]}
cross_entropy, square = "softmax_cross_entropy_with_integer_labels", "squared_error"

PRESETS = [
    ({"type": "MLP", "features": [16, 10]}, labelled, cross_entropy),
    ({"type": "CNN", "num_classes": 10, "features": [4, 8], "dense_features": [16]}, images, cross_entropy),
    ({"type": "ResNet", "num_classes": 10, "stage_sizes": [1, 1], "num_filters": 4, "stem": "small"}, images, cross_entropy),
    (
        {
            "type": "TransformerLM", "vocab_size": "auto", "num_layers": 2, "num_heads": 2, "emb_dim": 16, "mlp_dim": 32,
            "max_len": 40, "dropout_rate": 0.1,
        },
        text, cross_entropy,
    ),
    ({"type": "RecurrentLM", "vocab_size": "auto", "hidden": 16, "num_layers": 2}, text, cross_entropy),
    ({"type": "Autoencoder", "features": [16, 4]}, reconstructed, square),
    ({"type": "VAE", "features": [16], "latents": 4}, reconstructed, square),
]
