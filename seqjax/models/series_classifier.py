"""Classifiers of series: a recurrent layer over all steps, pooled; convolutions before it or beside it.

Legend: B batch, T time, D dimensions, F filters, P steps of a patch, U units, K classes.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import UserError, check_least
from seqjax.layers.augmentation import Augment
from seqjax.layers.composite import Bidirectional, Stacked
from seqjax.layers.convolution import Conv1D
from seqjax.layers.dense import Dropout
from seqjax.layers.pooling import Pooling
from seqjax.layers.recurrent import GRU, LSTM, SimpleRNN
from seqjax.models.classifiers import logits

CELLS = {"gru": GRU, "lstm": LSTM, "simple_rnn": SimpleRNN}
CONVOLUTIONS = ("none", "front", "branch")
WIDTHS = (8, 5, 3)
"""Of the three convolutions of an FCN (Wang et al. 2017)."""


def recurrent(cell: str, units: int, layers: int, bidirectional: bool, sequences: bool) -> nn.Module:
    """A recurrent layer, or several one above the other."""
    check_least("layers", layers, 1)
    if cell not in CELLS:
        raise UserError(f"cell={cell}: choose {', '.join(CELLS)}")
    one = lambda: CELLS[cell](units, return_sequences=sequences)
    stack = [Bidirectional(one()) if bidirectional else one() for _ in range(layers)]
    return stack[0] if layers == 1 else Stacked(stack)


class Convolutions(nn.Module):
    """Three convolutions that keep the number of steps, each normalised over its filters at every step, then relu.

    An FCN's but for its batch normalisation, which would need the other examples: a step's features are normalised
    among each other (Ba et al. 2016). Steps that are not real are zeros before each.
    """

    filters: int

    @nn.compact
    def __call__(self, x: jax.Array, real: jax.Array | None = None) -> jax.Array:
        """[B, T, D], real steps [B, T] or None for all -> [B, T, F]; the middle one has 2 F filters."""
        check_least("filters", self.filters, 1)
        mask = None if real is None else real.T[:, None, :]
        x = jnp.transpose(x, (1, 2, 0))  # [T, D, B]
        for width, filters in zip(WIDTHS, (self.filters, 2 * self.filters, self.filters), strict=True):
            x = x if mask is None else jnp.where(mask, x, 0)
            x = jnp.pad(x, (((width - 1) // 2, width // 2), (0, 0), (0, 0)))
            x = nn.relu(_normalised(self, Conv1D(filters, width)(x), width))
        return jnp.transpose(x, (2, 0, 1))


def _normalised(module: nn.Module, x: jax.Array, number: int) -> jax.Array:
    """[T, F, B] -> each step's features with mean 0 and variance 1, times a learned size, plus a learned level."""
    scale = module.param(f"scale_{number}", nn.initializers.ones, (x.shape[1],))[None, :, None]
    level = module.param(f"level_{number}", nn.initializers.zeros, (x.shape[1],))[None, :, None]
    mean = x.mean(axis=1, keepdims=True)
    variance = jnp.square(x - mean).mean(axis=1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * scale + level


def patches(x: jax.Array, real: jax.Array | None, size: int) -> tuple[jax.Array, jax.Array | None]:
    """P steps side by side as one: [B, T, D] -> [B, ceil(T / P), P D], and which have a real step; zeros at the end."""
    check_least("patch", size, 1)
    if size == 1:
        return x, real
    missing = -x.shape[1] % size
    x = jnp.pad(x, ((0, 0), (0, missing), (0, 0)))
    x = x.reshape(x.shape[0], -1, size * x.shape[2])
    if real is None:
        return x, None
    return x, jnp.pad(real, ((0, 0), (0, missing))).reshape(x.shape[0], -1, size).any(axis=2)


class SeriesClassifier(nn.Module):
    """Augmented values in patches, a recurrent layer, pooled; dropout, Dense.

    With convolutions in `front`, what they make of the values is cut into patches instead. As a `branch` beside
    (LSTM-FCN, Karim et al. 2018) their mean over time joins what the recurrent layer gives.
    """

    cell: str
    units: int
    layers: int = 1
    bidirectional: bool = False
    pooling: str = "max"
    patch: int = 1
    convolution: str = "none"
    filters: int = 32
    dropout: float = 0.0
    classes: int = 2
    augment: Augment = Augment()

    def example(self) -> jax.Array:
        """Inputs, for the shapes."""
        return jnp.zeros((1, 16, 1))

    @nn.compact
    def __call__(self, inputs: Any, *, train: bool = False) -> jax.Array:
        """Values [B, T, D], or these and which steps are real [B, T] bool -> logits [B] or [B, K].

        Raises:
          UserError: options that are unknown or out of range.
        """
        if self.convolution not in CONVOLUTIONS:
            raise UserError(f"convolution={self.convolution}: choose {', '.join(CONVOLUTIONS)}")
        x, real = inputs if isinstance(inputs, tuple) else (inputs, None)
        x = self.augment(x, real, train=train)
        convolved = x if self.convolution == "none" else Convolutions(self.filters)(x, real)
        if self.convolution == "front":
            x = convolved if real is None else jnp.where(real[:, :, None], convolved, 0)
        steps, mask = patches(x, real, self.patch)
        last = self.pooling == "last"
        layer = recurrent(self.cell, self.units, self.layers, self.bidirectional, not last)
        x = layer(steps, mask=mask, train=train)  # [B, U], or [B, T / P, U]
        x = x if last else Pooling(self.pooling)(x, mask)
        if self.convolution == "branch":
            x = jnp.concatenate([x, Pooling("mean")(convolved, real)], axis=1)
        x = Dropout(self.dropout)(x, deterministic=not train)
        return logits(x, self.classes)
