"""The fused backend: one scan over time with a hand-written backward.

Legend: B batch, T time, D features, U units, G gates, K directions run together (1, or 2 for a Bidirectional).
Inside, arrays are time-major and feature-major: x [T, K, D, B], h [K, U, B], W [K, G*U, D], R [K, G*U, U].

What makes it quick (two cores, measured in PERFORMANCE.md and the lab log): feature-major steps; one tanh over all
gates; coefficients of the backward made in the forward (`fused_cells`); weight gradients accumulated inside the reverse
scan, where they are still in the cache (a wide layer's would not be: one product after it); both directions in one
scan, or each on a core of its own; the input product inside the step when D is small, and in bulk when it is not.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from seqjax.layers.backends.directions import Direction, Results, inner_bias, input_bias
from seqjax.layers.backends.fused_cells import FusedCell, State
from seqjax.layers.sharding import DATA, over_devices
from seqjax.layers.tokens import Tokens, project

INPUT_PRODUCT_IN_STEP = 64
"""Up to so many features the input product is part of the step; beyond, one large product before the scan wins."""

WEIGHTS_IN_STEP = 128 * 512
"""Up to so many recurrent weights their gradient is summed in the scan; more no longer stay in the cache."""


class Operands(NamedTuple):
    """All that the recurrence is differentiated with respect to, and its masks (which get no gradient)."""

    x: jax.Array | tuple[jax.Array, ...]
    """[T, K, D, B], or with kernel=None the gates' input part itself as K arrays [T, B, G*U]."""
    kernel: jax.Array | None
    """[K, G*U, D]."""
    recurrent: jax.Array
    """[K, G*U, U]."""
    inner_bias: jax.Array | None
    """[K, U, 1]: the GRU's bias inside the reset product; None for the others."""
    state: State
    """Each [K, U, B]."""
    drop: jax.Array | None
    """[K, G or 1, U, B]: recurrent dropout."""
    mask: jax.Array | None
    """[T, K, 1, B] bool."""


def _dropped(cell: FusedCell, h: jax.Array, drop: jax.Array | None) -> jax.Array:
    """h as the recurrent product takes it: [K, U, B], or [K, G, U, B] if every gate has its own mask."""
    if drop is None:
        return h
    return h * drop[:, 0] if drop.shape[1] == 1 else h[:, None] * drop


def _recurrent_product(cell: FusedCell, recurrent: jax.Array, h: jax.Array) -> jax.Array:
    """R @ h -> [K, G*U, B]; h as `_dropped` gives it."""
    if h.ndim == 3:
        return jnp.matmul(recurrent, h)
    directions, _, units, batch = h.shape
    product = jnp.matmul(recurrent.reshape(directions, cell.gates, units, units), h)
    return product.reshape(directions, cell.gates * units, batch)


def _wide(cell: FusedCell, o: "Operands | Direction") -> bool:
    """Whether the input's products come before the scan and those of the weights' gradients after it.

    The gates' gradient is one for x and for R h (`adds`), and is kept for both.
    """
    units = o.state[0].shape[1]
    return o.drop is None and cell.adds and cell.gates * units**2 > WEIGHTS_IN_STEP


def _inputs(cell: FusedCell, o: Operands) -> Any:
    """What the scan reads of x; a wide layer's gates, as two large matrices in turn would not stay in the cache."""
    if o.kernel is None or not _wide(cell, o):
        return o.x
    return jax.lax.map(functools.partial(jnp.matmul, o.kernel), o.x)


def _gates(cell: FusedCell, o: Operands, x: Any) -> jax.Array:
    """The input's part of the gates [K, G*U, B], from what `_inputs` gives for one step."""
    if o.kernel is None:  # batch-major rows as a gather leaves them are turned here, in the cache, at no cost
        return jnp.swapaxes(jnp.stack(x), 1, 2)
    return x if _wide(cell, o) else jnp.matmul(o.kernel, x)


def _step(cell: FusedCell, o: Operands, state: State, x: Any, valid: Any) -> tuple[State, Any]:
    x_z = _gates(cell, o, x)
    h_z = _recurrent_product(cell, o.recurrent, _dropped(cell, state[0], o.drop))
    return cell.advance(x_z, h_z, o.inner_bias, state, valid)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def recurrence(cell: FusedCell, reverse: bool, sequences: bool, o: Operands) -> tuple[Any, State]:
    """-> (h after every step [T, K, U, B], or None without `sequences`; final state).

    Reverse-mode derivatives only, and first ones: for `jax.jvp` or a Hessian take the backend scan.
    """

    def step(state: State, xs: Any) -> tuple[State, Any]:
        state, _ = _step(cell, o, state, *xs)
        return state, state[0] if sequences else None

    state, hs = jax.lax.scan(step, o.state, (_inputs(cell, o), o.mask), reverse=reverse)
    return hs, state


def _forward(cell: FusedCell, reverse: bool, sequences: bool, o: Operands) -> tuple[Any, Any]:
    def step(state: State, xs: Any) -> tuple[State, Any]:
        new, coefficients = _step(cell, o, state, *xs)
        return new, (state[0], coefficients)

    state, (h_before, coefficients) = jax.lax.scan(step, o.state, (_inputs(cell, o), o.mask), reverse=reverse)
    hs = None
    if sequences:
        last = state[0][None]
        hs = jnp.concatenate([last, h_before[:-1]] if reverse else [h_before[1:], last])
    return (hs, state), (o, h_before, coefficients)


def _backward(cell: FusedCell, reverse: bool, sequences: bool, saved: Any, gradient: Any) -> tuple[Operands]:
    o, h_before, coefficients = saved
    dhs, dstate = gradient
    transposed = jnp.swapaxes(o.recurrent, -1, -2)
    wide = _wide(cell, o)

    def step(carry: Any, xs: Any) -> tuple[Any, Any]:
        dstate, dkernel, drecurrent, dinner = carry
        dh_out, x, h, coefficients = xs
        if dh_out is not None:
            dstate = (dstate[0] + dh_out, *dstate[1:])
        dx_z, dh_z, dstate = cell.retreat(dstate, coefficients)
        if wide:
            dx_z = dh_z = jax.lax.optimization_barrier(dx_z)  # or it is computed twice
        dstate = (dstate[0] + _through_product(cell, transposed, o.drop, dh_z), *dstate[1:])
        if drecurrent is not None:
            drecurrent = drecurrent + _weight_gradient(cell, dh_z, _dropped(cell, h, o.drop))
        if dinner is not None:
            dinner = dinner + dh_z[:, -dinner.shape[1] :]
        if dkernel is None:
            dx = tuple(jnp.swapaxes(dx_z, 1, 2))
        else:
            dkernel = dkernel + _weight_gradient(cell, dx_z, x)
            dx = jnp.matmul(jnp.swapaxes(o.kernel, -1, -2), dx_z)
        return (dstate, dkernel, drecurrent, dinner), dx

    zeros = functools.partial(jax.tree.map, jnp.zeros_like)
    inner = None if o.inner_bias is None else jnp.zeros_like(o.state[0])
    dkernel, drecurrent = (None, None) if wide else zeros((o.kernel, o.recurrent))
    xs = (dhs, None if dkernel is None else o.x, h_before, coefficients)
    carry = (dstate, dkernel, drecurrent, inner)
    (dstate, dkernel, drecurrent, dinner), dx = jax.lax.scan(step, carry, xs, reverse=not reverse)
    if wide:
        dx, dkernel, drecurrent = _after(o, h_before, dx)
    if dinner is not None:
        dinner = dinner.sum(axis=-1, keepdims=True)
    return (Operands(dx, dkernel, drecurrent, dinner, dstate, None, None),)


recurrence.defvjp(_forward, _backward)


def _after(o: Operands, h_before: jax.Array, rows: tuple[jax.Array, ...]) -> tuple[Any, Any, jax.Array]:
    """Gradients of x, kernel and recurrent of a wide layer, from that of the gates: K arrays [T, B, G*U]."""
    inputs: Any = () if o.kernel is None else (o.x,)
    products = []
    for k, row in enumerate(rows):
        # The left factor is the one that XLA:CPU turns, so the narrower; the barrier keeps it left.
        left = jnp.concatenate([jnp.swapaxes(factor[:, k], 0, 1) for factor in (*inputs, h_before)])
        products.append(jax.lax.dot_general(left, row, (((1, 2), (0, 1)), ((), ()))))
    weights = jnp.swapaxes(jax.lax.optimization_barrier(jnp.stack(products)), 1, 2)
    if o.kernel is None:
        return rows, None, weights
    dx = [jnp.einsum("nd,tbn->tdb", kernel, row) for kernel, row in zip(o.kernel, rows, strict=True)]
    dkernel, drecurrent = jnp.split(weights, [o.kernel.shape[2]], axis=2)
    return jnp.stack(dx, axis=1), dkernel, drecurrent


def _through_product(cell: FusedCell, transposed: jax.Array, drop: Any, dh_z: jax.Array) -> jax.Array:
    """The gradient [K, U, B] of h through R @ dropped(h); transposed is R^T [K, U, G*U]."""
    if drop is None or drop.shape[1] == 1:
        dh = jnp.matmul(transposed, dh_z)
        return dh if drop is None else dh * drop[:, 0]
    directions, gates, units, batch = drop.shape
    kernels = jnp.swapaxes(transposed.reshape(directions, units, gates, units), 1, 2)
    products = jnp.matmul(kernels, dh_z.reshape(directions, gates, units, batch))
    # Not (products * drop).sum(axis=1): XLA:CPU pulls the product into that sum, entry by entry, 13 times slower.
    return sum((products[:, k] * drop[:, k] for k in range(gates)), jnp.zeros((), products.dtype))


def _weight_gradient(cell: FusedCell, dz: jax.Array, x: jax.Array) -> jax.Array:
    """dz [K, G*U, B], x [K, D, B] (or [K, G, U, B]) -> [K, G*U, D]."""
    if x.ndim == 3:
        return jnp.matmul(dz, jnp.swapaxes(x, -1, -2))
    directions, gates, units, batch = x.shape
    product = jnp.matmul(dz.reshape(directions, gates, units, batch), jnp.swapaxes(x, -1, -2))
    return product.reshape(directions, gates * units, units)


def run(
    cell: FusedCell,
    directions: Sequence[Direction],
    inputs: jax.Array | Tokens,
    mask: jax.Array | None,
    sequences: bool,
) -> Results:
    """Run K layers of one shape over the same inputs in one scan.

    Args:
      cell: which recurrence.
      directions: K of them, with equal shapes; `drop` of all or of none.
      inputs: [B, T, D], or Tokens.
      mask: [B, T] bool, or None.
      sequences: whether the outputs of all steps are wanted.

    Returns:
      for each direction (outputs [B, T, U] or None, final state of arrays [B, U]).
    """
    one = len(directions) == 1
    flips = [not one and bool(direction.reverse) for direction in directions]
    dtype = jnp.result_type(inputs.dtype, *directions[0].parameters.values())
    x, kernel = _input_part(cell, directions, inputs, flips, dtype)
    operands = Operands(
        x,
        kernel,
        jnp.stack([d.parameters["recurrent_kernel"].T for d in directions]).astype(dtype),
        _inner_bias(directions, dtype),
        tuple([jnp.stack([d.state[k].T for d in directions]).astype(dtype) for k in range(cell.states)]),
        _drop(directions, dtype),
        None if mask is None else _steps([mask[:, :, None]] * len(directions), flips),
    )
    function = functools.partial(recurrence, cell, one and directions[0].reverse, sequences)
    hs, final = over_devices(function, operands, *_specs(operands))
    results = []
    for k, flip in enumerate(flips):
        outputs = None
        if sequences:
            h = jnp.flip(hs[:, k], axis=0) if flip else hs[:, k]
            outputs = jnp.transpose(h, (2, 0, 1))
        results.append((outputs, tuple([s[k].T for s in final])))
    return results


def _specs(operands: Operands) -> tuple[Operands, tuple[Any, Any]]:
    """Along which axis the batch of every operand and result lies, for `over_devices`."""
    steps, state = PartitionSpec(None, None, None, DATA), PartitionSpec(None, None, DATA)
    rows = steps if operands.kernel is not None else PartitionSpec(None, DATA)
    weights = PartitionSpec()
    return Operands(rows, weights, weights, weights, state, steps, steps), (steps, state)  # type: ignore[arg-type]


def _steps(arrays: Sequence[jax.Array], flips: Sequence[bool]) -> jax.Array:
    """K arrays [B, T, D] -> [T, K, D, B], those that flip from the last step to the first."""
    steps = [jnp.transpose(a, (1, 2, 0)) for a in arrays]
    return jnp.stack([jnp.flip(a, axis=0) if flip else a for a, flip in zip(steps, flips, strict=True)], axis=1)


def _input_part(
    cell: FusedCell, directions: Sequence[Direction], inputs: Any, flips: Sequence[bool], dtype: Any
) -> tuple[Any, jax.Array | None]:
    """`Operands.x` and `Operands.kernel`; the bias is the kernel's last column, for an input that is always 1."""
    kernels = [d.parameters["kernel"].astype(dtype) for d in directions]
    biases = [input_bias(cell, d.parameters["bias"]).astype(dtype) for d in directions]
    if isinstance(inputs, Tokens) or not (inputs.shape[-1] <= INPUT_PRODUCT_IN_STEP or _wide(cell, directions[0])):
        rows = project(inputs, kernels, biases, flips)
        return tuple(row.astype(dtype) for row in rows), None
    steps = _steps([inputs.astype(dtype)] * len(directions), flips)
    ones = jnp.ones((*steps.shape[:2], 1, steps.shape[3]), dtype)
    kernel = jnp.stack([jnp.concatenate([k.T, b[:, None]], axis=1) for k, b in zip(kernels, biases, strict=True)])
    return jnp.concatenate([steps, ones], axis=2), kernel


def _inner_bias(directions: Sequence[Direction], dtype: Any) -> jax.Array | None:
    """The GRU's bias inside the reset product [K, U, 1]."""
    biases = [bias for d in directions if (bias := inner_bias(d.parameters["bias"])) is not None]
    return jnp.stack(biases)[:, :, None].astype(dtype) if biases else None


def _drop(directions: Sequence[Direction], dtype: Any) -> jax.Array | None:
    """[K, G or 1, U, B]."""
    if directions[0].drop is None:
        return None
    masks = [jnp.swapaxes(d.drop, 1, 2) for d in directions if d.drop is not None]
    return jax.lax.stop_gradient(jnp.stack(masks)).astype(dtype)
