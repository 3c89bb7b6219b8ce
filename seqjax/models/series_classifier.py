"""Classifiers of series: a recurrent layer over all steps, pooled; a convolution before it or beside it.

Legend: B batch, T time, D dimensions, F filters, P steps of a patch, U units, K classes.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import UserError, check_least
from seqjax.layers.augmentation import Augment
from seqjax.layers.composite import Bidirectional, Stacked
from seqjax.layers.convolution import Conv1D, max_pool
from seqjax.layers.dense import Dropout
from seqjax.layers.pooling import Pooling
from seqjax.layers.recurrent import GRU, LSTM, SimpleRNN
from seqjax.models.classifiers import logits

CELLS = {"gru": GRU, "lstm": LSTM, "simple_rnn": SimpleRNN}
CONVOLUTIONS = ("none", "front", "branch", "both")
POOLED = 4
"""Steps of which a convolution keeps the largest value."""


def recurrent(cell: str, units: int, layers: int, bidirectional: bool, sequences: bool) -> nn.Module:
    """A recurrent layer, or several one above the other."""
    check_least("layers", layers, 1)
    if cell not in CELLS:
        raise UserError(f"cell={cell}: choose {', '.join(CELLS)}")
    one = lambda: CELLS[cell](units, return_sequences=sequences)
    stack = [Bidirectional(one()) if bidirectional else one() for _ in range(layers)]
    return stack[0] if layers == 1 else Stacked(stack)


class Convolution(nn.Module):
    """A convolution over time that keeps the number of steps, relu, and the largest of every four steps.

    Without the batch normalisation and the further layers of an FCN (Wang et al. 2017): on FordA's validation part a
    wide first layer did as well as two with normalised features (.945 to .953 of 720 series, one seed each).
    """

    filters: int
    width: int

    @nn.compact
    def __call__(self, x: jax.Array, real: jax.Array | None = None) -> tuple[jax.Array, jax.Array | None]:
        """[B, T, D], real steps [B, T] or None for all -> [B, ceil(T / 4), F], zeros where not real; which are real."""
        check_least("filters", self.filters, 1)
        check_least("width", self.width, 1)
        missing = -x.shape[1] % POOLED
        if real is None and missing:
            real = jnp.ones(x.shape[:2], bool)
        before, after = (self.width - 1) // 2, self.width // 2 + missing
        x = jnp.pad(jnp.transpose(x, (1, 2, 0)), ((before, after), (0, 0), (0, 0)))  # [T, D, B]
        x = nn.relu(Conv1D(self.filters, self.width)(x))
        if real is not None:
            real = jnp.pad(real, ((0, 0), (0, missing)))
            x = jnp.where(real.T[:, None, :], x, 0)  # nothing is below 0
            real = real.reshape(real.shape[0], -1, POOLED).any(axis=2)
        return jnp.transpose(max_pool(max_pool(x)), (2, 0, 1)), real


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

    A convolution may stand in `front` of the patches; as a `branch` beside the recurrent layer, whose mean over time
    joins what that gives (LSTM-FCN, Karim et al. 2018); or `both`, the same one.
    """

    cell: str
    units: int
    layers: int = 1
    bidirectional: bool = False
    pooling: str = "max"
    patch: int = 1
    convolution: str = "none"
    filters: int = 64
    width: int = 8
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
        x = self.augment(x if real is None else jnp.where(real[:, :, None], x, 0), real, train=train)
        convolved, left = x, real
        if self.convolution != "none":
            convolved, left = Convolution(self.filters, self.width)(x, real)
        if self.convolution in ("front", "both"):
            x, real = convolved, left
        steps, mask = patches(x, real, self.patch)
        last = self.pooling == "last"
        layer = recurrent(self.cell, self.units, self.layers, self.bidirectional, not last)
        x = layer(steps, mask=mask, train=train)  # [B, U], or [B, T / P, U]
        x = x if last else Pooling(self.pooling)(x, mask)
        if self.convolution in ("branch", "both"):
            x = jnp.concatenate([x, Pooling("mean")(convolved, left)], axis=1)
        x = Dropout(self.dropout)(x, deterministic=not train)
        return logits(x, self.classes)
