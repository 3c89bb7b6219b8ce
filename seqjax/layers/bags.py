"""Bags of tokens times a kernel, without building a bag's vector.

Legend: B bags, T distinct tokens of the richest one, V columns, U units, C bags at once.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from seqjax.errors import check_least
from seqjax.layers.backends import native_library
from seqjax.layers.checks import as_array, or_none
from seqjax.layers.sharding import DATA, over_devices

AT_ONCE = 1 << 21
"""Entries of the kernel's rows that are gathered at once on a CPU, so that they stay in its cache."""


def product(tokens: jax.Array, weights: jax.Array | None, kernel: jax.Array) -> jax.Array:
    """The weighted sum of the rows of a kernel whose tokens are present.

    On a CPU `natively` where the native library can be made, else `in_pieces`; elsewhere `plain`.

    Args:
      tokens: [B, T] int; what is not in [0, V) is padding, and its weight does not count.
      weights: [B, T], or None: all are 1.
      kernel: [V, U].

    Returns:
      [B, U].

    Raises:
      UserError: other shapes or types.
    """
    tokens, weights, kernel = _check(tokens, weights, kernel)
    if not all(isinstance(size, int) for size in tokens.shape):
        return plain(tokens, weights, kernel)  # `jax.export` leaves a size open
    cpu = natively if native_library.computes(_dtype(kernel, weights)) else in_pieces

    def run(operands: Any) -> jax.Array:
        return jax.lax.platform_dependent(*operands, cpu=cpu, default=plain)

    whole, split = PartitionSpec(), PartitionSpec(DATA)
    return over_devices(run, (tokens, weights, kernel), (split, split, whole), split)


def _check(tokens: Any, weights: Any, kernel: Any) -> tuple[jax.Array, jax.Array | None, jax.Array]:
    """The operands as arrays, every padding V and its weight 0, so that no NaN there reaches a sum or a gradient."""
    kernel = as_array("bags: kernel", kernel, "real numbers", ("columns", "units"))
    check_least("bags: rows of the kernel", len(kernel), 1)
    shape = as_array("bags: tokens", tokens, "integers", ("bags", "tokens")).shape
    tokens = or_none(tokens, len(kernel))
    if weights is not None:
        weights = as_array("bags: weights", weights, "real numbers", shape)
        weights = jnp.where(tokens < len(kernel), weights, jnp.zeros((), weights.dtype))
    return tokens, weights, kernel


def plain(tokens: jax.Array, weights: jax.Array | None, kernel: jax.Array) -> jax.Array:
    """`product` of all bags at once."""
    rows = jnp.take(kernel, tokens, axis=0, mode="fill", fill_value=0)  # [B, T, U]; padding is out of range: 0
    return rows.sum(axis=1) if weights is None else jnp.einsum("bt,btu->bu", weights, rows)


@jax.custom_vjp
def in_pieces(tokens: jax.Array, weights: jax.Array | None, kernel: jax.Array) -> jax.Array:
    """`product` of some bags at a time, whose rows do not leave the cache. Reverse-mode derivatives only."""
    pieces = _split(kernel, tokens, weights)
    return _join(jax.lax.map(lambda piece: plain(piece[0], piece[1], kernel), pieces), tokens)


def _forward(tokens: jax.Array, weights: jax.Array | None, kernel: jax.Array) -> tuple[jax.Array, Any]:
    return in_pieces(tokens, weights, kernel), (tokens, weights, kernel)


def _backward(saved: Any, gradient: jax.Array) -> tuple[None, jax.Array | None, jax.Array]:
    tokens, weights, kernel = saved
    pieces = _split(kernel, tokens, weights, gradient)

    def add(dkernel: jax.Array, piece: Any) -> tuple[jax.Array, None]:
        tokens, weights, gradient = piece
        rows = jnp.broadcast_to(gradient[:, None], (*tokens.shape, gradient.shape[1]))
        rows = rows if weights is None else rows * weights[:, :, None]
        return dkernel.at[tokens].add(rows, mode="drop"), None

    dkernel, _ = jax.lax.scan(add, jnp.zeros_like(kernel), pieces)
    return None, _weights_gradient(tokens, weights, kernel, gradient), dkernel


def _weights_gradient(
    tokens: jax.Array, weights: jax.Array | None, kernel: jax.Array, gradient: jax.Array
) -> jax.Array | None:
    def dweights(piece: Any) -> jax.Array:
        tokens, gradient = piece
        return jnp.einsum("bu,btu->bt", gradient, kernel.at[tokens].get(mode="fill", fill_value=0))

    return None if weights is None else _join(jax.lax.map(dweights, _split(kernel, tokens, gradient)), tokens)


in_pieces.defvjp(_forward, _backward)


@jax.custom_vjp
def natively(tokens: jax.Array, weights: jax.Array | None, kernel: jax.Array) -> jax.Array:
    """`product` by the native library, which passes over the padding. Reverse-mode derivatives only."""
    return _call("bags", tokens, weights, kernel, (len(tokens), kernel.shape[1]))


def _call(target: str, tokens: jax.Array, weights: jax.Array | None, operand: jax.Array, shape: Any) -> jax.Array:
    dtype = _dtype(operand, weights)
    weights = jnp.zeros(0, dtype) if weights is None else weights.astype(dtype)
    operands = tokens.astype(jnp.int32), weights, operand.astype(dtype)
    return native_library.call(target, jax.ShapeDtypeStruct(shape, dtype), *operands)


def _dtype(operand: jax.Array, weights: jax.Array | None) -> Any:
    return jnp.result_type(operand, *([] if weights is None else [weights]))


def _native_forward(tokens: jax.Array, weights: jax.Array | None, kernel: jax.Array) -> tuple[jax.Array, Any]:
    return natively(tokens, weights, kernel), (tokens, weights, kernel)


def _native_backward(saved: Any, gradient: jax.Array) -> tuple[None, jax.Array | None, jax.Array]:
    tokens, weights, kernel = saved
    dkernel = _call("bags_backward", tokens, weights, gradient, kernel.shape).astype(kernel.dtype)
    return None, _weights_gradient(tokens, weights, kernel, gradient), dkernel


natively.defvjp(_native_forward, _native_backward)


def _split(kernel: jax.Array, tokens: jax.Array, *others: jax.Array | None) -> tuple[Any, ...]:
    """Arrays [B, ...] as [pieces, C, ...], the last piece filled up with bags of padding."""
    bags, width = tokens.shape
    most = max(1, AT_ONCE // max(1, width * kernel.shape[1]))
    count = max(1, -(-bags // most))
    size = -(-bags // count)

    def split(array: jax.Array, fill: int) -> jax.Array:
        filled = jnp.pad(array, [(0, count * size - bags), (0, 0)], constant_values=fill)
        return filled.reshape(count, size, array.shape[1])

    return split(tokens, kernel.shape[0]), *[None if array is None else split(array, 0) for array in others]


def _join(pieces: jax.Array, tokens: jax.Array) -> jax.Array:
    """[pieces, C, U] -> [B, U]."""
    return pieces.reshape(pieces.shape[0] * pieces.shape[1], pieces.shape[2])[: len(tokens)]
