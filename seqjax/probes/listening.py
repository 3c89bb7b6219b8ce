"""A whole model run with every recurrent layer step by step, so that what goes on inside can be heard and nudged.

The layers' own backends are not called: each of them becomes a scan of `recurrences.Recurrence`, whose numbers are the
same but for rounding. The gradient of a loss towards all states and inputs is that towards nudges of 0.

Legend: B batch, T time, D features, U units.
"""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from seqjax.errors import UserError
from seqjax.layers.composite import Bidirectional, Stacked
from seqjax.layers.inputs import check_inputs, dense
from seqjax.layers.linear_recurrent import LinearRecurrent
from seqjax.layers.recurrent import RNN, Recurrent, RecurrentLayer
from seqjax.layers.scan import repeat_last_valid
from seqjax.probes import recurrences
from seqjax.probes.recurrences import Recurrence

MOST = 1 << 27
"""Numbers that a layer may be fed: a gigabyte."""


class Heard(NamedTuple):
    """What one direction of a layer was fed and did, in the order in which it read (from the end if reversed)."""

    params: Any
    """Of its cell; of a layer that is linear in its state its own."""
    inputs: Any
    """[B, T, D]."""
    xs: Any
    """What `Recurrence.step` takes: the inputs, or (decay, update)."""
    valid: Any
    """[B, T] bool."""
    initial: Any
    """The state before, leaves [B, U]."""
    states: Any
    """After each step, leaves [B, T, U]."""


@dataclasses.dataclass
class Listener:
    """Takes the place of the layers' `run` (see `listening`). Made anew for each call of a model."""

    nudges: Any = None
    """By path (states [B, T, U], inputs [B, T, D]), as the layers read; None: none."""
    dtype: Any = jnp.float64
    heard: dict[str, Heard] = dataclasses.field(default_factory=dict)
    recurrences: dict[str, Recurrence] = dataclasses.field(default_factory=dict)

    def __call__(self, run: Callable[..., Any], args: Any, options: Any, context: Any) -> Any:
        """As `flax.linen.intercept_methods` wants it."""
        module = context.module
        if context.method_name != "run" or not isinstance(module, Recurrent) or isinstance(module, Stacked):
            return run(*args, **options)
        if isinstance(module, Bidirectional):
            return both(module, *args, **options)
        if isinstance(module, RNN | RecurrentLayer | LinearRecurrent):
            return self.listen(module, *args, **options)
        return run(*args, **options)

    def listen(
        self,
        layer: Any,
        inputs: Any,
        mask: Any = None,
        initial_state: Any = None,
        train: bool = False,
        sequences: bool = True,
        **options: Any,
    ) -> tuple[Any, Any, Any]:
        """As the layer's `run`."""
        del train, sequences, options
        path = self._path(layer)
        inputs, mask = check_inputs(type(layer).__name__, inputs, mask)
        if inputs.ndim != 3:
            raise UserError(
                f"{path} is fed pictures, and states that are pictures have no Jacobian of a size to look at"
            )
        if math.prod(inputs.shape) > MOST:
            raise UserError(f"{path} is fed vectors of {inputs.shape[2]:,} numbers: too many; look at fewer examples")
        x = dense(inputs).astype(self.dtype)
        recurrence = recurrences.of_layer(layer, path, self.dtype)
        turn = (lambda tree: jax.tree.map(lambda leaf: jnp.flip(leaf, 1), tree)) if recurrence.reverse else lambda t: t
        pushed, fed = (None, None) if self.nudges is None else self.nudges[path]
        x = x if fed is None else x + turn(fed)
        valid = jnp.ones(x.shape[:2], bool) if mask is None else mask
        params, xs, initial, read = self._parts(layer, recurrence, x, initial_state)
        xs = turn(xs)
        follow = lambda xs, initial, valid, pushed: recurrences.states(recurrence, params, xs, initial, valid, pushed)
        found = jax.vmap(follow)(xs, initial, turn(valid), pushed)
        self.recurrences[path] = recurrence
        self.heard[path] = Heard(params, turn(x), xs, turn(valid), initial, found)
        outputs = read(turn(found))
        if mask is not None and (not hasattr(recurrence.cell, "output")):
            outputs = repeat_last_valid(outputs, mask, recurrence.reverse)
        return outputs, outputs[:, 0 if recurrence.reverse else -1], jax.tree.map(lambda leaf: leaf[:, -1], found)

    def _path(self, layer: Any) -> str:
        path = "/".join(layer.path) or type(layer).__name__
        while path in self.heard:
            path += "'"
        return path

    def _parts(self, layer: Any, recurrence: Recurrence, x: jax.Array, given: Any) -> tuple[Any, Any, Any, Any]:
        """-> (params, what the steps are fed, initial state, states -> outputs)."""
        batch, _, features = x.shape
        params = layer.variables.get("params", {})
        if recurrence.cell is None:
            decay, update, read = layer.terms(x)
            kind = jnp.result_type(self.dtype, jnp.complex64) if layer.complex_state else self.dtype
            zeros = jnp.zeros((batch, layer.units), kind)
            xs = decay.astype(kind), update.astype(kind)
            return params, xs, zeros if given is None else given.astype(kind), read
        params = params.get("cell", {})
        initial = recurrence.cell.initialize_carry(jax.random.key(0), (batch, features)) if given is None else given
        initial = jax.tree.map(lambda leaf: leaf.astype(self.dtype), tuple(initial) if _pair(initial) else initial)
        return params, x, initial, lambda states: _output(recurrence.cell, states)


def _pair(state: Any) -> bool:
    return isinstance(state, tuple | list)


def _output(cell: Any, states: Any) -> jax.Array:
    """The outputs of states: the cell's own, else h, which Flax's LSTMs have last."""
    if hasattr(cell, "output"):
        return cell.output(states)
    return states[-1] if _pair(states) else states


def both(layer: Any, inputs: Any, mask: Any = None, initial_state: Any = None, *rest: Any, **options: Any) -> Any:
    """`Bidirectional.run` by a call of each direction, where a backend would run the two by one."""
    states = (None, None) if initial_state is None else initial_state
    halves = zip((layer.forward, layer.backward), states, strict=True)
    first, second = (half.run(inputs, mask, state, *rest, **options) for half, state in halves)
    return layer._merge(first[0], second[0]), layer._merge(first[1], second[1]), (first[2], second[2])


@contextlib.contextmanager
def listening(nudges: Any = None, dtype: Any = jnp.float64) -> Iterator[Listener]:
    """Within it, models run with a listener."""
    listener = Listener(nudges, dtype)
    with nn.intercept_methods(listener):
        yield listener
