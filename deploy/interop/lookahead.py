"""Real Optax goes on with a lookahead that Spindle trained. Optax's trains pairs of fast and slow parameters; in Spindle's checkpoint the
parameters are the fast ones, as with every other optimizer, and the state is Optax's with the slow ones beside it."""

import sys

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.training.train_state import TrainState

from _data import FILES
from _spindle import Server, check
from _specs import Job

STEPS, MORE = 7, 5
optimizer = {
    "type": "lookahead", "fast_optimizer": {"type": "adam", "learning_rate": 0.01}, "sync_period": 4, "slow_step_size": 0.5,
}


def with_slow_parameters(pairs):
    """Optax's lookahead as a transformation of the fast parameters, with the slow ones in the state."""

    def init(params):
        return {"lookahead": pairs.init(optax.LookaheadParams.init_synced(params)), "slow": params}

    def update(gradients, state, params):
        both = optax.LookaheadParams(params, state["slow"])
        changes, inner = pairs.update(gradients, state["lookahead"], both)
        return changes.fast, {"lookahead": inner, "slow": optax.apply_updates(state["slow"], changes.slow)}

    return optax.GradientTransformation(init, update)


def main():
    server = Server(sys.argv[1])
    server.upload("digits", *FILES["digits"])
    spec = {
        "name": "lookahead", "model": {"type": "MLP", "features": [16, 10]},
        "data": {
            "train": {"dataset": "digits"}, "target": "target", "transforms": [{"type": "scale", "by": 0.0625}],
            "batch_size": 8, "shuffle": "none",
        },
        "loss": "softmax_cross_entropy_with_integer_labels", "optimizer": optimizer, "budget": {"steps": STEPS},
    }
    job = Job(spec)
    # Other values than those that are stored.
    x = jnp.asarray(job.data["train"][0][:1])
    params = job.model.init(jax.random.PRNGKey(9), x, train=False)["params"]
    template = TrainState.create(apply_fn=job.model.apply, params=params, tx=with_slow_parameters(job.optimizer))

    def restored(trained):
        return flax.serialization.from_bytes(template, server.checkpoint(trained["checkpoint"]["id"])[1])

    state = restored(server.train(spec))
    expected = restored(server.train({**spec, "budget": {"steps": STEPS + MORE}}))
    for index in range(STEPS, STEPS + MORE):
        x, y = (jnp.asarray(part[8 * index : 8 * index + 8]) for part in job.data["train"])
        state, _ = job.step(state, x, y)
    for part in ("params", "opt_state"):
        both = zip(jax.tree.leaves(getattr(state, part)), jax.tree.leaves(getattr(expected, part)))
        largest = max(float(np.max(np.abs(np.asarray(a) - np.asarray(b)))) for a, b in both)
        check(largest <= 1e-5, f"lookahead: {part} after {MORE} more steps in Optax agree to {largest:.1g}")


main()
