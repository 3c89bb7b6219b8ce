"""Models of a window of measurements: one number per window.

Legend: B batch, T time, D features.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import UserError, check_least
from seqjax.layers.convolution import Conv1D, max_pool
from seqjax.layers.dense import Dense, Dropout, glorot_uniform

NORMALIZATIONS = ("series", "window", "last")


class LastValue(nn.Module):
    """The naive forecaster: what is measured now stays. No parameters (lecture: "random walk with no drift")."""

    column: int
    """Of the feature that is forecast; the inputs are to be in its own units, not normalised."""

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool = False) -> jax.Array:
        """Windows [B, T, D] -> the column's last value [B]."""
        del train
        return inputs[:, -1, self.column]


class Drift(nn.Module):
    """The line from the window's first value to its last, prolonged. No parameters.

    The random walk with drift: last + h (last - first) / (T - 1), h the horizon (Hyndman and Athanasopoulos,
    *Forecasting: Principles and Practice*, 3rd ed., section 5.2).
    """

    column: int
    """As in `LastValue`."""
    ahead: int
    """h: samples from the window's last one to the target."""

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool = False) -> jax.Array:
        """Windows [B, T, D] of at least two samples -> forecasts [B]."""
        del train
        check_least("horizon", self.ahead, 1)
        check_least("sequence_length", inputs.shape[1], 2)
        first, last = inputs[:, 0, self.column], inputs[:, -1, self.column]
        return last + self.ahead * (last - first) / (inputs.shape[1] - 1)


class SeasonalNaive(nn.Module):
    """The value one season, or several, before the target: the last that can be known. No parameters."""

    column: int
    """As in `LastValue`."""
    ahead: int
    """Samples from the window's last one to the target."""
    season: int
    """Samples in one."""
    seasons: int = 1
    """How many before the target; more are taken where these would end after the window."""

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool = False) -> jax.Array:
        """Windows [B, T, D] -> forecasts [B]; T reaches back to the season.

        Raises:
          UserError: it does not.
        """
        del train
        for name, least in (("horizon", self.ahead), ("season", self.season), ("seasons", self.seasons)):
            check_least(name, least, 1)
        back = max(self.seasons, -(-self.ahead // self.season)) * self.season - self.ahead  # before the last sample
        check_least("sequence_length (for this season)", inputs.shape[1], back + 1)
        return inputs[:, -1 - back, self.column]


class Rescaled(nn.Module):
    """A forecaster of a scaled target, its forecast brought back to the target's own units."""

    forecaster: nn.Module

    @nn.compact
    def __call__(self, inputs: tuple[jax.Array, jax.Array], *, train: bool = False) -> jax.Array:
        """(windows [B, T, D], the target's mean and standard deviation [B, 2]) -> forecasts [B]."""
        windows, scale = inputs
        return scale[:, 0] + scale[:, 1] * self.forecaster(windows, train=train)


class Normalized(nn.Module):
    """A forecaster of windows that are each brought to a level, or to a level and a size, of their own.

    A series with a trend leaves the values that it was trained on; seen from its own window it does not. What is
    forecast is the change since the window's last value, so that a forecaster that says 0 is the naive one. Inputs as
    RevIN has them (Kim et al. 2022; without its learned scale), or NLinear (Zeng et al. 2023). The target is the first
    column.
    """

    forecaster: nn.Module
    how: str
    """`series`: the values as they are, and the target itself is forecast. `window`: each column by its mean and
    deviation over the window. `last`: differences from each column's last value."""
    epsilon: float = 1e-2
    """Beside the variance of a window of standardised columns: a tenth of a deviation, so that no quiet window is blown
    up. RevIN's 1e-5 made forecasts of NAB's machine temperature 5 % worse."""

    @nn.compact
    def __call__(self, inputs: tuple[jax.Array, jax.Array], *, train: bool = False) -> jax.Array:
        """(changes from a window's last row [B, T, D], that row [B, D]) -> changes since then to be expected [B].

        Raises:
          UserError: an unknown `how`.
        """
        changes, level = inputs
        if self.how not in NORMALIZATIONS:
            raise UserError(f"normalize={self.how} is unknown; choices: {', '.join(NORMALIZATIONS)}")
        if self.how == "series":
            return self.forecaster(changes + level[:, None], train=train) - level[:, 0]
        if self.how == "last":
            return self.forecaster(changes, train=train)
        mean = changes.mean(1, keepdims=True)  # [B, 1, D]
        size = jnp.sqrt(jnp.square(changes - mean).mean(1, keepdims=True) + self.epsilon)
        return size[:, 0, 0] * self.forecaster((changes - mean) / size, train=train)


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
        x = jnp.transpose(inputs, (1, 2, 0))  # [T, D, B]
        for k, width in enumerate((24, 12, 6)):
            if k < 2:
                x = x[: x.shape[0] - (x.shape[0] - width + 1) % 2]  # without the step that pooling would drop
            x = nn.relu(Conv1D(self.filters, width, name=f"Conv_{k}")(x))
            x = max_pool(x) if k < 2 else x.mean(axis=0)
        return Dense(1)(x.T)[:, 0]


class InputBatchNorm(nn.Module):
    """Batch normalisation of inputs whose mean and variance over the training part are known (Ioffe, Szegedy 2015).

    In training each feature is normalised by the mean and variance of its batch, over examples and time; otherwise by
    those of the training part. Keras estimates these as moving averages; here they are known, because the source has
    standardised its rows or draws them itself, so there is nothing to estimate, and no state besides the parameters.
    """

    epsilon: float = 1e-3
    """Keras's."""
    moments: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    """Means and variances of the features over the training part; None: 0 and 1, of standardised inputs."""

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool = False) -> jax.Array:
        """Windows [B, T, D] -> [B, T, D]."""
        features = inputs.shape[-1]
        scale = self.param("scale", nn.initializers.ones, (features,))[None, None, :]
        bias = self.param("bias", nn.initializers.zeros, (features,))[None, None, :]
        means, variances = self.moments or ((0.0,) * features, (1.0,) * features)
        mean, variance = jnp.array(means)[None, None, :], jnp.array(variances)[None, None, :]
        if train:
            mean, variance = inputs.mean((0, 1), keepdims=True), inputs.var((0, 1), keepdims=True)
        return scale * (inputs - mean) * jax.lax.rsqrt(variance + self.epsilon) + bias


class RecurrentForecaster(nn.Module):
    """A recurrent layer, dropout, Dense 1 (Keras's initial values); optionally normalised inputs, more dense layers."""

    layer: nn.Module
    """Returns the last state: a layer of `seqjax.layers.recurrent`."""
    dropout: float = 0.0
    """Of the last state, in training."""
    dense_layers: int = 0
    """relu layers between the dropout and Dense 1."""
    dense_units: int = 16
    """Of each of them."""
    batch_norm: bool = False
    """Normalise the inputs, as in `InputBatchNorm`, ..."""
    moments: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    """... which see."""
    start_at_zero: bool = False
    """The first forecasts are all 0, which for `Normalized` by the last value is the naive forecast."""

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool = False) -> jax.Array:
        """Windows [B, T, D] -> forecasts [B]."""
        check_least("dense_layers", self.dense_layers, 0)
        x = InputBatchNorm(moments=self.moments)(inputs, train=train) if self.batch_norm else inputs
        x = self.layer(x, train=train)  # [B, U]
        x = Dropout(self.dropout)(x, deterministic=not train)
        for _ in range(self.dense_layers):
            check_least("dense_units", self.dense_units, 1)
            x = nn.relu(Dense(self.dense_units)(x))
        kernel_init = nn.initializers.zeros if self.start_at_zero else glorot_uniform
        return Dense(1, kernel_init=kernel_init)(x)[:, 0]
