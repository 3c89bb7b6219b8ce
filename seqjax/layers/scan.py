"""Any cell along time with `nn.scan`: the plain definition of every recurrent layer.

Legend: B batch, T time, U units, G gates.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn


def scan_cell(
    cell: nn.Module,
    carry: Any,
    inputs: jax.Array,
    mask: jax.Array | None = None,
    *,
    reverse: bool = False,
    drop: jax.Array | None = None,
    zoneout: float = 0.0,
    zoneout_keys: jax.Array | None = None,
) -> tuple[Any, Any]:
    """Run a cell along time with `nn.scan`: the plain definition, which every backend must equal.

    Args:
      cell: a Linen module (carry, x) -> (carry, y). If it has a method `output(carry) -> y`, masked steps give the
        output of the held state; else they repeat the last valid y (zero before the first). If it has two methods
        `ahead(inputs [B, T, ...]) -> z` and `follow(carry, z of one step) -> (carry, y)`, the first is called once, for
        what all steps need of their inputs alone, and the second at each of them.
      carry: the initial state; every leaf [B, ...].
      inputs: [B, T, ...].
      mask: [B, T] bool, or None.
      reverse: from the last step to the first; outputs stay aligned with the inputs.
      drop: [G or 1, B, U], handed to the cell as its third argument when given; [T, G or 1, B, U]: that of each step.
      zoneout: the probability that an element of the state keeps its old value (Krueger et al. 2016).
      zoneout_keys: [T] keys in training; None: the expected value is taken.

    Returns:
      the final state, and the outputs [B, T, ...].
    """

    by_parts = hasattr(cell, "ahead")
    inputs = cell.ahead(inputs) if by_parts else inputs  # type: ignore[attr-defined]

    each, drop = (drop, None) if drop is not None and drop.ndim == 4 else (None, drop)

    def step(cell: Any, carry: Any, xs: Any, drop: Any) -> tuple[Any, Any]:
        x, valid, key, own = xs
        drop = own if drop is None else drop
        arguments = (carry, x) if drop is None else (carry, x, drop)
        new, y = cell.follow(*arguments) if by_parts else cell(*arguments)
        new = _zoneout(carry, new, zoneout, key)
        new = _hold(carry, new, valid)
        return new, cell.output(new).astype(y.dtype) if hasattr(cell, "output") else y

    scan = nn.scan(
        step,
        variable_broadcast="params",
        split_rngs={"params": False, "dropout": True},
        in_axes=(0, nn.broadcast),  # type: ignore[arg-type]
        reverse=reverse,
    )
    time_first = jax.tree.map(lambda leaf: jnp.swapaxes(leaf, 0, 1), inputs)
    xs = (time_first, None if mask is None else mask.T, zoneout_keys, each)
    carry, outputs = scan(cell, carry, xs, drop)
    outputs = jax.tree.map(lambda y: jnp.swapaxes(y, 0, 1), outputs)
    if mask is not None and not hasattr(cell, "output"):
        outputs = jax.tree.map(lambda y: repeat_last_valid(y, mask, reverse), outputs)
    return carry, outputs


def _zoneout(old: Any, new: Any, rate: float, key: Any) -> Any:
    if rate == 0.0:
        return new
    if key is None:
        return jax.tree.map(lambda o, n: rate * o + (1 - rate) * n, old, new)
    leaves, structure = jax.tree.flatten(new)
    keys = jax.tree.unflatten(structure, list(jax.random.split(key, len(leaves))))
    return jax.tree.map(lambda k, o, n: jnp.where(jax.random.bernoulli(k, rate, n.shape), o, n), keys, old, new)


def _hold(old: Any, new: Any, valid: jax.Array | None) -> Any:
    if valid is None:
        return new
    return jax.tree.map(lambda o, n: jnp.where(valid.reshape(-1, *[1] * (n.ndim - 1)), n, o), old, new)


def repeat_last_valid(y: jax.Array, mask: jax.Array, reverse: bool) -> jax.Array:
    """y [B, T, ...]: at masked steps the y of the valid step before (after, if reversed); zero if there is none."""
    if reverse:
        return jnp.flip(repeat_last_valid(jnp.flip(y, 1), jnp.flip(mask, 1), False), 1)
    last = jax.lax.cummax(jnp.where(mask, jnp.arange(mask.shape[1])[None, :], -1), axis=1)
    last = last.reshape(*mask.shape, *[1] * (y.ndim - 2))
    return jnp.where(last >= 0, jnp.take_along_axis(y, jnp.maximum(last, 0), axis=1), 0)
