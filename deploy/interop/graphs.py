"""Real software runs what Spindle exports: TensorFlow (both loaders, native operations and StableHLO), TF Lite, onnxruntime; and
real Flax gives the same on the same parameters. The folder is what the test GraphExportTests writes."""

import collections
import os
import pathlib
import sys
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import flax.linen as nn
import flax.serialization
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf

from _models import CNN, MLP, VAE, Autoencoder, RecurrentLM, ResNet, TransformerLM
from _spindle import check

tf.get_logger().setLevel("ERROR")
warnings.filterwarnings("ignore", category=UserWarning)  # of interpreters that will move to other packages
BATCHES = (1, 5, 64)
TOLERANCE = 1e-5


class ExplicitMLP(nn.Module):
    features: tuple

    def setup(self):
        self.layers = [nn.Dense(width) for width in self.features]

    def __call__(self, x):
        for index, layer in enumerate(self.layers):
            x = layer(x if index == 0 else nn.relu(x))
        return x


class SimpleMLP(nn.Module):
    features: tuple

    @nn.compact
    def __call__(self, x):
        for index, width in enumerate(self.features):
            x = nn.Dense(width, name=f"layers_{index}")(x if index == 0 else nn.relu(x))
        return x


class SimpleDense(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x):
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (x.shape[-1], self.features))
        return x @ kernel + self.param("bias", nn.initializers.zeros_init(), (self.features,))


class BiasAdderWithRunningMean(nn.Module):
    """Its output is of the mean after the update, so that an export has a mean over the batch in it."""

    @nn.compact
    def __call__(self, x):
        is_ready = self.has_variable("batch_stats", "mean")
        mean = self.variable("batch_stats", "mean", lambda: jnp.zeros((1, x.shape[1])))
        bias = self.param("bias", nn.initializers.zeros_init(), (x.shape[1],))
        if is_ready:
            mean.value = 0.99 * mean.value + 0.01 * jnp.mean(x, axis=0, keepdims=True)
        return x - mean.value + bias


def call(module, *arguments):
    """A model whose output is the module's."""
    return lambda variables, x: [module.apply(variables, x, *arguments, mutable=["batch_stats"])[0]]


def encode(variables, x):
    seen = VAE((16,), 3).apply(variables, x, False, capture_intermediates=True)[1]["intermediates"]
    return [seen[name]["__call__"][0] for name in ("mean", "logvar")]


FLAX = {
    "mlp": call(MLP((32, 16, 10)), False),
    "cnn": call(CNN(10, (8, 16), (32,)), False),
    "resnet": call(ResNet(10, (1, 1), 8), False),
    "transformer": call(TransformerLM(30, 2, 2, 16, 32, 16, 0.0), False),
    "recurrent": call(RecurrentLM(30, 16, 1), False),
    "autoencoder": call(Autoencoder((16, 8, 4)), False),
    "vae": call(VAE((16,), 3), False),
    "vae_encoder": encode,
    "dense": call(nn.Dense(5)),
    "explicit_mlp": call(ExplicitMLP((3, 4, 5))),
    "simple_mlp": call(SimpleMLP((3, 4, 5))),
    "simple_dense": call(SimpleDense(3)),
    "bias_adder": call(BiasAdderWithRunningMean()),
}


class Example:
    """One exported model: inputs and Spindle's outputs by batch size, and what others made of it."""

    def __init__(self, folder):
        self.folder = folder
        self.batches = {size: ({}, {}) for size in BATCHES}
        with np.load(folder / "values.npz") as arrays:
            for key in arrays.files:
                size, role, name = key.split("/")
                self.batches[int(size)][role == "out"][name] = arrays[key]
        for name, output in self.batches[64][1].items():
            assert np.ptp(output) > 0.1, f"{folder.name}: {name} is nearly constant"
        self.variables = flax.serialization.msgpack_restore((folder / "variables.msgpack").read_bytes())

    def distance(self, run):
        """The largest difference of `run`'s outputs from Spindle's at any batch size, as a part of their span where that is above 1."""
        worst = 0.0
        for inputs, expected in self.batches.values():
            found = run(inputs)
            for name, want in expected.items():
                got = np.asarray(found[name])
                assert got.shape == want.shape and got.dtype == want.dtype, f"{name}: {got.dtype}{got.shape}, not {want.dtype}{want.shape}"
                worst = max(worst, float(np.abs(got - want).max()) / max(1.0, float(np.abs(want).max())))
        return worst

    def flax(self):
        names = list(self.batches[1][1])
        # One input and, where there are two, outputs in the order of the names that the model gives them.
        order = ["mean", "logvar"] if len(names) == 2 else names
        return self.distance(lambda inputs: dict(zip(order, FLAX[self.folder.name](self.variables, *inputs.values()))))

    def tensorflow(self, mode):
        loaded = tf.saved_model.load(str(self.folder / mode))
        signature = loaded.signatures["serving_default"]
        for path, value in leaves(self.variables):
            variable = loaded
            for key in path:
                variable = getattr(variable, key)
            assert np.array_equal(variable.numpy(), value), f"the variable {'/'.join(path)}"
        return self.distance(lambda inputs: signature(**{name: tf.constant(value) for name, value in inputs.items()}))

    def tensorflow1(self, mode):
        """As TensorFlow Serving does."""
        with tf.compat.v1.Session(graph=tf.Graph()) as session:
            meta = tf.compat.v1.saved_model.load(session, ["serve"], str(self.folder / mode))
            signature = meta.signature_def["serving_default"]

            def run(inputs):
                outputs = {name: tensor.name for name, tensor in signature.outputs.items()}
                return session.run(outputs, {signature.inputs[name].name: value for name, value in inputs.items()})

            return self.distance(run)

    def lite(self):
        path = str(self.folder / "native")
        model = tf.lite.TFLiteConverter.from_saved_model(path, signature_keys=["serving_default"]).convert()
        interpreter = tf.lite.Interpreter(model_content=model)
        return self.distance(lambda inputs: interpreter.get_signature_runner("serving_default")(**inputs))

    def onnx(self):
        path = str(self.folder / "model.onnx")
        onnx.checker.check_model(path, full_check=True)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        assert session.get_inputs()[0].shape[0] == "batch"
        names = [output.name for output in session.get_outputs()]
        return self.distance(lambda inputs: dict(zip(names, session.run(names, inputs))))


def leaves(tree, path=()):
    for key, value in tree.items():
        yield from leaves(value, (*path, key)) if isinstance(value, dict) else [((*path, key), value)]


JUDGES = {
    "Flax": lambda example: example.flax() if example.folder.name in FLAX else None,
    "TensorFlow, native operations": lambda example: example.tensorflow("native"),
    "TensorFlow, StableHLO": lambda example: example.tensorflow("stablehlo"),
    "TensorFlow 1's loader, native operations": lambda example: example.tensorflow1("native"),
    "TensorFlow 1's loader, StableHLO": lambda example: example.tensorflow1("stablehlo"),
    # The last two do not have all operations: of those that are written to try operations, TF Lite converts none.
    "TF Lite": lambda example: None if example.folder.name.startswith("operations") else example.lite(),
    "onnxruntime": lambda example: example.onnx() if (example.folder / "model.onnx").exists() else None,
}


def main(folder):
    results = collections.defaultdict(dict)
    examples = [Example(path) for path in sorted(pathlib.Path(folder).iterdir())]
    missing = FLAX.keys() - {example.folder.name for example in examples}
    check(not missing, f"{len(examples)} models, among them every preset and the guide's")
    for example in examples:
        for judge, run in JUDGES.items():
            try:
                distance = run(example)
            except Exception as error:
                raise SystemExit(f"FAILED: {example.folder.name}: {judge}: {str(error)[:2000]}")
            if distance is not None:
                check_quietly(distance <= TOLERANCE, f"{example.folder.name}: {judge} differs by {distance:.2g}")
                results[judge][example.folder.name] = distance
    for judge, distances in results.items():
        worst = max(distances, key=distances.get)
        check(True, f"{judge}: {len(distances)} models at batch sizes {BATCHES}, worst {distances[worst]:.1e} ({worst})")


def check_quietly(condition, text):
    if not condition:
        raise SystemExit(f"FAILED: {text}")


if __name__ == "__main__":
    main(sys.argv[1])
