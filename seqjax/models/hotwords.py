"""Which word has just ended, frame by frame, from what has been heard so far.

Legend: B batch, T frames, M features, F filters, U units, V classes.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import check_least
from seqjax.layers.dense import Dense, Dropout
from seqjax.layers.spectral_augmentation import Augmentation
from seqjax.models.carry import handed_on
from seqjax.models.sounds import halved, patches

HISTORY = 2
"""Frames before the present one that the convolution sees."""


class HotwordDetector(nn.Module):
    """A convolution over 3 frames and 3 bands, one over 3 bands, a recurrent layer, dropout, Dense V.

    It is causal: the answer to a frame depends on it and on those before. The state is (the last 2 frames [B, 2, M],
    that of the recurrent layer).
    """

    layer: nn.Module
    """Gives all steps and its state: a layer of `seqjax.layers` with `return_sequences` and `return_state`."""
    classes: int
    """V: the padding (0), nothing (1), and the words."""
    filters: tuple[int, int] = (16, 24)
    dropout: float = 0.0
    augmentation: Augmentation | None = None
    """In training; its speed is to be 0."""

    def example(self) -> tuple[jax.Array, jax.Array]:
        """Inputs of one row, for the shapes."""
        return jnp.zeros((1, 4, 40)), jnp.ones(1, bool)

    @nn.compact
    def __call__(self, inputs: tuple[jax.Array, jax.Array], *, train: bool = False) -> jax.Array:
        """Features [B, T, M], and whether each row begins anew [B] bool -> logits [B, T, V]."""
        features, fresh = inputs
        return handed_on(self, fresh, lambda state: self.run(features, state, train))

    @nn.compact
    def run(self, features: jax.Array, state: Any = None, train: bool = False) -> tuple[jax.Array, Any]:
        """Features [B, T, M] and the state before them (None: zeros) -> logits [B, T, V] and the state after them."""
        check_least("classes", self.classes, 3)
        batch, steps, bands = features.shape
        mean = self.param("mean", nn.initializers.zeros, (bands,))
        deviation = self.param("deviation", nn.initializers.ones, (bands,))
        change = self.augmentation if train else None
        if change is not None:
            lengths = jnp.full(batch, steps, jnp.int32)
            features, _ = change.spoken(self.make_rng("dropout"), features, lengths)
        mean, deviation = jax.lax.stop_gradient((mean, deviation))  # the data's, not learned
        x = (features - mean[None, None, :]) / deviation[None, None, :]
        if change is not None:
            x = change.masked(self.make_rng("dropout"), x, lengths)
        before, inner = (jnp.zeros((batch, HISTORY, bands)), None) if state is None else state
        x = jnp.concatenate([before, x], axis=1)
        last = x[:, steps:]
        x = patches(x[..., None], pad=0)  # [B, T, M, 9]
        x = halved(nn.relu(Dense(self.filters[0], kernel_init=nn.initializers.he_normal())(x)))  # [B, T, M / 2, F]
        x = patches(x, frames=1)  # [B, T, M / 2, 3 F]
        x = halved(nn.relu(Dense(self.filters[1], kernel_init=nn.initializers.he_normal())(x)))
        x = Dropout(self.dropout)(x.reshape(batch, steps, -1), deterministic=not train)
        x, inner = self.layer(x, initial_state=inner, train=train)  # [B, T, U]
        x = Dropout(self.dropout)(x, deterministic=not train)
        return Dense(self.classes)(x), (last, inner)
