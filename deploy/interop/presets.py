"""Every preset in Flax: real Flax restores what Spindle trained, takes the next training steps with the same random keys, and gets the
parameters that Spindle gets; and Spindle goes on from what Flax saved."""

import sys
import tempfile

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np

from _data import FILES
from _presets import PRESETS
from _spindle import Server, check
from _specs import Job

STEPS = 4

# The bias of an attention's keys has no gradient but rounding errors: a larger eps keeps Adam from making steps of them.
OPTIMIZER = {
    "type": "MultiSteps", "every_k_schedule": 2,
    "inner": {
        "type": "chain",
        "transforms": [
            {"type": "clip_by_global_norm", "max_norm": 1.0},
            {
                "type": "adamw", "weight_decay": 0.1, "mask": "**/kernel", "eps": 1e-5,
                "learning_rate": {
                    "type": "warmup_cosine_decay_schedule", "init_value": 0.001, "peak_value": 0.01, "warmup_steps": 2,
                    "decay_steps": 20,
                },
            },
        ],
    },
}


def distance(a, b):
    def differences(x, y):
        return float(np.max(np.abs(np.asarray(x, np.float64) - np.asarray(y, np.float64))))

    found = jax.tree_util.tree_flatten_with_path(jax.tree.map(differences, a, b))[0]
    path, largest = max(found, key=lambda entry: entry[1])
    if largest > 1e-5:
        print(f"  largest difference {largest:.3g} at {jax.tree_util.keystr(path)}")
    return largest


def main():
    server = Server(sys.argv[1])
    for name in ("digits", "scripture"):
        server.upload(name, *FILES[name])
    for module, data, loss in PRESETS:
        name = module["type"]
        spec = {
            "name": name, "model": module, "data": {**data, "batch_size": 8, "shuffle": "none"}, "loss": loss,
            "optimizer": OPTIMIZER, "budget": {"steps": STEPS},
        }
        job = Job(spec)
        # Other values than those that are stored.
        template = job.create(jax.random.PRNGKey(9))

        def restored(trained):
            return flax.serialization.from_bytes(template, server.checkpoint(trained["checkpoint"]["id"])[1])

        def trained(state, batches):
            losses = []
            for index in batches:
                rows = slice(8 * index, 8 * index + 8)
                x, y = (jnp.asarray(part[rows]) for part in job.data["train"])
                state, value = job.step(state, x, y)
                losses.append(float(value))
            return state, losses

        first = server.train(spec)
        state = restored(first)
        later = server.train({**spec, "budget": {"steps": STEPS + 2}})
        expected = restored(later)
        mine, values = trained(state, range(STEPS, STEPS + 2))
        for index, value in enumerate(values, STEPS):
            reported = server.series(later, "train/loss")[1][index]
            check(abs(value - reported) <= 1e-5 * max(1, abs(value)), f"{name}: loss of step {index} is {value:.6f} in Flax")
        check(distance(mine.params, expected.params) <= 1e-5, f"{name}: parameters after two more steps agree with Flax's")
        parts = ["params", "opt_state", "step"] + (["batch_stats"] if hasattr(state, "batch_stats") else [])
        check(
            all(distance(getattr(mine, part), getattr(expected, part)) <= 1e-4 for part in parts),
            f"{name}: so do {', '.join(parts)}",
        )

        # The way back: Flax saves, Spindle goes on from there. Its data begins at the first batch.
        with tempfile.NamedTemporaryFile(suffix=".msgpack") as file:
            file.write(flax.serialization.to_bytes(state))
            file.flush()
            server.upload(f"flax-{name}", file.name, "application/msgpack")
        started = server.train({**spec, "budget": {"steps": 2}, "init": {"checkpoint": f"flax-{name}", "load": parts}})
        mine, _ = trained(state, range(2))
        check(distance(mine.params, restored(started).params) <= 1e-5, f"{name}: a job goes on from what Flax saved")
        again = server.train(
            {**spec, "budget": {"steps": 2}, "init": {"checkpoint": first["checkpoint"]["id"], "load": parts}}
        )
        check(distance(restored(started), restored(again)) == 0, f"{name}: and from its own checkpoint with the same bits")


main()
