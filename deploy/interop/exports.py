"""Checkpoints in other formats, over HTTP: the real safetensors, NumPy, TensorFlow, onnxruntime and TensorBoard read what Spindle
writes, and get what real Flax gets from the same checkpoint; and Spindle starts from what they write."""

import io
import pathlib
import sys
import tarfile
import tempfile

import flax.serialization
import numpy as np
import safetensors.numpy
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import _presets
from _spindle import Server, check

BATCHES = (1, 5, 64)


def paths(tree, prefix=""):
    """The arrays of nested dictionaries by their paths."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from paths(value, f"{prefix}{key}/")
        else:
            yield prefix + key, np.asarray(value)


def variables(content):
    state = flax.serialization.msgpack_restore(content)
    return {key: value for key, value in state.items() if key not in ("step", "opt_state")}


def largest_difference(outputs, expected):
    return max(float(np.max(np.abs(a - b))) for a, b in zip(outputs, expected, strict=True))


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
    with tarfile.open(fileobj=io.BytesIO(server.export(checkpoint, "saved_model", **options))) as archive:
        archive.extractall(folder, filter="data")
    signature = tf.saved_model.load(folder).signatures["serving_default"]

    def run(x):
        outputs = signature(inputs=tf.constant(x))
        return [outputs[name].numpy() for name in sorted(outputs, reverse="mean" in outputs)]

    run.keep = signature
    return run


def onnx_model(content):
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"inputs": x})


def graphs(server, preset, job):
    """SavedModel and ONNX of one preset, against real Flax on the same checkpoint."""
    checkpoint = job["checkpoint"]["id"]
    values = variables(server.checkpoint(checkpoint)[1])
    with tempfile.TemporaryDirectory() as folder:
        runners = {"saved_model, stablehlo": lambda: saved_model(server, checkpoint, folder + "/s", ops="stablehlo")}
        if preset.native:
            runners["saved_model, native"] = lambda: saved_model(server, checkpoint, folder + "/n", ops="native")
            runners["onnx"] = lambda: onnx_model(server.export(checkpoint, "onnx"))
        for name, load in runners.items():
            run = load()
            worst = 0.0
            for rows in BATCHES:
                x = preset.inputs[np.arange(rows) % len(preset.inputs)]
                worst = max(worst, largest_difference(run(x), preset.outputs(values, x)))
            check(worst <= 1e-5, f"{preset.name}: {name} gives Flax's outputs at batches of {BATCHES} (largest difference {worst:.2g})")


def baked(server, digits):
    """Standardised digits: the exported model takes them as they are in the file."""
    name, rows = "digits", digits.rows[:5]
    spec = {**digits.spec, "data": {**digits.spec["data"], "transforms": ["standardize"]}}
    job = server.train({**spec, "name": f"{name}-standardized"})
    checkpoint = job["checkpoint"]["id"]
    columns = digits.rows[: len(digits.rows)]
    mean, deviation = columns.mean(0, dtype=np.float64), columns.std(0, dtype=np.float64)
    standardized = ((rows - mean) / np.where(deviation > 0, deviation, 1)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        plain = saved_model(server, checkpoint, folder + "/p", ops="native")(standardized)
        front = saved_model(server, checkpoint, folder + "/b", ops="native", bake_transforms="true")(rows)
    worst = largest_difference(front, plain)
    check(worst <= 1e-4, f"a model with its standardisation baked in takes raw rows (largest difference {worst:.2g})")


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
    presets = _presets.upload(server)
    for preset in presets:
        job = server.train(preset.spec)
        graphs(server, preset, job)
        if preset.name in ("MLP", "ResNet"):
            array_files(server, job, preset.spec)
        if preset.name == "MLP":
            tensorboard(server, job)
    baked(server, presets[0])


main()
