"""A model of pictures in time: what comes next, and what it is.

Legend: B batch, T frames, H height, W width, Q pixels along an edge of a patch, D features of a layer, K classes.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import UserError, check_least
from seqjax.layers.cells import normalize
from seqjax.layers.convolution_2d import Conv2D
from seqjax.layers.dense import Dense

BRIGHTNESS = 4.0
"""Pixels are multiplied by it: most are 0, and their deviation is about a quarter."""


class FrameReader(nn.Module):
    """Recurrent layers over frames, whose patches are the features of their pixels, as in Shi et al. 2015.

    From the outputs at every frame, brought to unit variance at each place: the next frame, Q * Q logits at each place;
    and what is shown, by twice Conv2D 2D 3 x 3 relu, the maximum over all places, Dense K.
    """

    layer: Any
    """[B, T, H / Q, W / Q, Q * Q] -> [B, T, H / Q, W / Q, D]: `RNN`s of `ConvLSTMCell`, with return_sequences."""
    classes: int
    patch: int = 2
    """Q."""
    memory: bool = True
    """Without, every frame is read as the first of a sequence: the same layers, their state forgotten."""

    def example(self) -> jax.Array:
        """Inputs, for the shapes."""
        return jnp.zeros((1, 2, 8 * self.patch, 8 * self.patch))

    @nn.compact
    def __call__(self, frames: jax.Array, *, train: bool = False) -> dict[str, jax.Array]:
        """[B, T, H, W], 0 to 1 -> logits {"frames": [B, T, H, W], "digit": [B, T, K]}."""
        check_least("patch", self.patch, 1)
        batch, steps, *size = frames.shape
        if size[0] % self.patch or size[1] % self.patch:
            raise UserError(f"patch={self.patch} does not divide frames of {size[0]} x {size[1]} pixels")
        x = to_patches(frames * BRIGHTNESS, self.patch)
        apart = (batch, steps) if self.memory else (batch * steps, 1)
        x = normalize(self.layer(x.reshape(*apart, *x.shape[2:]), train=train))
        x = x.reshape(batch, steps, *x.shape[2:])
        logits = from_patches(Dense(self.patch**2)(x))
        width = 2 * x.shape[-1]
        for _ in range(2):
            x = nn.relu(Conv2D(width, 3, padding="same")(x))
        return {"frames": logits, "digit": Dense(self.classes)(x.max(axis=(2, 3)))}


def to_patches(frames: jax.Array, size: int) -> jax.Array:
    """[B, T, H, W] -> [B, T, H / Q, W / Q, Q * Q]."""
    batch, steps, height, width = frames.shape
    x = frames.reshape(batch, steps, height // size, size, width // size, size)
    return x.swapaxes(3, 4).reshape(batch, steps, height // size, width // size, size * size)


def from_patches(x: jax.Array) -> jax.Array:
    """The reverse of `to_patches`."""
    batch, steps, height, width, pixels = x.shape
    size = round(pixels**0.5)
    x = x.reshape(batch, steps, height, width, size, size).swapaxes(3, 4)
    return x.reshape(batch, steps, height * size, width * size)


def read_frames(model: FrameReader, params: Any, frames: jax.Array) -> dict[str, jax.Array]:
    """{"frames": probabilities [B, T, H, W], "digit": those after the last frame [B, K]}."""
    found: Any = model.apply({"params": params}, frames)
    return {"frames": jax.nn.sigmoid(found["frames"]), "digit": jax.nn.softmax(found["digit"][:, -1])}
