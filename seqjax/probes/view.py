"""A look into every recurrent layer of a model, at some examples: Jacobians, gradients of the loss, gates.

All by lag: how many real steps before the last one that the layer reads. So padding is no step, and a layer that reads
backwards is looked at in its own order.

Legend: B examples, T time, U units, L lags.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.errors import UserError
from seqjax.probes import jacobians
from seqjax.probes.jacobians import Fading
from seqjax.probes.listening import Heard, listening
from seqjax.probes.recurrences import Recurrence

EDGE = 0.05
"""A gate is saturated in the outer 5 % of its range, at either end."""


class Saturation(NamedTuple):
    """Of a gate, over all units and real steps of all examples."""

    low: float | None
    """Share in the outer 5 % of its range at the lower end; None: it has no ends."""
    high: float | None
    mean: float


class Layer(NamedTuple):
    """One direction of one layer."""

    recurrence: Recurrence
    steps: np.ndarray
    """[B]: real ones."""
    fading: list[Fading]
    """B, of the same lags."""
    by_state: dict[str, np.ndarray]
    """Part of the state (h, c) -> |dL/ds| [B, L]: NaN where the example is shorter."""
    by_input: np.ndarray
    """|dL/dx| [B, L]."""
    gates: dict[str, Saturation]
    radii: dict[str, float]
    """Spectral radius of each block of the recurrent kernel."""


def heard(
    model: Any, params: Any, inputs: Any, loss: Callable[[Any], jax.Array] | None = None
) -> tuple[dict[str, Recurrence], dict[str, Heard], dict[str, Any]]:
    """What every layer did in a call of a model, in float64, and the gradients towards its states and inputs.

    Args:
      model: a Linen module (inputs) -> outputs.
      params: of it.
      inputs: a tree of [B, ...].
      loss: outputs -> losses [B]; None: no gradients.

    Returns:
      by path: the recurrences, what was heard, (gradients [B, T, U] as the states, [B, T, D]); all NumPy arrays.

    Raises:
      UserError: there is no recurrent layer, or one within another loop.
    """
    found: dict[str, Recurrence] = {}

    def run(nudges: Any, params: Any, inputs: Any) -> tuple[jax.Array, dict[str, Heard]]:
        with listening(nudges) as listener:
            outputs = model.apply({"params": params}, inputs)
        found.update(listener.recurrences)
        return jnp.zeros(()) if loss is None else jnp.sum(loss(outputs)), listener.heard

    with jax.enable_x64(True):
        params, inputs = jax.tree.map(_wide, (params, inputs))
        try:
            shapes = jax.eval_shape(run, None, params, inputs)[1]
            if not shapes:
                raise UserError(f"{type(model).__name__} has no recurrent layer")
            if loss is None:
                return found, _on_host(jax.jit(run)(None, params, inputs)[1]), {}
            zeros = {path: (one.states, one.inputs) for path, one in shapes.items()}
            zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), zeros)
            gradients, seen = _on_host(jax.jit(jax.grad(run, has_aux=True))(zeros, params, inputs))
        except jax.errors.UnexpectedTracerError:
            raise UserError("a recurrent layer of this model runs within another loop: it cannot be heard") from None
    return found, seen, gradients


def _on_host(tree: Any) -> Any:
    """As NumPy arrays: float64 is no type of JAX's outside of this file."""
    return jax.tree.map(np.asarray, tree)


def _wide(leaf: Any) -> jax.Array:
    leaf = jnp.asarray(leaf)
    return leaf.astype(jnp.float64) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf


def look(
    model: Any, params: Any, inputs: Any, loss: Callable[[Any], jax.Array], lags: np.ndarray | None = None
) -> list[Layer]:
    """Look into every layer, in the order of their calls; the first four arguments and errors are those of `heard`.

    lags: at which; None: `jacobians.chosen_lags` of each layer's steps.
    """
    found, seen, gradients = heard(model, params, inputs, loss)
    return [_layer(recurrence, seen[path], gradients[path], lags) for path, recurrence in found.items()]


def _layer(recurrence: Recurrence, one: Heard, gradients: Any, lags: np.ndarray | None) -> Layer:
    steps = one.valid.sum(axis=1)
    lags = jacobians.chosen_lags(int(steps.max(initial=0))) if lags is None else lags
    towards, fed = gradients
    with jax.enable_x64(True):
        fading = [_fading(recurrence, one, b, lags) for b in range(len(steps))]
        gates = saturations(recurrence, one)
    by_state = {name: by_lag(_norm(leaf), one.valid, lags) for name, leaf in recurrence.named(towards).items()}
    by_input = by_lag(_norm(fed), one.valid, lags)
    return Layer(recurrence, steps, fading, by_state, by_input, gates, recurrence.radii(one.params))


def _norm(gradient: np.ndarray) -> np.ndarray:
    return np.linalg.norm(gradient, axis=-1)


def by_lag(values: np.ndarray, valid: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """values [B, T] at the last real step, the one before, ... -> [B, L]; NaN where there is none."""
    found = np.full((len(values), len(lags)), np.nan)
    for row, own, real in zip(found, values, valid, strict=True):
        own = own[real][::-1]
        row[lags < len(own)] = own[lags[lags < len(own)]]
    return found


def _fading(recurrence: Recurrence, one: Heard, b: int, lags: np.ndarray) -> Fading:
    """Of one example: steps that hold the state are left out, their Jacobian is 1."""
    real = one.valid[b]
    if not real.any():
        return Fading(lags, *np.where(lags == 0, 0.0, np.nan)[None].repeat(3, axis=0))
    own = jax.tree.map(lambda leaf: leaf[b][real], (one.states, one.xs))
    if recurrence.cell is None:
        return jacobians.of_diagonals(own[1][0], lags)
    initial = jax.tree.map(lambda leaf: leaf[b], one.initial)
    return jacobians.fading(jacobians.backwards(recurrence, one.params, initial, *own), lags)


def traces(recurrence: Recurrence, one: Heard) -> dict[str, np.ndarray]:
    """What stood in the gates at every step, [B, T, U] each, in the order in which the layer read."""
    before = jax.tree.map(
        lambda first, rest: np.concatenate([first[:, None], rest[:, :-1]], axis=1), one.initial, one.states
    )
    gates = lambda state, x: recurrence.gates(one.params, state, x)
    with jax.enable_x64(True):
        return _on_host(jax.jit(jax.vmap(jax.vmap(gates)))(before, one.xs))


def saturations(recurrence: Recurrence, one: Heard) -> dict[str, Saturation]:
    """Of every gate."""
    ends: Mapping[str, tuple[float, float]] = recurrence.ranges()
    found = {}
    for name, values in traces(recurrence, one).items():
        real = values[one.valid]  # [real steps, U]
        low = high = None
        if name in ends and real.size:
            least, most = ends[name]
            margin = EDGE * (most - least)
            low, high = float(np.mean(real <= least + margin)), float(np.mean(real >= most - margin))
        found[name] = Saturation(low, high, float(real.mean()) if real.size else 0.0)
    return found
