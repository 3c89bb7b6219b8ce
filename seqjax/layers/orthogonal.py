"""Random orthogonal matrices whose bits do not depend on the number of cores.

LAPACK's QR, which JAX's own initializer calls, shares out the products of large matrices among as many threads as there
are cores, and rounds otherwise where a share ends: from 130 units on an LSTM started otherwise on one core than on two.
Up to 128 rows and columns it was found to give the same bits on 1 to 8 threads, and is kept.

Beyond, no matrix is factored. The reflections that the QR of normal numbers consists of are themselves made of
independent normal numbers (Stewart 1980, "The efficient generation of random orthogonal matrices"), so they are drawn,
and multiplied out some at a time (Schreiber and Van Loan 1989: H_1 ... H_b = I - V T V^T). No product there has more
than `TERMS` terms, which no library splits; longer sums are made by halves, since XLA:CPU shares out its own as well.

Legend: M rows, N columns, M >= N; P panels of b columns.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

LAPACK = 128
"""Up to so many rows or columns, whichever are fewer, JAX's own initializer is taken."""
PANEL = 32
"""b: reflections that are multiplied together."""
TERMS = 64
"""Of a product at most."""


def orthogonal(key: Any, shape: Sequence[int], dtype: Any = jnp.float32) -> jax.Array:
    """A matrix [R, C] of orthonormal columns (rows, if C > R), each as probable as any other (Haar measure)."""
    wide = jnp.promote_types(dtype, jnp.float32)  # there is no QR of narrower floats
    rows, columns = shape
    if min(rows, columns) <= LAPACK:
        return nn.initializers.orthogonal()(key, (rows, columns), wide).astype(dtype)
    normal = jax.random.normal(key, (max(rows, columns), min(rows, columns)), wide)
    matrix = multiplied_out(normal)
    return (matrix if rows >= columns else matrix.T).astype(dtype)


@jax.jit
def multiplied_out(normal: jax.Array) -> jax.Array:
    """The first N columns of H_0 H_1 ... H_(N-1), each with a sign, [M, N], from normal numbers [M, N].

    H_k = I - 2 v v^T / v^T v reflects the part x of column k from row k on to a multiple of the unit vector k:
    v = x + sign(x_k) |x| e_k. The sign of column k is -sign(x_k): then column 0 is x / |x|, in any direction alike.
    """
    rows, columns = normal.shape
    padded = jnp.pad(normal, ((0, -rows % TERMS), (0, -columns % PANEL)))
    row, column = jnp.arange(padded.shape[0])[:, None], jnp.arange(padded.shape[1])[None, :]
    below = jnp.where(row >= column, padded, 0)
    sign = jnp.where(jnp.diagonal(below) < 0, -1, 1).astype(normal.dtype)
    length = jnp.sqrt(_total(below**2))
    vectors = below + jnp.where(row == column, (sign * length)[None, :], 0)  # [M, N]; of a column of padding: 0
    panels = jnp.moveaxis(vectors.reshape(len(vectors), -1, PANEL), 1, 0)  # [P, M, b]
    factors = jax.lax.map(_factor, panels)
    start = jnp.where(row == column, sign[None, :] * -1, 0)

    def reflect(k: jax.Array, matrix: jax.Array) -> jax.Array:
        panel = panels[len(panels) - 1 - k]
        inner = _product(factors[len(panels) - 1 - k], _transposed_product(panel, matrix))
        return matrix - _product(panel, inner)

    return jax.lax.fori_loop(0, len(panels), reflect, start)[:rows, :columns]


def _factor(panel: jax.Array) -> jax.Array:
    """T [b, b] of the reflections in the columns of a panel [M, b]."""
    squares = _transposed_product(panel, panel)
    own = jnp.diagonal(squares)
    scale = jnp.where(own > 0, 2 / jnp.where(own > 0, own, 1), 0)

    def add(k: jax.Array, factor: jax.Array) -> jax.Array:
        column = -scale[k] * _product(factor, squares[:, k])  # columns from k on are still 0
        return factor.at[:, k].set(column.at[k].set(scale[k]))

    return jax.lax.fori_loop(0, PANEL, add, jnp.zeros_like(squares))


_product = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)


def _transposed_product(left: jax.Array, right: jax.Array) -> jax.Array:
    """left^T [b, M] right [M, N]."""
    pieces = [factor.reshape(-1, TERMS, factor.shape[1]) for factor in (left, right)]
    return _total(_product(jnp.swapaxes(pieces[0], 1, 2), pieces[1]))


def _total(terms: jax.Array) -> jax.Array:
    """[C, ...] -> [...], by halves."""
    while len(terms) > 1:
        half = len(terms) // 2
        rest = terms[2 * half :]
        terms = jnp.concatenate([terms[:half] + terms[half : 2 * half], rest])
    return terms[0]
