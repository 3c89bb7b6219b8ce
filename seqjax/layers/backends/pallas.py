"""The pallas backend: a layer's steps all in one kernel (`pallas_kernels.py`), for NVIDIA GPUs and up to 64 units.

Interpreted and lowered for CUDA on a CPU machine, never run on a GPU; so `auto` does not take it.

Legend: B batch, T time, D features, U units, G gates, K directions, P units, rounded up to a power of two.

It computes what the fused backend computes, with the same weights. The input product is one product before the kernel,
the gradients of weights and inputs are products after it; the units are filled up to P before both. The products in
the kernel are in full float32. As in the other backends, the input product and its gradients are as precise as
`jax_default_matmul_precision` says.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from seqjax.layers.backends import fused_cells, pallas_cells
from seqjax.layers.backends.directions import Direction, Results, inner_bias, input_bias
from seqjax.layers.backends.fused_cells import FusedCell, State
from seqjax.layers.backends.pallas_cells import RowCell
from seqjax.layers.sharding import DATA, over_devices
from seqjax.layers.tokens import Tokens, project

CELLS = {
    fused_cells.SIMPLE_RNN: pallas_cells.SIMPLE_RNN,
    fused_cells.LSTM: pallas_cells.LSTM,
    fused_cells.GRU: pallas_cells.GRU,
}
LEAST_UNITS = 16
"""P is at least so much: a vector of fewer would leave most of a warp without work."""


class Operands(NamedTuple):
    """All that the recurrence is differentiated with respect to, and its masks (which get no gradient)."""

    x: jax.Array
    """[T, B, K*P, C]: the columns of `pallas_cells`."""
    recurrent: jax.Array
    """[K, G, P, P]."""
    state: State
    """Each [B, K*P]."""
    drop: jax.Array | None
    """[G or 1, B, K*P]: recurrent dropout."""
    mask: jax.Array | None
    """[T, B] bool."""


def _kernels() -> Any:
    """Imported when they are needed: Pallas takes 0.2 s, a tenth of what importing the models takes."""
    from seqjax.layers.backends import pallas_kernels

    return pallas_kernels


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2, 3))
def recurrence(
    cell: RowCell, reverse: tuple[bool, ...], sequences: bool, interpret: bool, o: Operands
) -> tuple[Any, State]:
    """-> (h after every step [T, B, K*P], or None without `sequences`; final state).

    Reverse-mode derivatives only, and first ones: for `jax.jvp` or a Hessian take the backend scan.
    """
    found = _kernels().forward(cell, reverse, _arrays(o), sequences=sequences, keep=False, interpret=interpret)
    return found.get("hs"), found["state"]


def _arrays(o: Operands) -> dict[str, Any]:
    """What `forward` takes."""
    turned = o._replace(recurrent=jnp.swapaxes(o.recurrent, -1, -2))
    return {name: array for name, array in turned._asdict().items() if array is not None}


def _forward(cell: RowCell, reverse: tuple[bool, ...], sequences: bool, interpret: bool, o: Operands) -> Any:
    found = _kernels().forward(cell, reverse, _arrays(o), sequences=sequences, keep=True, interpret=interpret)
    return (found.get("hs"), found["state"]), (o, found["saved"])


def _backward(
    cell: RowCell, reverse: tuple[bool, ...], sequences: bool, interpret: bool, kept: Any, gradient: Any
) -> tuple[Operands]:
    o, saved = kept
    dhs, dstate = gradient
    arrays = {"recurrent": o.recurrent, "saved": saved, "state": dstate, "dhs": dhs, "drop": o.drop, "mask": o.mask}
    present = {name: array for name, array in arrays.items() if array is not None}
    found = _kernels().backward(cell, reverse, present, interpret=interpret)
    return (Operands(found["x"], _recurrent_gradient(o, saved, found["x"]), found["state"], None, None),)


recurrence.defvjp(_forward, _backward)


def _recurrent_gradient(o: Operands, saved: jax.Array, dx: jax.Array) -> jax.Array:
    """[K, G, P, P], from h before every step and the gradients of the products."""
    directions, gates, units, _ = o.recurrent.shape
    by_direction = lambda array: array.reshape(*array.shape[:2], directions, units, *array.shape[3:])
    h, dz = by_direction(saved[..., 0]), by_direction(dx[..., :gates])  # [T, B, K, P], [T, B, K, P, G]
    product = functools.partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)
    if o.drop is None:
        return product("tbki,tbkjg->kgij", h, dz)
    drop = by_direction(o.drop)  # [G or 1, B, K, P]
    if len(drop) == 1:
        return product("tbki,tbkjg->kgij", h * drop, dz)
    return product("gtbki,tbkjg->kgij", h[None] * drop[:, None], dz)


def run(
    cell: FusedCell,
    directions: Sequence[Direction],
    inputs: jax.Array | Tokens,
    mask: jax.Array | None,
    sequences: bool,
    *,
    interpret: bool = False,
) -> Results:
    """As `fused.run`: K layers of one shape over the same inputs, all rows of all directions side by side.

    With `interpret` the kernels run as JAX operations, on any device and in any float type, slowly.
    """
    units = directions[0].state[0].shape[-1]
    operands = _operands(cell, directions, inputs, mask)
    reverse = tuple(bool(direction.reverse) for direction in directions)
    function = functools.partial(recurrence, CELLS[cell], reverse, sequences, interpret)
    steps, rows, whole = PartitionSpec(None, DATA), PartitionSpec(DATA), PartitionSpec()
    shares = Operands(steps, whole, rows, steps, steps)  # type: ignore[arg-type]
    hs, state = over_devices(function, operands, shares, (steps, rows))
    padded = operands.recurrent.shape[-1]
    own = [slice(k * padded, k * padded + units) for k in range(len(directions))]
    outputs = [None if hs is None else jnp.swapaxes(hs[:, :, columns], 0, 1) for columns in own]
    return [(y, tuple(s[:, columns] for s in state)) for y, columns in zip(outputs, own, strict=True)]


def _operands(cell: FusedCell, directions: Sequence[Direction], inputs: Any, mask: Any) -> Operands:
    parameters = [direction.parameters for direction in directions]
    dtype = jnp.result_type(inputs.dtype, *parameters[0].values())
    units = directions[0].state[0].shape[-1]
    filled = max(LEAST_UNITS, 1 << (units - 1).bit_length()) - units

    def fill(array: jax.Array, *axes: int) -> jax.Array:
        """U to P along these axes."""
        return jnp.pad(array.astype(dtype), [(0, filled if axis in axes else 0) for axis in range(array.ndim)])

    columns = [_columns(cell, p, units) for p in parameters]
    kernel = jnp.stack([fill(kernel, 1) for kernel, _ in columns], axis=1)  # [D, K, P, C]
    bias = jnp.stack([fill(bias, 0) for _, bias in columns])
    (x,) = project(inputs, [kernel.reshape(len(kernel), -1)], [bias.reshape(-1)], [False])
    matrices = [jnp.moveaxis(p["recurrent_kernel"].reshape(units, -1, units), 1, 0) for p in parameters]
    drop = [fill(direction.drop, 2) for direction in directions if direction.drop is not None]
    states = zip(*(direction.state for direction in directions), strict=True)
    return Operands(
        x.reshape(*x.shape[:2], kernel[0, ..., 0].size, kernel.shape[-1]).astype(dtype),
        jnp.stack([fill(matrix, 1, 2) for matrix in matrices]),
        tuple(jnp.concatenate([fill(s, 1) for s in both], axis=1) for both in states),
        jax.lax.stop_gradient(jnp.concatenate(drop, axis=2)) if drop else None,
        None if mask is None else mask.T,
    )


def _columns(cell: FusedCell, parameters: Mapping[str, jax.Array], units: int) -> tuple[jax.Array, jax.Array]:
    """Kernel [D, U, C] and bias [U, C] of the columns of `pallas_cells`."""
    kernel, bias = parameters["kernel"], input_bias(cell, parameters["bias"])
    kernel, bias = kernel.reshape(len(kernel), -1, units), bias.reshape(-1, units)
    d = inner_bias(parameters["bias"])
    if d is not None:
        kernel, bias = jnp.insert(kernel, 2, 0, axis=1), jnp.concatenate([bias[:2], d[None], bias[2:]])
    return jnp.swapaxes(kernel, 1, 2), bias.T
