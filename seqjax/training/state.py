"""The state between two steps, the train step and the evaluate step: pure functions, the bodies of scans.

All randomness is a function of (seed, step): the dropout key is fold_in(key, step), and batch k is f(seed, k). So an
interrupted run that resumes from a checkpoint writes the same bytes as an uninterrupted one.

Legend: B batch, K steps in one dispatch.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct, traverse_util

from seqjax.data.dataset import Arrays
from seqjax.errors import UserError
from seqjax.experiment import Experiment

Sums = dict[str, jax.Array]
Stack = tuple[Any, Any]  # ids [K, B], weights [K, B]


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


def create_state(experiment: Experiment, inputs: Any, initial: Mapping[str, Any] | None = None) -> TrainState:
    """The state before the first step, from the experiment's seed and the data's initial values alone.

    Args:
      experiment: whose model it is.
      inputs: of any one example, [1, ...], for the shapes.
      initial: `Dataset.initial`: values laid over the model's own.

    Raises:
      UserError: an initial value whose path or shape is not that of a parameter.
    """
    params_key, key = jax.random.split(jax.random.key(experiment.seed))

    def create(inputs: Any, initial: Mapping[str, Any]) -> TrainState:
        params = experiment.model.init({"params": params_key}, inputs).get("params", {})
        params = _laid_over(params, initial)
        return TrainState(
            step=jnp.int32(0),
            epoch=jnp.int32(0),
            params=params,
            opt_state=experiment.optimizer.init(params),
            key=key,
            sums=no_sums(experiment),
            bad_step=jnp.int32(0),
        )

    return jax.jit(create)(inputs, dict(initial or {}))


def _laid_over(params: Any, initial: Mapping[str, Any]) -> Any:
    """The parameters with some of them replaced, each under its path."""
    flat: dict[str, Any] = dict(traverse_util.flatten_dict(params, sep="/"))
    for path, value in initial.items():
        shape = flat[path].shape if path in flat else "none"
        if shape != value.shape:
            raise UserError(f"the initial values of {path} have shape {value.shape}, the model's {shape}")
        flat[path] = jnp.asarray(value, flat[path].dtype)
    return traverse_util.unflatten_dict(flat, sep="/")


def count_parameters(params: Any) -> int:
    """Trained and untrained parameters together."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def no_sums(experiment: Experiment) -> Sums:
    """The sums before the first example."""
    return {name: jnp.float32(0) for name in ("loss", *experiment.metrics, "weight")}


def sums_of(experiment: Experiment, outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> Sums:
    """Weighted sums of a batch: of the loss, each metric and the weights [B]."""
    functions = {"loss": experiment.loss, **experiment.metrics}
    sums = {name: jnp.sum(weights * function(outputs, targets)) for name, function in functions.items()}
    return sums | {"weight": jnp.sum(weights)}


def means(sums: Mapping[str, Any]) -> dict[str, Any]:
    """Weighted means from weighted sums, the loss first."""
    names = sorted(sums.keys() - {"weight"}, key=lambda name: name != "loss")  # jit has sorted a dict's keys
    return {name: sums[name] / sums["weight"] for name in names}


def float_means(sums: Mapping[str, Any]) -> dict[str, float]:
    """`means` for people and JSON, from sums on the host."""
    return {name: float(value) for name, value in means(sums).items()}


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
            sums = sums_of(experiment, outputs, targets, weights)
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
        return jax.tree.map(jnp.add, sums, sums_of(experiment, outputs, targets, weights))

    return evaluate_step
