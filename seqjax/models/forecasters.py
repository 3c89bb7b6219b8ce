"""Models of a window of measurements: one number per window.

Legend: B batch, T time, D features.
"""

import flax.linen as nn
import jax

from seqjax.errors import check_least
from seqjax.models.dense import Conv1D, Dense, Dropout


class LastValue(nn.Module):
    """The naive forecaster: what is measured now stays. No parameters (lecture: "random walk with no drift")."""

    column: int
    """Of the feature that is forecast; the inputs are to be in its own units, not normalised."""

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool = False) -> jax.Array:
        """Windows [B, T, D] -> the column's last value [B]."""
        del train
        return inputs[:, -1, self.column]


class DenseForecaster(nn.Module):
    """Flatten, Dense `units` relu, Dense 1 (Keras's initial values)."""

    units: int

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool = False) -> jax.Array:
        """Windows [B, T, D] -> forecasts [B]."""
        del train
        check_least("units", self.units, 1)
        x = inputs.reshape(inputs.shape[0], -1)  # [B, T * D]
        x = nn.relu(Dense(self.units)(x))  # [B, units]
        return Dense(1)(x)[:, 0]


class ConvForecaster(nn.Module):
    """Conv 24, MaxPool 2, Conv 12, MaxPool 2, Conv 6 (valid, relu), mean over time, Dense 1; starts as in Keras."""

    filters: int

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool = False) -> jax.Array:
        """Windows [B, T, D] -> forecasts [B]; T is at least 69."""
        del train
        check_least("filters", self.filters, 1)
        check_least("sequence_length", inputs.shape[1], 69)
        x = inputs
        for width in (24, 12, 6):
            if width < 24:
                x = nn.max_pool(x, (2,), strides=(2,))
            x = nn.relu(Conv1D(self.filters, width)(x))
        return Dense(1)(x.mean(axis=1))[:, 0]


class RecurrentForecaster(nn.Module):
    """A recurrent layer, dropout, Dense 1 (Keras's initial values)."""

    layer: nn.Module
    """Returns the last state: a layer of `seqjax.models.recurrent`."""
    dropout: float = 0.0
    """Of the last state, in training."""

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool = False) -> jax.Array:
        """Windows [B, T, D] -> forecasts [B]."""
        x = self.layer(inputs, train=train)  # [B, U]
        x = Dropout(self.dropout)(x, deterministic=not train)
        return Dense(1)(x)[:, 0]
