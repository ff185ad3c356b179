"""A job spec as Flax and Optax read it: names and arguments of optimizers, schedules and losses are Optax's own."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.training import train_state

import _data
from _models import preset


class BatchNormState(train_state.TrainState):
    batch_stats: Any


def argument(name, value):
    if isinstance(value, dict) and "type" in value:
        return entry(value)
    if name == "transforms":
        return [entry(transform) for transform in value]
    if name == "mask":
        # The one pattern there is: every parameter of that name.
        last = value.removeprefix("**/")
        return lambda params: jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == last, params)
    return value


def entry(spec):
    """An optimizer, a transformation or a schedule."""
    spec = {"type": spec} if isinstance(spec, str) else spec
    arguments = {name: argument(name, value) for name, value in spec.items() if name != "type"}
    if spec["type"] == "chain":
        return optax.chain(*arguments["transforms"])
    if spec["type"] == "MultiSteps":
        return optax.MultiSteps(arguments["inner"], arguments["every_k_schedule"]).gradient_transformation()
    return getattr(optax, spec["type"])(**arguments)


def random_crop(x, key, padding):
    """Images with a border of zeros, cut out again at random: rows and columns draw from the halves of the key."""
    for axis, part in zip((1, 2), jax.random.split(key)):
        border = [(padding, padding) if each == axis else (0, 0) for each in range(x.ndim)]
        start = jax.random.randint(part, x.shape[:1], 0, 2 * padding + 1)
        size = x.shape[axis]
        x = jax.vmap(lambda image, at: jax.lax.dynamic_slice_in_dim(image, at, size, axis - 1))(jnp.pad(x, border), start)
    return x


class Job:
    """What a spec trains, with the random keys that Spindle documents."""

    def __init__(self, spec, optimizer=None):
        """With another optimizer than the spec's, where Optax has it in another form."""
        self.spec = spec
        self.data, vocabulary = _data.load(spec["data"])
        self.model = preset(spec["model"], vocabulary)
        self.optimizer = optimizer or entry(spec["optimizer"])
        self.data_key, self.init_key = jax.random.split(jax.random.PRNGKey(spec.get("seed", 0)))
        crops = [entry for entry in spec["data"]["transforms"] if isinstance(entry, dict) and entry["type"] == "random_crop"]
        self.paddings = [crop["padding"] for crop in crops]

    def create(self, key=None):
        """The state before the first step."""
        x = self.data["train"][0][:1]
        variables = self.model.init({"params": self.init_key if key is None else key}, jnp.asarray(x), train=False)
        extra = {"batch_stats": variables["batch_stats"]} if "batch_stats" in variables else {}
        kind = BatchNormState if extra else train_state.TrainState
        return kind.create(apply_fn=self.model.apply, params=variables["params"], tx=self.optimizer, **extra)

    def losses(self, output, y):
        return getattr(optax, self.spec["loss"])(output, y)

    def step(self, state, x, y):
        """The state after one training step, and the step's loss."""
        key = jax.random.fold_in(jax.random.fold_in(self.data_key, 2**32 - 1), state.step)
        rngs = {"dropout": key, "noise": jax.random.fold_in(key, 1)}
        for index, padding in enumerate(self.paddings):
            x = random_crop(x, jax.random.fold_in(jax.random.fold_in(key, 2), index), padding)
        stats = {"batch_stats": state.batch_stats} if hasattr(state, "batch_stats") else {}

        def objective(params):
            variables = {"params": params, **stats}
            output, changed = state.apply_fn(variables, x, train=True, mutable=["batch_stats", "losses"], rngs=rngs)
            return self.losses(output, y).mean() + sum(jax.tree.leaves(changed.get("losses", {}))), changed

        (value, changed), gradients = jax.value_and_grad(objective, has_aux=True)(state.params)
        extra = {"batch_stats": changed["batch_stats"]} if stats else {}
        return state.apply_gradients(grads=gradients, **extra), value

    def batches(self, epoch):
        """Inputs and targets of an epoch's steps, in the order of the epoch; what fills no batch is left out."""
        x, y = self.data["train"]
        order = np.asarray(jax.random.permutation(jax.random.fold_in(self.data_key, epoch), len(x)))
        size = self.spec["data"]["batch_size"]
        order = order[: len(x) // size * size].reshape(-1, size)
        return jnp.asarray(x[order]), jnp.asarray(y[order])

    def train(self, report):
        """The final state, and the loss of every step."""
        epoch_steps = jax.jit(lambda state, batches: jax.lax.scan(lambda state, batch: self.step(state, *batch), state, batches))
        state = self.create().replace(step=jnp.zeros((), jnp.int32))
        losses = []
        for epoch in range(self.spec["budget"]["epochs"]):
            state, values = epoch_steps(state, self.batches(epoch))
            losses += values.tolist()
            report(epoch, losses[-1])
        return state, losses

    def evaluate(self, state):
        """`validation/loss`, and `validation/accuracy` or `validation/perplexity` where the target says so."""
        total, hits, count = 0.0, 0.0, 0
        x, y = self.data["validation"]
        stats = {"batch_stats": state.batch_stats} if hasattr(state, "batch_stats") else {}

        @jax.jit
        def judge(x, y):
            output, sown = state.apply_fn({"params": state.params, **stats}, x, train=False, mutable=["losses"])
            losses = self.losses(output, y)
            truth = y if y.ndim < output.ndim else y.argmax(-1)
            return losses.mean() + sum(jax.tree.leaves(sown)), (output.argmax(-1) == truth).mean()

        for start in range(0, len(x), 256):
            rows = slice(start, start + 256)
            size = len(x[rows])
            loss, accuracy = judge(jnp.asarray(x[rows]), jnp.asarray(y[rows]))
            total, hits, count = total + size * float(loss), hits + size * float(accuracy), count + size
        loss = total / count
        return {"validation/loss": loss, "validation/accuracy": hits / count, "validation/perplexity": float(np.exp(loss))}
