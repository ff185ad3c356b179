"""Real Optax goes on with the states of optimizers that are more than one update: their trees are Optax's own, or, for a lookahead, Optax's
with the slow parameters beside it."""

import sys

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib

from _data import FILES
from _spindle import Server, check
from _specs import Job, entry

STEPS, MORE = 6, 3
adam = {"type": "adam", "learning_rate": 0.01}
climb = {"type": "chain", "transforms": ["normalize", {"type": "sgd", "learning_rate": 0.05}]}
plateau = {"factor": 0.5, "patience": 1, "min_scale": 0.1}


def with_slow_parameters(pairs):
    """Optax's lookahead trains pairs of fast and slow parameters. In Spindle's checkpoint the parameters are the fast ones, as with every
    other optimizer: a transformation of those, with the slow ones in the state."""

    def init(params):
        return {"lookahead": pairs.init(optax.LookaheadParams.init_synced(params)), "slow": params}

    def update(gradients, state, params):
        both = optax.LookaheadParams(params, state["slow"])
        changes, inner = pairs.update(gradients, state["lookahead"], both)
        return changes.fast, {"lookahead": inner, "slow": optax.apply_updates(state["slow"], changes.slow)}

    return optax.GradientTransformation(init, update)


def scaled(optimizer):
    """As the callback reduce_on_plateau between two evaluations: the scale of the state, which stays."""
    reduction = optax.contrib.reduce_on_plateau(rtol=0, atol=1e-9, **plateau)

    def update(updates, state, params=None):
        return jax.tree.map(lambda u: state.scale * u, updates), state

    return optax.chain(optimizer, optax.GradientTransformation(reduction.init, update))


def with_dictionary(chain):
    """Optax's named_chain with a plain dict as its state: Flax does not serialise the OrderedDict."""

    def update(updates, state, params=None):
        updates, state = chain.update(updates, state, params)
        return updates, dict(state)

    return optax.GradientTransformation(lambda params: dict(chain.init(params)), update)


# By name: the optimizer of the spec, its callbacks, and the same in Optax.
CASES = {
    "lookahead": (
        lookahead := {"type": "lookahead", "fast_optimizer": adam, "sync_period": 4, "slow_step_size": 0.5}, [],
        with_slow_parameters(entry(lookahead)),
    ),
    "named_chain": (
        {"type": "named_chain", "names": ["clip", "step"], "transforms": [{"type": "clip_by_global_norm", "max_norm": 0.5}, adam]}, [],
        with_dictionary(optax.named_chain(("clip", optax.clip_by_global_norm(0.5)), ("step", optax.adam(0.01)))),
    ),
    "sam": (
        {"type": "sam", "optimizer": adam, "adv_optimizer": climb, "sync_period": 3}, [],
        optax.contrib.sam(optax.adam(0.01), optax.chain(optax.contrib.normalize(), optax.sgd(0.05)), sync_period=3),
    ),
    "galore": (
        {"type": "galore", "learning_rate": 0.01, "rank": 4, "update_proj_gap": 100}, [],
        optax.contrib.galore(0.01, rank=4, update_proj_gap=100),
    ),
    "reduce_on_plateau": (
        {"type": "sgd", "learning_rate": 0.1, "momentum": 0.9},
        [{"type": "reduce_on_plateau", "metric": "validation/loss", "mode": "max", "min_delta": 1e-9, **plateau}],
        scaled(optax.sgd(0.1, momentum=0.9)),
    ),
}


def main():
    server = Server(sys.argv[1])
    server.upload("digits", *FILES["digits"])
    for name, (optimizer, callbacks, transformation) in CASES.items():
        spec = {
            "name": name, "model": {"type": "MLP", "features": [16, 10]},
            "data": {
                "train": {"dataset": "digits"}, "validation": {"dataset": "digits", "split": "0%:10%"}, "target": "target",
                "transforms": [{"type": "scale", "by": 0.0625}], "batch_size": 8, "shuffle": "none",
            },
            "loss": "softmax_cross_entropy_with_integer_labels", "optimizer": optimizer, "callbacks": callbacks,
            "budget": {"steps": STEPS}, "evaluation": {"every_steps": 3},
        }
        job = Job(spec, transformation)
        # Other values than those that are stored.
        template = job.create(jax.random.PRNGKey(9))

        def restored(trained):
            return flax.serialization.from_bytes(template, server.checkpoint(trained["checkpoint"]["id"])[1])

        state = restored(server.train(spec))
        expected = restored(server.train({**spec, "budget": {"steps": STEPS + MORE}}))
        for index in range(STEPS, STEPS + MORE):
            x, y = (jnp.asarray(part[8 * index : 8 * index + 8]) for part in job.data["train"])
            state, _ = job.step(state, x, y)
        parts = {"params": (state.params, expected.params), "opt_state": (state.opt_state, expected.opt_state)}
        if callbacks:
            # The evaluation after the last step has moved the callback's part on.
            check(float(state.opt_state[1].scale) == 0.5, f"{name}: Optax reads the scale that the callback has set")
            check(float(expected.opt_state[1].scale) == 0.25, f"{name}: and the next")
            parts["opt_state"] = (state.opt_state[0], expected.opt_state[0])
        for part, trees in parts.items():
            both = zip(*(jax.tree.leaves(tree) for tree in trees))
            largest = max(float(np.max(np.abs(np.asarray(a) - np.asarray(b)), initial=0)) for a, b in both)
            check(largest <= 1e-5, f"{name}: {part} after {MORE} more steps in Optax agree to {largest:.1g}")


main()
