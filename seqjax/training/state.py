"""The state between two steps, the train step and the evaluate step: pure functions, the bodies of scans.

All randomness is a function of (seed, step): the dropout key is fold_in(key, step), and batch k is f(seed, k). So an
interrupted run that resumes from a checkpoint writes the same bytes as an uninterrupted one.

Legend: B batch, K steps in one dispatch.
"""

import functools
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
COUNT = " count"
"""After a name among the sums: how many there are of what the mean is over, where these are not the examples."""


class Tally(struct.PyTreeNode):
    """What an evaluation hands from batch to batch."""

    sums: Sums
    carry: Any = None
    """As in `CarryingState`."""

    def cleared(self) -> "Tally":
        """Before the first batch."""
        return jax.tree.map(jnp.zeros_like, self)


class TrainState(struct.PyTreeNode):
    """All that a checkpoint has to hold."""

    step: jax.Array
    epoch: jax.Array
    """Epochs finished, evaluation included."""
    params: Any
    opt_state: optax.OptState
    key: jax.Array
    sums: Sums
    """Weighted sums over the epoch so far: see `sums_of`."""
    bad_step: jax.Array
    """The first step (from 1) whose loss was not finite, or 0."""

    def tally(self) -> Tally:
        """Nothing counted yet."""
        return Tally(self.sums, getattr(self, "carry", None)).cleared()


class CarryingState(TrainState):
    """The state of a model that hands something on from batch to batch (truncated backpropagation through time)."""

    carry: Any = None
    """The model's collection "carry", each leaf [B, ...]: every row of a batch goes on where that row of the one before
    ended."""


def create_state(
    experiment: Experiment, inputs: Any, initial: Mapping[str, Any] | None = None, targets: Any = None
) -> TrainState:
    """The state before the first step, from the experiment's seed and the data's initial values alone.

    Args:
      experiment: whose model it is.
      inputs: of any one example, [1, ...], for the shapes.
      initial: `Dataset.initial`: values laid over the model's own.
      targets: of that example; None is enough where the loss and all metrics give one number for each.

    Raises:
      UserError: an initial value whose path or shape is not that of a parameter.
    """
    params_key, key = jax.random.split(jax.random.key(experiment.seed))

    def create(inputs: Any, initial: Mapping[str, Any], targets: Any) -> TrainState:
        outputs, variables = experiment.model.init_with_output({"params": params_key}, inputs)
        params = _laid_over(variables.get("params", {}), initial)
        carry = _rows(variables.get("carry"), experiment.batch_size)
        kind = TrainState if carry is None else functools.partial(CarryingState, carry=carry)
        return kind(
            step=jnp.int32(0),
            epoch=jnp.int32(0),
            params=params,
            opt_state=experiment.optimizer.init(params),
            key=key,
            sums=_no_sums(experiment, outputs, targets),
            bad_step=jnp.int32(0),
        )

    return jax.jit(create)(inputs, dict(initial or {}), targets)


def _rows(carry: Any, count: int) -> Any:
    """The carry of one example, [1, ...], for the rows of a batch."""
    return jax.tree.map(lambda leaf: jnp.repeat(leaf, count, axis=0), carry)


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


def _no_sums(experiment: Experiment, outputs: Any, targets: Any) -> Sums:
    """The sums before the first example."""
    if targets is None:
        return {name: jnp.float32(0) for name in ("loss", *experiment.metrics, "weight")}
    rows = len(jax.tree.leaves(outputs)[0])
    found = jax.eval_shape(functools.partial(sums_of, experiment), outputs, targets, jnp.ones(rows))
    return {name: jnp.float32(0) for name in found}


def sums_of(experiment: Experiment, outputs: Any, targets: Any, weights: jax.Array) -> Sums:
    """Weighted sums of a batch: of the loss, each metric and (`weight`) the weights [B].

    Of one that gives sums and counts, [B] each (of a row's tokens, say), there is `NAME count` too.
    """
    sums = {"weight": jnp.sum(weights)}
    for name, function in {"loss": experiment.loss, **experiment.metrics}.items():
        found = function(outputs, targets)
        if isinstance(found, tuple):
            found, counts = found
            sums[name + COUNT] = jnp.sum(weights * counts)
        sums[name] = jnp.sum(weights * found)
    return sums


def mean(sums: Mapping[str, Any], name: str) -> Any:
    """The weighted mean of the loss or of a metric; of nothing, 0."""
    return sums[name] / count(sums, name)


def count(sums: Mapping[str, Any], name: str) -> Any:
    """By what the sum of the loss or of a metric is divided; of nothing, 1."""
    found = sums.get(name + COUNT, sums["weight"])
    return found + (found == 0)


def means(sums: Mapping[str, Any]) -> dict[str, Any]:
    """Weighted means from weighted sums, the loss first."""
    names = [name for name in sums if name != "weight" and not name.endswith(COUNT)]
    return {name: mean(sums, name) for name in sorted(names, key=lambda name: (name != "loss", name))}


def float_means(sums: Mapping[str, Any]) -> dict[str, float]:
    """`means` for people and JSON, from sums on the host."""
    return {name: float(value) for name, value in means(sums).items()}


def apply(model: Any, params: Any, carry: Any, inputs: Any, **options: Any) -> tuple[Any, Any]:
    """The model's outputs and its carry after them; without one (None) it begins anew."""
    if carry is None:
        return model.apply({"params": params}, inputs, **options), None
    outputs, changed = model.apply({"params": params, "carry": carry}, inputs, mutable=["carry"], **options)
    return outputs, changed["carry"]


def make_train_step(
    experiment: Experiment, gather: Callable
) -> Callable[[TrainState, Stack, Arrays], tuple[TrainState, jax.Array]]:
    """A pure function (state, (ids [B], weights [B]), arrays) -> (state, loss), the body of a scan."""

    def train_step(state: TrainState, batch: Stack, arrays: Arrays) -> tuple[TrainState, jax.Array]:
        key = jax.random.fold_in(state.key, state.step)
        objective = lambda sums: mean(sums, "loss")
        found = differentiated(
            experiment, gather, objective, state.params, key, batch, getattr(state, "carry", None), arrays
        )
        return updated(experiment, state, *found)

    return train_step


def differentiated(
    experiment: Experiment,
    gather: Callable,
    objective: Callable[[Sums], jax.Array],
    params: Any,
    key: jax.Array,
    batch: Stack,
    carry: Any,
    arrays: Arrays,
) -> tuple[Sums, Any, Any]:
    """What some rows of a batch say: their sums, the carry after them, the gradient of `objective` of the sums."""
    ids, weights = batch
    inputs, targets = gather(arrays, ids)

    def of_params(params: Any) -> tuple[jax.Array, tuple[Sums, Any]]:
        outputs, after = apply(experiment.model, params, carry, inputs, train=True, rngs={"dropout": key})
        sums = sums_of(experiment, outputs, targets, weights)
        return objective(sums), (sums, after)

    (_, (sums, after)), gradients = jax.value_and_grad(of_params, has_aux=True)(params)
    return sums, after, gradients


def updated(
    experiment: Experiment, state: TrainState, sums: Sums, carry: Any, gradients: Any
) -> tuple[TrainState, jax.Array]:
    """The state after a step, from the sums of its batch, the carry after it and the gradient of its loss; the loss."""
    loss = mean(sums, "loss")
    updates, opt_state = experiment.optimizer.update(gradients, state.opt_state, state.params)
    step = state.step + 1
    return state.replace(
        step=step,
        params=optax.apply_updates(state.params, updates),
        opt_state=opt_state,
        sums=jax.tree.map(jnp.add, state.sums, sums),
        bad_step=jnp.where((state.bad_step == 0) & ~jnp.isfinite(loss), step, state.bad_step),
        **({} if carry is None else {"carry": carry}),
    ), loss


def make_evaluate_step(experiment: Experiment, gather: Callable) -> Callable[[Tally, Stack, Any, Arrays], Tally]:
    """A pure function (tally, (ids [B], weights [B]), params, arrays) -> tally with this batch added."""

    def evaluate_step(tally: Tally, batch: Stack, params: Any, arrays: Arrays) -> Tally:
        ids, weights = batch
        inputs, targets = gather(arrays, ids)
        outputs, carry = apply(experiment.model, params, tally.carry, inputs)
        sums = sums_of(experiment, outputs, targets, weights)
        return Tally(jax.tree.map(jnp.add, tally.sums, sums), carry)

    return evaluate_step
