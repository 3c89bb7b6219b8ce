"""A layer as the backends fused and native run it, and two of them on two devices, each with its own direction of time.

Legend: B batch, T time, D features, U units, G gates.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from seqjax.layers.backends.fused_cells import FusedCell, State
from seqjax.layers.sharding import DIRECTIONS, over_devices
from seqjax.layers.tokens import Tokens

Results = list[tuple[jax.Array | None, State]]
"""For each direction (outputs [B, T, U] or None, final state of arrays [B, U])."""


class Direction(NamedTuple):
    """One layer's share of a run; `seqjax.layers.recurrent` makes it."""

    parameters: Mapping[str, jax.Array]
    """kernel [D, G*U], recurrent_kernel [U, G*U], bias [G*U] or [2, G*U]."""
    state: State
    """Each [B, U]."""
    drop: jax.Array | None
    """[G or 1, B, U]."""
    reverse: bool | jax.Array
    """From the last step to the first. An array where each device runs its own direction."""


def input_bias(cell: FusedCell, bias: jax.Array) -> jax.Array:
    """What stands in the gates without the state: [G*U]. A GRU's recurrent bias of z and r belongs to it."""
    if bias.ndim == 1:
        return bias
    units = bias.shape[1] // cell.gates
    return bias[0] + bias[1].at[-units:].set(0)


def inner_bias(bias: jax.Array) -> jax.Array | None:
    """The GRU's bias inside the reset product [U]."""
    return None if bias.ndim == 1 else bias[1].reshape(3, -1)[2]


def run_apart(
    run: Callable[..., Results],
    cell: FusedCell,
    directions: Sequence[Direction],
    inputs: Any,
    mask: Any,
    sequences: bool,
    *,
    train: bool,
    turned: bool,
) -> Results:
    """`run` of two directions on two devices; with `train` each has half of the columns of a table of even width.

    With `turned` it is the inputs that are reversed, for a `run` to which the direction must be known beforehand.
    """

    def own(operands: Any) -> Any:
        pairs, inputs, mask = operands
        first = jax.lax.axis_index(DIRECTIONS) == 0
        parameters, state, drop = jax.tree.map(functools.partial(jnp.where, first), *pairs)
        reverse = jnp.where(first, directions[0].reverse, directions[1].reverse)
        if not turned:
            result = run(cell, [Direction(parameters, state, drop, reverse)], inputs, mask, sequences)[0]
            return jax.lax.all_gather(result, DIRECTIONS)
        turn = functools.partial(jax.tree.map, lambda steps: jnp.where(reverse, jnp.flip(steps, axis=1), steps))
        if isinstance(inputs, Tokens):
            inputs = dataclasses.replace(inputs, ids=turn(inputs.ids), mask=turn(inputs.mask))
        else:
            inputs = turn(inputs)
        ((outputs, state),) = run(cell, [Direction(parameters, state, drop, False)], inputs, turn(mask), sequences)
        return jax.lax.all_gather((turn(outputs), state), DIRECTIONS)

    whole = shares = PartitionSpec()
    if train and isinstance(inputs, Tokens) and inputs.table is not None and inputs.table.shape[1] % 2 == 0:
        inputs = dataclasses.replace(inputs, columns_over=DIRECTIONS)
        masked = None if inputs.mask is None else whole
        shares = dataclasses.replace(inputs, ids=whole, mask=masked, table=PartitionSpec(None, DIRECTIONS))
    pairs = [direction[:3] for direction in directions]
    outputs, states = over_devices(DIRECTIONS, own, (pairs, inputs, mask), (whole, shares, whole), whole)
    return [jax.tree.map(lambda leaf, k=k: leaf[k], (outputs, states)) for k in range(2)]
