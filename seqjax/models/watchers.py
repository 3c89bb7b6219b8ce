"""Models that say what a row should be from those before it, or what a window should have been.

Legend: B batch, L rows in a window, F columns, C numbers of context, U units, K kept (of a bottleneck).
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import check_least
from seqjax.layers.dense import Dense

CLIP = 5.0
"""Deviations from the mean of the training rows behind which a value counts no further, as an input and in the loss."""
STAY = 2.0
"""The gate begins at sigmoid of this: nearly the naive forecast."""


def example(rows: int = 64, columns: int = 1) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Inputs of one row to be judged (`seqjax.data.series.watch.Seen`), for the shapes."""
    width = 6 + 2 * columns
    return jnp.zeros((1, rows, columns)), jnp.zeros((1, rows, width)), jnp.zeros((1, width))


class RowForecaster(nn.Module):
    """A recurrent layer over a window and its changes, Dense U, relu, Dense 2 F: g and d of each column.

    expected = sigmoid(2 + g) * last + d; both start at 0, so that it begins near the naive forecast.
    """

    layer: nn.Module
    """Returns the last state: a layer of `seqjax.layers.recurrent`."""
    units: int

    def example(self) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Inputs of one row, for the shapes."""
        return example()

    @nn.compact
    def __call__(self, inputs: tuple[Any, Any, Any], *, train: bool = False) -> jax.Array:
        """(window [B, L, F], its context [B, L, C], the row's own [B, C]) -> what is expected [B, F]."""
        check_least("units", self.units, 1)
        values, context, now = inputs
        columns, last = values.shape[-1], values[:, -1]
        changes = jnp.diff(values, axis=1, prepend=values[:, :1])
        x = jnp.clip(jnp.concatenate([values, changes, context], axis=-1), -CLIP, CLIP)  # [B, L, 2 F + C]
        h = jnp.concatenate([self.layer(x, train=train), jnp.clip(now, -CLIP, CLIP), x[:, -1]], axis=-1)
        h = nn.relu(Dense(self.units)(h))  # [B, U]
        out = Dense(2 * columns, kernel_init=nn.initializers.zeros)(h)
        return nn.sigmoid(out[:, columns:] + STAY) * last + out[:, :columns]


class WindowAutoencoder(nn.Module):
    """A recurrent layer over a window, Dense K, Dense L F: the window again."""

    layer: nn.Module
    """Returns the last state: a layer of `seqjax.layers.recurrent`."""
    kept: int
    """K: numbers that a window is told by."""

    def example(self) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Inputs of one row, for the shapes."""
        return example()

    @nn.compact
    def __call__(self, inputs: tuple[Any, Any, Any], *, train: bool = False) -> tuple[jax.Array, jax.Array]:
        """(window [B, L, F], ...) -> the window again, and itself [B, L, F]."""
        check_least("kept", self.kept, 1)
        values = inputs[0]
        x = jnp.clip(values, -CLIP, CLIP)
        h = Dense(self.kept)(self.layer(x, train=train))  # [B, K]
        return Dense(values.shape[1] * values.shape[2])(h).reshape(values.shape), values
