"""A layer as the backends fused, native and pallas run it.

Legend: B batch, T time, D features, U units, G gates.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from seqjax.layers.backends.fused_cells import FusedCell, State

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
    reverse: bool
    """From the last step to the first."""


def input_bias(cell: FusedCell, bias: jax.Array) -> jax.Array:
    """What stands in the gates without the state: [G*U]. A GRU's recurrent bias of z and r belongs to it."""
    if bias.ndim == 1:
        return bias
    units = bias.shape[1] // cell.gates
    return bias[0] + jnp.asarray(bias[1]).at[-units:].set(0)  # NumPy's, where nothing is traced


def inner_bias(bias: jax.Array) -> jax.Array | None:
    """The GRU's bias inside the reset product [U]."""
    return None if bias.ndim == 1 else bias[1].reshape(3, -1)[2]
