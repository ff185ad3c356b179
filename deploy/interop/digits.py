"""Real Flax restores a digits checkpoint that Spindle wrote, and predicts what Spindle reported."""

import hashlib
import json
import sys

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.training.train_state import TrainState

import _data
from _data import repository
from _models import preset
from _spindle import Server, check

examples = repository / "deploy/examples"


def main():
    server = Server(sys.argv[1])
    server.upload("digits", examples / "digits.csv")
    spec = json.loads((examples / "digits.json").read_text())
    job = server.train(spec)
    model = preset(spec["model"])
    inputs, labels = _data.load(spec["data"])[0]["validation"]

    # The template's values differ from what is stored: seed 1, not 0.
    template = TrainState.create(
        apply_fn=model.apply,
        params=model.init(jax.random.PRNGKey(1), jnp.ones((1, 64)))["params"],
        tx=optax.adam(spec["optimizer"]["learning_rate"]),
    )
    steps_total = job["progress"]["steps_total"]
    for label, checkpoint_id in (("final", job["checkpoint"]["id"]), ("best", job["best"]["checkpoint"])):
        checkpoint, content = server.checkpoint(checkpoint_id)
        check(hashlib.sha256(content).hexdigest() == checkpoint["digest_hex"], f"{label}: SHA-256 as announced")
        state = flax.serialization.from_bytes(template, content)
        check(int(state.step) == checkpoint["step"], f"{label}: TrainState restored at step {int(state.step)}")
        check(int(state.opt_state[0].count) == checkpoint["step"], f"{label}: Adam's count is the step")
        # Dictionaries keep the order in which a module made them, until a jitted step sorts their keys: both are Flax's bytes.
        written = (flax.serialization.to_bytes(order) for order in (state, jax.tree.map(lambda leaf: leaf, state)))
        check(content in written, f"{label}: Flax writes the same bytes again")

        logits = np.asarray(state.apply_fn({"params": state.params}, jnp.asarray(inputs)))
        hidden = inputs
        for index in range(len(model.features)):
            layer = state.params[f"Dense_{index}"]
            hidden = hidden @ np.asarray(layer["kernel"]) + np.asarray(layer["bias"])
            if index < len(model.features) - 1:
                hidden = np.maximum(hidden, 0)
        span = np.abs(logits).max()
        check(np.abs(logits - hidden).max() <= 1e-6 * span, f"{label}: NumPy's forward pass agrees to 1e-6 of {span:.1f}")

        accuracy = float(np.mean(np.argmax(logits, axis=1) == labels))
        reported = checkpoint["metrics"]["validation/accuracy"]
        check(abs(accuracy - reported) <= 1e-6, f"{label}: validation accuracy {accuracy:.6f}, reported {reported:.6f}")
        losses = optax.softmax_cross_entropy_with_integer_labels(jnp.asarray(logits), jnp.asarray(labels))
        loss = float(np.mean(np.asarray(losses, dtype=np.float64)))
        reported = checkpoint["metrics"]["validation/loss"]
        check(abs(loss - reported) <= 1e-6 * max(1.0, abs(loss)), f"{label}: validation loss {loss:.8f}, reported {reported:.8f}")
    check(job["checkpoint"]["step"] == steps_total, f"the final checkpoint is of step {steps_total}")

    # What was restored trains on.
    grads = jax.grad(
        lambda params: optax.softmax_cross_entropy_with_integer_labels(model.apply({"params": params}, inputs[:32]), labels[:32]).mean()
    )(state.params)
    state = state.apply_gradients(grads=grads)
    check(all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params)), "a further step in Flax stays finite")


main()
