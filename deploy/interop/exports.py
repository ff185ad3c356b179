"""Checkpoints in other formats, over HTTP: the real safetensors, NumPy, TensorFlow, onnxruntime and TensorBoard read what Spindle
writes, and get what real Flax gets from the same checkpoint; and Spindle starts from what they write."""

import io
import os
import pathlib
import sys
import tarfile
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import flax.serialization
import numpy as np
import onnxruntime
import safetensors.numpy
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import _data
from _data import FILES
from _models import VAE, preset
from _presets import PRESETS, labelled
from _spindle import Server, check

tf.get_logger().setLevel("ERROR")
BATCHES = (1, 5, 64)
TOLERANCE = 1e-5


def paths(tree, prefix=""):
    """The arrays of nested dictionaries with their paths."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from paths(value, f"{prefix}{key}/")
        else:
            yield prefix + key, np.asarray(value)


def variables(content):
    state = flax.serialization.msgpack_restore(content)
    return {key: value for key, value in state.items() if key not in ("step", "opt_state")}


def array_files(server, job, spec):
    """safetensors and npz, out and in."""
    checkpoint = job["checkpoint"]["id"]
    _, content = server.checkpoint(checkpoint)
    expected = dict(paths(variables(content)))

    theirs = safetensors.numpy.load(server.export(checkpoint, "safetensors"))
    check(
        {name.replace(".", "/"): value.tobytes() for name, value in theirs.items()}
        == {name: value.tobytes() for name, value in expected.items()},
        f"safetensors: the package reads {len(theirs)} equal arrays",
    )
    npz = np.load(io.BytesIO(server.export(checkpoint, "npz")))
    check(
        all(np.array_equal(npz[name], value) for name, value in expected.items()) and len(npz) == len(expected),
        f"npz: NumPy reads {len(npz)} equal arrays",
    )

    saved, compressed = io.BytesIO(), io.BytesIO()
    np.savez(saved, **expected)
    np.savez_compressed(compressed, **expected)
    files = {
        "safetensors": safetensors.numpy.save(theirs, metadata={"format": "np"}),
        "npz": saved.getvalue(),
        "compressed npz": compressed.getvalue(),
        "flax": flax.serialization.msgpack_serialize(variables(content)),
    }
    parts = sorted({name.split("/")[0] for name in expected})
    first = None
    for name, file in files.items():
        imported = server.json("/v1/checkpoints", data=file, method="POST")
        back = dict(paths(flax.serialization.msgpack_restore(server.checkpoint(imported["id"])[1])))
        check(
            back.keys() == expected.keys() and all(np.array_equal(back[key], expected[key]) for key in expected),
            f"{name}: what the library wrote is imported with equal arrays",
        )
        started = server.train({**spec, "init": {"checkpoint": imported["id"], "load": parts}})
        result = server.checkpoint(started["checkpoint"]["id"])[1]
        first = first or result
        check(result == first, f"{name}: a job that starts from it has the same bits")
    again = server.train({**spec, "init": {"checkpoint": checkpoint, "load": parts}})
    check(server.checkpoint(again["checkpoint"]["id"])[1] == first, "and those of one that starts from the checkpoint itself")


def saved_model(server, checkpoint, folder, **options):
    """The signature of an export as a function from an array to arrays by name."""
    with tarfile.open(fileobj=io.BytesIO(server.export(checkpoint, "saved_model", **options))) as archive:
        archive.extractall(folder, filter="data")
    loaded = tf.saved_model.load(folder)
    signature = loaded.signatures["serving_default"]

    def run(x):
        # The loaded object holds the variables.
        assert loaded is not None
        return {name: value.numpy() for name, value in signature(inputs=tf.constant(x)).items()}

    return run


def onnx(server, checkpoint, **options):
    session = onnxruntime.InferenceSession(server.export(checkpoint, "onnx", **options), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda x: dict(zip(names, session.run(names, {"inputs": x})))


def flax_outputs(model, values, x):
    """What real Flax makes of a batch, by the names of our outputs."""
    if isinstance(model, VAE):
        seen = model.apply(values, x, False, capture_intermediates=True, mutable=["intermediates", "losses"])[1]["intermediates"]
        return {name: np.asarray(seen[name]["__call__"][0]) for name in ("mean", "logvar")}
    return {"outputs": np.asarray(model.apply(values, x, False, mutable=["losses"])[0])}


def distance(found, expected):
    """The largest difference, as a part of the outputs' span where that is above 1."""
    assert found.keys() == expected.keys(), f"{sorted(found)}, not {sorted(expected)}"
    return max(
        float(np.abs(found[name] - want).max()) / max(1.0, float(np.abs(want).max())) for name, want in expected.items()
    )


def graphs(server, job, name, model, x):
    """SavedModel and ONNX of one preset, against real Flax on the same checkpoint."""
    checkpoint = job["checkpoint"]["id"]
    values = variables(server.checkpoint(checkpoint)[1])
    with tempfile.TemporaryDirectory() as folder:
        runners = {
            "TensorFlow, StableHLO": saved_model(server, checkpoint, folder + "/s", ops="stablehlo"),
            "TensorFlow, native operations": saved_model(server, checkpoint, folder + "/n", ops="native"),
            "onnxruntime": onnx(server, checkpoint),
        }
        for judge, run in runners.items():
            worst = 0.0
            for rows in BATCHES:
                batch = x[np.arange(rows) % len(x)]
                worst = max(worst, distance(run(batch), flax_outputs(model, values, batch)))
            check(worst <= TOLERANCE, f"{name}: {judge} gives Flax's outputs at batches of {BATCHES}: within {worst:.2g}")
    text = server.export(checkpoint, "stablehlo").decode()
    check("func.func public @main" in text and "params/" in text, f"{name}: {len(text.splitlines())} lines of StableHLO")


def baked(server, spec):
    """Digits, standardised: the model takes them as they are in the file."""
    data = {**spec["data"], "transforms": ["standardize"]}
    job = server.train({**spec, "name": "standardized", "data": data})
    checkpoint = job["checkpoint"]["id"]
    table = _data.load(labelled)[0]["train"][0] * np.float32(16)
    deviation = table.std(0, dtype=np.float64)
    standardized = ((table - table.mean(0, dtype=np.float64)) / np.where(deviation > 0, deviation, 1)).astype(np.float32)
    plain = onnx(server, checkpoint)(standardized[:64])
    with tempfile.TemporaryDirectory() as folder:
        runners = {
            "a SavedModel of native operations": saved_model(server, checkpoint, folder + "/n", ops="native", bake_transforms="true"),
            "one of StableHLO": saved_model(server, checkpoint, folder + "/s", ops="stablehlo", bake_transforms="true"),
            "an ONNX model": onnx(server, checkpoint, bake_transforms="true"),
        }
        for name, run in runners.items():
            worst = distance(run(table[:64]), plain)
            check(worst <= TOLERANCE, f"{name} with its standardisation baked in takes raw rows: within {worst:.2g}")


def baked_characters(server, spec, tokens):
    """A language model that takes code points; the text is ASCII."""
    job = server.train({**spec, "name": "characters"})
    checkpoint = job["checkpoint"]["id"]
    text = FILES["scripture"][0].read_text()
    alphabet = sorted(set(text))
    characters = np.array([[ord(alphabet[token]) for token in row] for row in tokens[:5]], dtype=np.int32)
    plain = onnx(server, checkpoint)(tokens[:5])
    with tempfile.TemporaryDirectory() as folder:
        front = saved_model(server, checkpoint, folder, ops="native", bake_transforms="true")
        worst = distance(front(characters), plain)
        check(worst <= TOLERANCE, f"a language model with its vocabulary baked in takes characters: within {worst:.2g}")


def tensorboard(server, job):
    with tempfile.TemporaryDirectory() as folder:
        content = server.bytes(f"/v1/jobs/{job['id']}/tensorboard")
        (pathlib.Path(folder) / f"events.out.tfevents.1.{job['id']}").write_bytes(content)
        events = EventAccumulator(folder, size_guidance={"scalars": 0})
        events.Reload()
        names = [metric["name"] for metric in server.json(f"/v1/jobs/{job['id']}/metrics")["data"]]
        check(sorted(events.Tags()["scalars"]) == sorted(names), f"TensorBoard finds {', '.join(names)}")
        for name in names:
            steps, values = server.series(job, name)
            scalars = events.Scalars(name)
            check(
                [scalar.step for scalar in scalars] == steps
                and [scalar.value for scalar in scalars] == [float(np.float32(value)) for value in values],
                f"TensorBoard reads the {len(steps)} points of {name}",
            )
            times = [scalar.wall_time for scalar in scalars]
            check(times == sorted(times) and times[0] > 1.7e9, f"the times of {name} go up")


def main():
    server = Server(sys.argv[1])
    for name in ("digits", "scripture"):
        server.upload(name, *FILES[name])
    for module, data, loss in PRESETS:
        name = module["type"]
        loaded, vocabulary = _data.load(data)
        model, x = preset(module, vocabulary), loaded["train"][0]
        spec = {
            "name": name, "model": module, "data": {**data, "batch_size": 8, "shuffle": "none"}, "loss": loss,
            "optimizer": {"type": "adam", "learning_rate": 0.01}, "budget": {"steps": 20},
        }
        job = server.train(spec)
        graphs(server, job, name, model, x)
        if name in ("MLP", "ResNet"):
            array_files(server, job, spec)
        if name == "MLP":
            tensorboard(server, job)
            baked(server, spec)
        if name == "TransformerLM":
            baked_characters(server, spec, x)


main()
