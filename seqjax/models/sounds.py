"""Models of sounds: log-mel energies or MFCCs of a recording -> what is said in it.

Legend: B batch, T frames, M features, F filters, U units, K classes.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import check_least
from seqjax.layers.dense import Dense, Dropout
from seqjax.layers.spectral_augmentation import Augmentation
from seqjax.models.classifiers import logits

EPSILON = 1e-3
"""Added to a deviation: of what is silent throughout."""
RANGE = 10.0
"""How far below a recording's highest feature another one may be: of log energies 43 dB. What is softer is the room."""


def standardised(x: jax.Array, real: jax.Array) -> jax.Array:
    """[B, T, M], every recording with mean 0 and deviation 1 over its real frames [B, T] and all features; else 0.

    Not each feature by itself: of a short word its mean is a good part of what tells one vowel from another.
    """
    real = jnp.broadcast_to(real[:, :, None], x.shape)
    over = {"axis": (1, 2), "keepdims": True, "where": real}
    x = jnp.where(real, x, 0)
    x = jnp.maximum(x, jnp.max(x, initial=-jnp.inf, **over) - RANGE)
    apart = jnp.where(real, x - jnp.mean(x, **over), 0)
    return apart / (jnp.sqrt(jnp.mean(jnp.square(apart), **over)) + EPSILON)


class SoundClassifier(nn.Module):
    """Convolutions over time and bands, a recurrent layer, the maximum over time, dropout, Dense.

    Every recording is standardised by itself, so that the distance of a microphone does not count.
    """

    layer: nn.Module
    """Of `seqjax.layers`: gives all steps."""
    filters: tuple[int, ...]
    """Of 3 x 3 convolutions, after each of which every two bands become one, and after the first every two frames."""
    dropout: float
    classes: int = 2
    augmentation: Augmentation | None = None
    """In training."""

    def example(self) -> tuple[jax.Array, jax.Array]:
        """Inputs of one recording, for the shapes."""
        return jnp.zeros((1, 16, 40)), jnp.full(1, 16, jnp.int32)

    @nn.compact
    def __call__(self, inputs: tuple[jax.Array, jax.Array], *, train: bool = False) -> jax.Array:
        """Features [B, T, M] and how many frames [B] are real -> logits [B] or [B, K]."""
        check_least("classes", self.classes, 2)
        x, lengths = inputs
        change = self.augmentation if train else None
        if change is not None:
            x, lengths = change.spoken(self.make_rng("dropout"), x, lengths)
        x = standardised(x, _real(x, lengths))
        if change is not None:
            x = change.masked(self.make_rng("dropout"), x, lengths)
        x = x[..., None]  # [B, T, M, 1]
        for k, filters in enumerate(self.filters):
            x = nn.relu(Dense(filters, kernel_init=nn.initializers.he_normal())(patches(x)))
            x = jnp.where(_real(x, lengths)[:, :, None, None], x, 0)
            if k == 0:
                x = jnp.pad(x, ((0, 0), (0, x.shape[1] % 2), (0, 0), (0, 0)))
                x, lengths = jnp.maximum(x[:, 0::2], x[:, 1::2]), -(-lengths // 2)
            x = halved(x)
        real = _real(x, lengths)
        x = x.reshape(*x.shape[:2], -1)
        x = Dropout(self.dropout)(x, deterministic=not train)
        x = self.layer(x, mask=real, train=train)  # [B, T, U]
        x = jnp.max(jnp.where(real[:, :, None], x, -jnp.inf), axis=1)
        x = Dropout(self.dropout)(x, deterministic=not train)
        return logits(x, self.classes)


def patches(x: jax.Array, frames: int = 3, pad: int = 1) -> jax.Array:
    """[B, T, M, F] -> [B, T, M, 3 * frames * F]: every place with its neighbours, zeros beyond the edges.

    A Dense on it is a convolution of so many frames and 3 bands, by a product of two matrices. A step with XLA's own
    convolutions within a loop took 3.2 s on a busy core, with these 0.2.

    Args:
      x: what is convolved.
      frames: 3, or 1: neighbours among the bands only.
      pad: frames of zeros before the first one and behind the last; with 0 there are frames - 1 less.
    """
    pad = pad if frames > 1 else 0
    x = jnp.pad(x, ((0, 0), (pad, pad), (1, 1), (0, 0)))
    steps, bands = x.shape[1] - frames + 1, x.shape[2] - 2
    return jnp.concatenate([x[:, i : i + steps, j : j + bands] for i in range(frames) for j in range(3)], axis=-1)


def halved(x: jax.Array) -> jax.Array:
    """[B, T, M, F] -> [B, T, M // 2, F]: the larger of every two bands."""
    bands = x.shape[2] // 2 * 2
    return jnp.maximum(x[:, :, 0:bands:2], x[:, :, 1:bands:2])


def _real(x: jax.Array, lengths: jax.Array) -> jax.Array:
    """[B, T] bool."""
    return jnp.arange(x.shape[1])[None, :] < lengths[:, None]
