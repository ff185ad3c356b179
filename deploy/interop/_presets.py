"""Every preset with data for it: as a spec of Spindle, and written in Flax."""

import csv
import pathlib

import numpy as np

from _models import CNN, MLP, VAE, Autoencoder, RecurrentLM, ResNet, TransformerLM

repository = pathlib.Path(__file__).resolve().parents[2]
digits_file = repository / "deploy/examples/digits.csv"
text_file = repository / "Tests/Fixtures/data/scripture.txt"


def digits():
    with open(digits_file, newline="") as file:
        rows = list(csv.reader(file))
    table = np.array(rows[1:], dtype=np.float32)
    return rows[0][:-1], table[:, :-1] * np.float32(0.0625), table[:, -1].astype(np.int32)


def tokens(length):
    text = text_file.read_text()
    alphabet = {character: index for index, character in enumerate(sorted(set(text)))}
    stream = np.array([alphabet[character] for character in text], dtype=np.int32)
    count = (len(stream) - length - 1) // length + 1
    starts = np.arange(count)[:, None] * length + np.arange(length)
    return len(alphabet) + 1, stream[starts], stream[starts + 1]


names, pixels, labels = digits()
vocabulary, inputs, targets = tokens(32)
labelled = {"train": {"dataset": "digits"}, "target": "target", "transforms": [{"type": "scale", "by": 0.0625}]}
images = {**labelled, "transforms": labelled["transforms"] + [{"type": "reshape", "shape": [8, 8, 1]}]}
reconstructed = {**labelled, "inputs": names, "target": {"shift": 0}}
text = {"train": {"dataset": "scripture"}, "target": {"shift": 1}, "transforms": ["tokenize_chars", {"type": "window", "length": 32}]}
cross_entropy, square = "softmax_cross_entropy_with_integer_labels", "squared_error"

PRESETS = [
    ({"type": "MLP", "features": [16, 10]}, labelled, cross_entropy, MLP((16, 10)), (pixels, labels)),
    (
        {"type": "CNN", "num_classes": 10, "features": [4, 8], "dense_features": [16]}, images, cross_entropy,
        CNN(10, (4, 8), (16,)), (pixels.reshape(-1, 8, 8, 1), labels),
    ),
    (
        {"type": "ResNet", "num_classes": 10, "stage_sizes": [1, 1], "num_filters": 4, "stem": "small"}, images, cross_entropy,
        ResNet(10, (1, 1), 4), (pixels.reshape(-1, 8, 8, 1), labels),
    ),
    (
        {
            "type": "TransformerLM", "vocab_size": "auto", "num_layers": 2, "num_heads": 2, "emb_dim": 16, "mlp_dim": 32,
            "max_len": 40, "dropout_rate": 0.1,
        },
        text, cross_entropy, TransformerLM(vocabulary, 2, 2, 16, 32, 40, 0.1), (inputs, targets),
    ),
    (
        {"type": "RecurrentLM", "vocab_size": "auto", "hidden": 16, "num_layers": 2}, text, cross_entropy,
        RecurrentLM(vocabulary, 16, 2), (inputs, targets),
    ),
    ({"type": "Autoencoder", "features": [16, 4]}, reconstructed, square, Autoencoder((16, 4)), (pixels, pixels)),
    ({"type": "VAE", "features": [16], "latents": 4}, reconstructed, square, VAE((16,), 4), (pixels, pixels)),
]
