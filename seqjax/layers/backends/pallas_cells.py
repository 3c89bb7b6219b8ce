"""The three cells as the Pallas kernels run them: one row of a batch, one array for every gate.

Legend: P units, rounded up to a power of two; G gates; C columns of x for each unit. Every array is a vector [P]:
Triton cannot cut a value that is in registers. Equations are those of `seqjax.layers.cells`, with tanh and sigmoid, and
as in `fused_cells` a step leaves the coefficients with which its backward only multiplies.

C is a power of two, as Triton wants it. A GRU has four columns, z, r, d and h: the input adds nothing to d, the bias
inside the reset product. Recurrent products belong to the first G columns.

A unit that is there to fill up (its x and weights are 0) stays at 0 in every cell.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

Vectors = Sequence[jax.Array]


class RowCell(NamedTuple):
    """A cell: one step forward, one step back."""

    gates: int
    columns: int
    coefficients: int
    advance: Callable[..., tuple[Vectors, Vectors]]
    """(C columns of x, G recurrent products, state) -> (new state, coefficients)."""
    retreat: Callable[..., tuple[Vectors, Vectors]]
    """(gradient of the new state, coefficients) -> (gradients of the C columns, of which the first G are those of the
    products; gradient of the state but through the products)."""


def _sigmoid(z: jax.Array) -> jax.Array:
    return 1 / (1 + jnp.exp(-z))


def _simple_advance(x: Vectors, products: Vectors, state: Vectors) -> tuple[Vectors, Vectors]:
    h = jnp.tanh(x[0] + products[0])
    return (h,), (1 - h * h,)


def _simple_retreat(gradient: Vectors, coefficients: Vectors) -> tuple[Vectors, Vectors]:
    ((dh,), (k,)) = gradient, coefficients
    return (dh * k,), (jnp.zeros_like(dh),)


def _lstm_advance(x: Vectors, products: Vectors, state: Vectors) -> tuple[Vectors, Vectors]:
    _, c = state
    z_i, z_f, z_g, z_o = (x_z + h_z for x_z, h_z in zip(x, products, strict=True))
    i, f, g, o = _sigmoid(z_i), _sigmoid(z_f), jnp.tanh(z_g), _sigmoid(z_o)
    c_new = f * c + i * g
    a = jnp.tanh(c_new)
    coefficients = (g * i * (1 - i), c * f * (1 - f), i * (1 - g * g), a * o * (1 - o), o * (1 - a * a), f)
    return (o * a, c_new), coefficients


def _lstm_retreat(gradient: Vectors, coefficients: Vectors) -> tuple[Vectors, Vectors]:
    dh, dc = gradient
    k_i, k_f, k_g, k_o, k_c, f = coefficients
    dc = dc + dh * k_c
    return (dc * k_i, dc * k_f, dc * k_g, dh * k_o), (jnp.zeros_like(dh), dc * f)


def _gru_advance(x: Vectors, products: Vectors, state: Vectors) -> tuple[Vectors, Vectors]:
    (h,) = state
    z, r, inner = (x_z + h_z for x_z, h_z in zip(x[:3], products, strict=True))
    z, r = _sigmoid(z), _sigmoid(r)
    g = jnp.tanh(x[3] + r * inner)
    k_g = (1 - z) * (1 - g * g)
    coefficients = ((h - g) * z * (1 - z), k_g * inner * r * (1 - r), k_g * r, k_g, z)
    return (z * h + (1 - z) * g,), coefficients


def _gru_retreat(gradient: Vectors, coefficients: Vectors) -> tuple[Vectors, Vectors]:
    (dh,) = gradient
    *k, z = coefficients
    return tuple(dh * k_column for k_column in k), (dh * z,)


SIMPLE_RNN = RowCell(1, 1, 1, _simple_advance, _simple_retreat)
LSTM = RowCell(4, 4, 6, _lstm_advance, _lstm_retreat)
GRU = RowCell(3, 4, 5, _gru_advance, _gru_retreat)
