"""Every preset, written again in Flax from its documentation: real Flax restores what Spindle trained, takes the next training
step with the same random keys, and gets the parameters that Spindle gets; and Spindle goes on from what Flax saved."""

import sys
import tempfile
from typing import Any

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.training import train_state

from _presets import PRESETS, cross_entropy, digits_file, text_file
from _spindle import Server, check

STEPS = 4


class BatchNormState(train_state.TrainState):
    batch_stats: Any


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


def optimizer():
    def mask(params):
        return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == "kernel", params)

    rate = optax.warmup_cosine_decay_schedule(0.001, 0.01, 2, 20)
    inner = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, eps=1e-5, weight_decay=0.1, mask=mask))
    return optax.MultiSteps(inner, 2).gradient_transformation()


def create(model, x):
    variables = model.init({"params": jax.random.PRNGKey(9)}, x, train=False)
    extra = {"batch_stats": variables["batch_stats"]} if "batch_stats" in variables else {}
    kind = BatchNormState if extra else train_state.TrainState
    return kind.create(apply_fn=model.apply, params=variables["params"], tx=optimizer(), **extra)


def step(model, state, loss, x, y):
    """One training step, with the keys that a Spindle job of seed 0 has at this step."""
    data_key = jax.random.split(jax.random.PRNGKey(0))[0]
    key = jax.random.fold_in(jax.random.fold_in(data_key, 2**32 - 1), state.step)
    rngs = {"dropout": key, "noise": jax.random.fold_in(key, 1)}
    stats = getattr(state, "batch_stats", None)

    def objective(params):
        variables = {"params": params, **({"batch_stats": stats} if stats is not None else {})}
        output, changed = model.apply(variables, x, train=True, mutable=["batch_stats", "losses"], rngs=rngs)
        values = (
            optax.softmax_cross_entropy_with_integer_labels(output, y) if loss == cross_entropy else optax.squared_error(output, y)
        )
        return values.mean() + sum(jax.tree.leaves(changed.get("losses", {}))), changed

    (value, changed), gradients = jax.value_and_grad(objective, has_aux=True)(state.params)
    extra = {"batch_stats": changed["batch_stats"]} if stats is not None else {}
    return state.apply_gradients(grads=gradients, **extra), float(value)


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
    server.upload("digits", digits_file)
    server.upload("scripture", text_file, "text/plain")
    for module, data, loss, model, (x, y) in PRESETS:
        name = module["type"]
        spec = {
            "name": name, "model": module, "data": {**data, "batch_size": 8, "shuffle": "none"}, "loss": loss,
            "optimizer": OPTIMIZER, "budget": {"steps": STEPS},
        }
        template = create(model, jnp.asarray(x[:8]))

        def restored(job):
            return flax.serialization.from_bytes(template, server.checkpoint(job["checkpoint"]["id"])[1])

        first = server.train(spec)
        state = restored(first)
        later = server.train({**spec, "budget": {"steps": STEPS + 2}})
        expected = restored(later)
        losses = server.series(later, "train/loss")[1]
        mine = state
        for index in range(STEPS, STEPS + 2):
            batch = slice(8 * index, 8 * index + 8)
            mine, value = step(model, mine, loss, jnp.asarray(x[batch]), jnp.asarray(y[batch]))
            check(abs(value - losses[index]) <= 1e-5 * max(1, abs(value)), f"{name}: loss of step {index} is {value:.6f} in Flax")
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
        started = server.train(
            {**spec, "budget": {"steps": 2}, "init": {"checkpoint": f"flax-{name}", "load": parts}}
        )
        mine = state
        for index in range(2):
            batch = slice(8 * index, 8 * index + 8)
            mine, _ = step(model, mine, loss, jnp.asarray(x[batch]), jnp.asarray(y[batch]))
        check(distance(mine.params, restored(started).params) <= 1e-5, f"{name}: a job goes on from what Flax saved")
        again = server.train(
            {**spec, "budget": {"steps": 2}, "init": {"checkpoint": first["checkpoint"]["id"], "load": parts}}
        )
        check(distance(restored(started), restored(again)) == 0, f"{name}: and from its own checkpoint with the same bits")


main()
