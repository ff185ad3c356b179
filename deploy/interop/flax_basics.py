"""The linear regression of the Flax guide: Spindle's 101 losses and its final parameters against JAX's own."""

import json
import pathlib
import sys

import flax.linen as nn
import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.training.train_state import TrainState

from _spindle import Server, check

examples = pathlib.Path(__file__).resolve().parents[1] / "examples"


def guide(steps, learning_rate):
    """As https://flax.readthedocs.io has it, with SGD: the data, the model, the loss, the steps."""
    samples, x_dim, y_dim = 20, 10, 5
    key1, key2 = jax.random.split(jax.random.PRNGKey(0))
    weights = jax.random.normal(key1, (x_dim, y_dim))
    bias = jax.random.normal(key2, (y_dim,))
    key_sample, key_noise = jax.random.split(key1)
    x = jax.random.normal(key_sample, (samples, x_dim))
    y = jnp.dot(x, weights) + bias + 0.1 * jax.random.normal(key_noise, (samples, y_dim))

    model = nn.Dense(features=y_dim)
    _, init_key = jax.random.split(jax.random.PRNGKey(0))
    params = model.init(init_key, x[0])["params"]
    state = TrainState.create(apply_fn=model.apply, params=params, tx=optax.sgd(learning_rate))

    def loss_of(params):
        errors = y - model.apply({"params": params}, x)
        return jnp.mean(jax.vmap(lambda error: jnp.inner(error, error) / 2.0)(errors), axis=0)

    step = jax.jit(jax.value_and_grad(loss_of))
    losses = []
    for _ in range(steps):
        loss, grads = step(state.params)
        losses.append(float(loss))
        state = state.apply_gradients(grads=grads)
    return losses, state, x


def main():
    server = Server(sys.argv[1])
    spec = json.loads((examples / "flax-basics.json").read_text())
    job = server.train(spec)
    steps, found = server.series(job, "train/loss")
    expected, state, x = guide(spec["budget"]["steps"], spec["optimizer"]["learning_rate"])
    check(len(found) == len(expected), f"{len(expected)} losses")
    worst = max(abs(a - b) / abs(b) for a, b in zip(found, expected))
    check(worst <= 1e-5, f"every loss within 1e-5 of JAX's (worst {worst:.1e}; first {found[0]:.6f}, last {found[-1]:.6f})")

    _, content = server.checkpoint(job["checkpoint"]["id"])
    template = state.replace(step=0, params=jax.tree.map(jnp.zeros_like, state.params))
    restored = flax.serialization.from_bytes(template, content)
    check(int(restored.step) == len(expected), f"Flax restores the TrainState at step {int(restored.step)}")
    ours = np.asarray(restored.apply_fn({"params": restored.params}, x))
    theirs = np.asarray(state.apply_fn({"params": state.params}, x))
    check(np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max(), "the trained models predict the same")


main()
