"""State, train step, evaluate step, and the program compiled from them: the only place with jit, donation, devices.

All randomness is a function of (seed, step): the dropout key is fold_in(key, step), and batch k is f(seed, k). So an
interrupted run that resumes from a checkpoint writes the same bytes as an uninterrupted one.

Legend: B batch, K steps in one dispatch.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from seqjax.data.dataset import Arrays, Dataset
from seqjax.data.pipeline import Batches, batches, steps_per_epoch
from seqjax.errors import UserError, check_least
from seqjax.experiment import Experiment

Tree = TypeVar("Tree")
Sums = dict[str, jax.Array]
Stack = tuple[Any, Any]  # ids [K, B], weights [K, B]


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to run, not what: the score does not depend on them."""

    steps_per_dispatch: int = 8
    """Steps in one call of the compiled program (fewer at the end of an epoch)."""
    checkpoint_seconds: float = 30.0
    """Between checkpoints within an epoch; each epoch also ends with one."""

    def __post_init__(self):
        check_least("steps_per_dispatch", self.steps_per_dispatch, 1)


class TrainState(struct.PyTreeNode):
    """All that a checkpoint has to hold."""

    step: jax.Array
    epoch: jax.Array
    """Epochs finished, evaluation included."""
    params: Any
    opt_state: optax.OptState
    key: jax.Array
    sums: Sums
    """Weighted sums over the epoch so far of the loss, the metrics and (`weight`) the weights."""
    bad_step: jax.Array
    """The first step (from 1) whose loss was not finite, or 0."""


def create_state(experiment: Experiment, inputs: Any) -> TrainState:
    """The state before the first step, from the experiment's seed alone.

    Args:
      experiment: whose model it is.
      inputs: of any one example, [1, ...], for the shapes.
    """
    params_key, key = jax.random.split(jax.random.key(experiment.seed))

    def create(inputs: Any) -> TrainState:
        params = experiment.model.init({"params": params_key}, inputs).get("params", {})
        return TrainState(
            step=jnp.int32(0),
            epoch=jnp.int32(0),
            params=params,
            opt_state=experiment.optimizer.init(params),
            key=key,
            sums=no_sums(experiment),
            bad_step=jnp.int32(0),
        )

    return jax.jit(create)(inputs)


def count_parameters(params: Any) -> int:
    """Trained and untrained parameters together."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def no_sums(experiment: Experiment) -> Sums:
    """The sums before the first example."""
    return {name: jnp.float32(0) for name in ("loss", *experiment.metrics, "weight")}


def _sums(experiment: Experiment, outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> Sums:
    functions = {"loss": experiment.loss, **experiment.metrics}
    sums = {name: jnp.sum(weights * function(outputs, targets)) for name, function in functions.items()}
    return sums | {"weight": jnp.sum(weights)}


def means(sums: Mapping[str, Any]) -> dict[str, Any]:
    """Weighted means from weighted sums, the loss first."""
    names = sorted(sums.keys() - {"weight"}, key=lambda name: name != "loss")  # jit has sorted a dict's keys
    return {name: sums[name] / sums["weight"] for name in names}


def make_train_step(
    experiment: Experiment, gather: Callable
) -> Callable[[TrainState, Stack, Arrays], tuple[TrainState, jax.Array]]:
    """A pure function (state, (ids [B], weights [B]), arrays) -> (state, loss), the body of a scan."""

    def train_step(state: TrainState, batch: Stack, arrays: Arrays) -> tuple[TrainState, jax.Array]:
        ids, weights = batch
        inputs, targets = gather(arrays, ids)
        rngs = {"dropout": jax.random.fold_in(state.key, state.step)}

        def objective(params: Any) -> tuple[jax.Array, Sums]:
            outputs = experiment.model.apply({"params": params}, inputs, train=True, rngs=rngs)
            sums = _sums(experiment, outputs, targets, weights)
            return sums["loss"] / sums["weight"], sums

        (loss, sums), gradients = jax.value_and_grad(objective, has_aux=True)(state.params)
        updates, opt_state = experiment.optimizer.update(gradients, state.opt_state, state.params)
        step = state.step + 1
        return state.replace(
            step=step,
            params=optax.apply_updates(state.params, updates),
            opt_state=opt_state,
            sums=jax.tree.map(jnp.add, state.sums, sums),
            bad_step=jnp.where((state.bad_step == 0) & ~jnp.isfinite(loss), step, state.bad_step),
        ), loss

    return train_step


def make_evaluate_step(experiment: Experiment, gather: Callable) -> Callable[[Sums, Stack, Any, Arrays], Sums]:
    """A pure function (sums, (ids [B], weights [B]), params, arrays) -> sums with this batch added."""

    def evaluate_step(sums: Sums, batch: Stack, params: Any, arrays: Arrays) -> Sums:
        ids, weights = batch
        inputs, targets = gather(arrays, ids)
        outputs = experiment.model.apply({"params": params}, inputs)
        return jax.tree.map(jnp.add, sums, _sums(experiment, outputs, targets, weights))

    return evaluate_step


class Program:
    """The pure functions compiled for the devices at hand, batches split over them along B.

    Attributes:
      train: (state, stack) -> (state, means of the epoch so far and `bad_step`); the state's buffers are donated.
      evaluate: (params, part) -> {name: mean over the part}.
    """

    def __init__(self, experiment: Experiment, dataset: Dataset, settings: Settings):
        """Puts the arrays on every device; compiles at first use."""
        self.experiment, self.dataset, self.settings = experiment, dataset, settings
        mesh = Mesh(np.asarray(jax.devices()), ("data",))
        if experiment.batch_size % mesh.size:
            raise UserError(f"batch_size {experiment.batch_size} does not divide over {mesh.size} devices")
        self._whole = NamedSharding(mesh, PartitionSpec())
        self._split = NamedSharding(mesh, PartitionSpec(None, "data"))
        self.arrays = jax.device_put(dict(dataset.arrays), self._whole)
        train_step = make_train_step(experiment, dataset.gather)
        evaluate_step = make_evaluate_step(experiment, dataset.gather)

        def train(state: TrainState, stack: Stack, arrays: Arrays) -> tuple[TrainState, dict[str, jax.Array]]:
            state, _ = jax.lax.scan(lambda carry, batch: train_step(carry, batch, arrays), state, stack)
            return state, means(state.sums) | {"bad_step": state.bad_step}

        def evaluate(sums: Sums, stack: Stack, params: Any, arrays: Arrays) -> Sums:
            add = lambda carry, batch: (evaluate_step(carry, batch, params, arrays), None)
            return jax.lax.scan(add, sums, stack)[0]

        stack = (self._split, self._split)
        whole = self._whole
        self._train = jax.jit(train, donate_argnums=0, in_shardings=(whole, stack, whole), out_shardings=whole)
        self._evaluate = jax.jit(evaluate, in_shardings=(whole, stack, whole, whole), out_shardings=whole)

    def place(self, tree: Tree) -> Tree:
        """A tree of arrays, whole on every device."""
        return jax.device_put(tree, self._whole)

    def batches(self, part: str, start: int, stop: int, seed: int | None = None):
        """Batches of a part, the slice of this host."""
        return batches(
            self.dataset.parts[part],
            batch_size=self.experiment.batch_size,
            start=start,
            stop=stop,
            seed=seed,
            stack=self.settings.steps_per_dispatch,
            host=jax.process_index(),
            hosts=jax.process_count(),
        )

    def train(self, state: TrainState, batch: Batches) -> tuple[TrainState, dict[str, jax.Array]]:
        """K steps in one dispatch."""
        return self._train(state, self._stack(batch), self.arrays)

    def evaluate(self, params: Any, part: str) -> dict[str, float]:
        """Means of the loss and the metrics over a part, every example once."""
        steps = steps_per_epoch(len(self.dataset.parts[part]), self.experiment.batch_size)
        sums = self.place(no_sums(self.experiment))
        for batch in self.batches(part, 0, steps):
            sums = self._evaluate(sums, self._stack(batch), params, self.arrays)
        return {name: float(value) for name, value in means(jax.device_get(sums)).items()}

    def _stack(self, batch: Batches) -> Stack:
        if jax.process_count() == 1:
            return batch.ids, batch.weights
        ids, weights = (
            jax.make_array_from_process_local_data(self._split, array) for array in (batch.ids, batch.weights)
        )
        return ids, weights
