"""The native backend: a layer's steps, all in one call of compiled C++ (`kernels/`), for CPUs.

Legend: B batch, T time, D features, U units, G gates, K layers of one call, P units rounded up to whole vectors.

It computes what the fused backend computes, with the same weights; the head of `kernels/layer.h` says how. A call's
work is shared by all of XLA's threads, and its bits do not depend on how many there are. Where a user asks for several
devices, each runs its own share of a batch, as in `fused.py`.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jax.sharding import PartitionSpec

from seqjax.layers.backends import native_library
from seqjax.layers.backends.directions import Direction, Results, inner_bias, input_bias
from seqjax.layers.backends.fused_cells import FusedCell, State
from seqjax.layers.sharding import DATA, over_devices
from seqjax.layers.tokens import Tokens, project_distinct

KINDS = {(1, 1): 0, (4, 2): 1, (3, 1): 2}
"""By gates and states: SimpleRNN, LSTM, GRU in `kernels/layer.h`."""
SAVED = (1, 6, 5)
"""Blocks [P] that a step leaves for the backward, of each kind."""
PADDING = 64
"""Bytes of which P's are a multiple."""


class Operands(NamedTuple):
    """What a call takes, in its order; an array that is not there is None."""

    x: jax.Array
    """[B, T, D]; without kernel the input's part of the gates of each different token, [N, K*G*U]."""
    ids: jax.Array | None
    """[B, T] int32: the tokens' places in x."""
    kernel: jax.Array | None
    """[K, D, G*U]."""
    bias: jax.Array | None
    """[K, G*U]; None without kernel. A GRU's recurrent bias of z and r belongs to it."""
    recurrent: jax.Array
    """[K, U, G*U]."""
    inner: jax.Array | None
    """[K, U]: the GRU's bias inside the reset product."""
    h: jax.Array
    """[K, B, U]."""
    c: jax.Array | None
    """[K, B, U], of an LSTM."""
    drop: jax.Array | None
    """[K, G or 1, B, U]."""
    mask: jax.Array | None
    """[B, T] bool."""
    numbers: jax.Array
    """[K + 1] int32: of each layer whether the last step comes first; how many rows of x have a place, for tokens."""


@struct.dataclass
class _Saved:
    """For the backward."""

    operands: Operands
    gates: jax.Array
    wants_dx: bool = struct.field(pytree_node=False)


def _call(name: str, kind: int, operands: Operands, extra: Sequence[Any], results: Sequence[Any]) -> Sequence[Any]:
    """An absent operand or result is an array without elements."""
    dtype = operands.recurrent.dtype
    absent = {"ids": jnp.int32, "mask": jnp.bool_}
    arrays = [
        jnp.zeros(0, absent.get(name, dtype)) if array is None else array for name, array in operands._asdict().items()
    ]
    arrays += [jnp.zeros(0, dtype) if array is None else array for array in extra]
    shapes = [jax.ShapeDtypeStruct((0,) if shape is None else shape, dtype) for shape in results]
    return native_library.call(name, shapes, *arrays, kind=kind)


def _run(kind: int, keep: bool, sequences: bool, o: Operands) -> Sequence[Any]:
    """-> outputs [B, T, K, U], h, c [K, B, U], gates for the backward [K, T, B, S, P]; unwanted: no elements."""
    layers, batch, units = o.h.shape
    time = o.x.shape[1] if o.ids is None else o.ids.shape[1]
    padded = -(-units * o.recurrent.dtype.itemsize // PADDING) * PADDING // o.recurrent.dtype.itemsize
    outputs = (batch, time, layers, units) if sequences else None
    gates = (layers, time, batch, SAVED[kind], padded) if keep else None
    return _call("forward", kind, o, (), (outputs, o.h.shape, None if o.c is None else o.c.shape, gates))


def _results(sequences: bool, hs: jax.Array, h: jax.Array, c: jax.Array) -> tuple[Any, State]:
    return hs if sequences else None, (h, c) if c.ndim == 3 else (h,)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def recurrence(kind: int, sequences: bool, operands: Operands) -> tuple[Any, State]:
    """-> (outputs of all steps [B, T, K, U], or None without `sequences`; final state, each [K, B, U]).

    Reverse-mode derivatives only, and first ones: for `jax.jvp` or a Hessian take the backend scan.
    """
    hs, h, c, _ = _run(kind, False, sequences, operands)
    return _results(sequences, hs, h, c)


def _forward(kind: int, sequences: bool, operands: Any) -> tuple[Any, _Saved]:
    perturbed = operands.x.perturbed
    operands = jax.tree.map(lambda leaf: leaf.value, operands, is_leaf=lambda leaf: hasattr(leaf, "perturbed"))
    hs, h, c, gates = _run(kind, True, sequences, operands)
    return _results(sequences, hs, h, c), _Saved(operands, gates, perturbed)


def _backward(kind: int, sequences: bool, saved: _Saved, gradient: Any) -> tuple[Operands]:
    o = saved.operands
    zero = lambda leaf: isinstance(leaf, jax.custom_derivatives.SymbolicZero)
    outputs, state = gradient
    if zero(outputs):
        outputs = None
    dh, *dc = [jnp.zeros(leaf.shape, leaf.dtype) if zero(leaf) else leaf for leaf in state]
    wanted = o._replace(ids=None, drop=None, mask=None, numbers=None, x=o.x if saved.wants_dx else None)
    names = ("x", "kernel", "bias", "recurrent", "inner", "h", "c")
    shapes = [None if getattr(wanted, name) is None else getattr(wanted, name).shape for name in names]
    if o.ids is None and saved.wants_dx:
        shapes[0] = (len(o.h), *o.x.shape)  # each layer's
    found = _call("backward", kind, o, (saved.gates, outputs, dh, *(dc or [None])), shapes)
    gradients = {name: array for name, array, shape in zip(names, found, shapes, strict=True) if shape is not None}
    if o.ids is None and saved.wants_dx:
        gradients["x"] = gradients["x"].sum(axis=0)
    empty = o._replace(**dict.fromkeys(Operands._fields))
    return (empty._replace(**gradients),)


recurrence.defvjp(_forward, _backward, symbolic_zeros=True)


def run(
    cell: FusedCell,
    directions: Sequence[Direction],
    inputs: jax.Array | Tokens,
    mask: jax.Array | None,
    sequences: bool,
) -> Results:
    """As `fused.run`: K layers of one shape over the same inputs, in one call."""
    function = functools.partial(recurrence, KINDS[cell.gates, cell.states], sequences)
    operands = _operands(cell, directions, inputs, mask)
    outputs, state = over_devices(function, operands, *_shares(operands, sequences))
    return [(outputs[:, :, k] if sequences else None, tuple(part[k] for part in state)) for k in range(len(directions))]


def _operands(cell: FusedCell, directions: Sequence[Direction], inputs: Any, mask: Any) -> Operands:
    weights = [array for direction in directions for array in direction.parameters.values()]
    dtype = jnp.promote_types(jnp.result_type(inputs.dtype, *weights), jnp.float32)
    stacked = lambda arrays: jnp.stack([array.astype(dtype) for array in arrays])
    parameters = [direction.parameters for direction in directions]
    biases = [input_bias(cell, each["bias"]) for each in parameters]
    ids, kernel, bias, used = None, None, None, 0
    if isinstance(inputs, Tokens):
        joined = jnp.concatenate([each["kernel"].astype(dtype) for each in parameters], axis=1)
        x, ids, used = project_distinct(inputs, joined, jnp.concatenate(biases).astype(dtype), native_product)
    else:
        x, kernel, bias = inputs, stacked(each["kernel"] for each in parameters), stacked(biases)
    inner = [inner_bias(each["bias"]) for each in parameters]
    h, *c = [stacked(parts) for parts in zip(*(direction.state for direction in directions), strict=True)]
    drops = [direction.drop for direction in directions]
    numbers = [*(direction.reverse for direction in directions), used]
    return Operands(
        x.astype(dtype),
        ids,
        kernel,
        bias,
        stacked(each["recurrent_kernel"] for each in parameters),
        None if inner[0] is None else stacked(inner),
        h,
        c[0] if c else None,
        None if drops[0] is None else jax.lax.stop_gradient(stacked(drops)),
        mask,
        jnp.stack([jnp.asarray(number, jnp.int32) for number in numbers]),
    )


@jax.custom_vjp
def native_product(table: jax.Array, tokens: jax.Array, used: jax.Array, kernel: jax.Array, bias: jax.Array) -> Any:
    """As `tokens.Product`."""
    shape = jax.ShapeDtypeStruct((len(tokens), kernel.shape[1]), kernel.dtype)
    return native_library.call("project", shape, table.astype(kernel.dtype), tokens, used, kernel, bias)


@struct.dataclass
class _SavedProduct:
    """For the backward."""

    operands: tuple[jax.Array, ...]
    wants_dtable: bool = struct.field(pytree_node=False)
    """Not for vectors that are not trained."""


def _product_forward(*operands: Any) -> tuple[jax.Array, _SavedProduct]:
    values = tuple(operand.value for operand in operands)
    return native_product(*values), _SavedProduct(values[:4], operands[0].perturbed)


def _product_backward(saved: _SavedProduct, gradient: Any) -> tuple[Any, None, None, Any, Any]:
    table, tokens, used, kernel = saved.operands
    if isinstance(gradient, jax.custom_derivatives.SymbolicZero):
        gradient = jnp.zeros(gradient.shape, kernel.dtype)
    wanted = (table.shape if saved.wants_dtable else (0,), kernel.shape, kernel.shape[1:])
    shapes = [jax.ShapeDtypeStruct(shape, kernel.dtype) for shape in wanted]
    operands = table.astype(kernel.dtype), tokens, used, kernel, gradient
    dtable, dkernel, dbias = native_library.call("project_backward", shapes, *operands)
    return dtable.astype(table.dtype) if saved.wants_dtable else None, None, None, dkernel, dbias


native_product.defvjp(_product_forward, _product_backward, symbolic_zeros=True)


def _shares(o: Operands, sequences: bool) -> tuple[Operands, Any]:
    """Along which axis the batch of every operand and result lies, for `over_devices`."""
    rows, whole, second = PartitionSpec(DATA), PartitionSpec(), PartitionSpec(None, DATA)
    of_gates = PartitionSpec(None, None, DATA)
    x = rows if o.ids is None else whole
    shares = (x, rows, whole, whole, whole, whole, second, second, of_gates, rows, whole)
    present = (None if array is None else share for array, share in zip(o, shares, strict=True))
    return Operands(*present), (rows if sequences else None, second)  # type: ignore[arg-type]
