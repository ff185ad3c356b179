"""The data of a job spec, read again with NumPy: files, splits and transforms as the spec's documentation describes them."""

import csv
import gzip
import pathlib

import numpy as np

repository = pathlib.Path(__file__).resolve().parents[2]
fixtures = repository / "Tests/Fixtures/data"
FILES = {
    "digits": (repository / "deploy/examples/digits.csv", "text/csv"),
    "scripture": (fixtures / "scripture.txt", "text/plain"),
    "mnist-images": (fixtures / "mnist5k/train-images-idx3-ubyte.gz", "application/gzip"),
    "mnist-labels": (fixtures / "mnist5k/train-labels-idx1-ubyte.gz", "application/gzip"),
    "mnist-test-images": (fixtures / "mnist5k/t10k-images-idx3-ubyte.gz", "application/gzip"),
    "mnist-test-labels": (fixtures / "mnist5k/t10k-labels-idx1-ubyte.gz", "application/gzip"),
}


def files(data):
    """The names of the files that a spec's `data` reads."""
    sources = [data[part] for part in ("train", "validation") if part in data]
    return {source[field] for source in sources for field in ("dataset", "target_dataset") if field in source}


def idx(path):
    content = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(content, ">u4", count=content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def split(rows, source):
    """The rows of a split `LOW%:HIGH%`, each bound rounded down to a row."""
    low, high = (part.rstrip("%") for part in source.get("split", "0%:100%").split(":"))
    return rows[len(rows) * int(low or 0) // 100 : len(rows) * int(high or 100) // 100]


def table(source, data):
    with open(FILES[source["dataset"]][0], newline="") as file:
        header, *rows = csv.reader(file)
    rows = split(np.array(rows, dtype=np.float32), source)
    inputs = data.get("inputs") or [name for name in header if name != data["target"]]
    x = rows[:, [header.index(name) for name in inputs]]
    return x, None if isinstance(data["target"], dict) else rows[:, header.index(data["target"])].astype(np.int32)


def images(source, data):
    target = source.get("target_dataset")
    labels = target and split(idx(FILES[target][0]), source).astype(np.int32)
    return split(idx(FILES[source["dataset"]][0]), source).astype(np.float32), labels


def windows(source, data, alphabet, length, stride):
    stream = split(FILES[source["dataset"]][0].read_text(), source)
    places = {character: place for place, character in enumerate(alphabet)}
    tokens = np.array([places.get(character, len(alphabet)) for character in stream], dtype=np.int32)
    shift = data["target"]["shift"]
    starts = np.arange((len(tokens) - length - shift) // stride + 1)[:, None] * stride + np.arange(length)
    return tokens[starts], tokens[starts + shift]


def load(data):
    """Inputs and targets by source (`train`, `validation`), and the number of tokens if the data is text."""
    transforms = [entry if isinstance(entry, dict) else {"type": entry} for entry in data["transforms"]]
    sources = {part: data[part] for part in ("train", "validation") if part in data}
    if transforms[0]["type"] == "tokenize_chars":
        alphabet = sorted(set(split(FILES[data["train"]["dataset"]][0].read_text(), data["train"])))
        length = transforms[1]["length"]
        stride = transforms[1].get("stride", length)
        loaded = {part: windows(source, data, alphabet, length, stride) for part, source in sources.items()}
        return loaded, len(alphabet) + 1
    return {part: transformed(*read(source, data), transforms) for part, source in sources.items()}, None


def read(source, data):
    return (table if FILES[source["dataset"]][1] == "text/csv" else images)(source, data)


def transformed(x, y, transforms):
    for transform in transforms:
        if transform["type"] == "scale":
            x = x * np.float32(transform["by"])
        elif transform["type"] == "reshape":
            x = x.reshape(len(x), *transform["shape"])
        elif transform["type"] == "one_hot":
            y = np.eye(transform["num_classes"], dtype=np.float32)[y]
    return x, x if y is None else y
