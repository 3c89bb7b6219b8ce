"""The LSTM of cuDNN, through `jax.experimental.rnn`.

Legend: B batch, T time, D features, U units.

Limits: NVIDIA only, float32, no recurrent dropout, and of masks only right padding: a row whose mask has a hole or
starts with False comes out as NaN, because a wrong number would not be noticed. Products are computed at the highest
precision (no TF32), so that it equals the other backends.

This file has been tested on a CPU only, with `jax.experimental.rnn.lstm_ref` (JAX's own reference for the same
weights and lengths) in place of cuDNN's kernel: the layout of the weights and the handling of lengths and direction
are proven, the call on a GPU is not.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import rnn


def run(
    parameters: Mapping[str, jax.Array],
    inputs: jax.Array,
    mask: jax.Array | None,
    state: tuple[jax.Array, ...],
    *,
    reverse: bool,
    kernel: Callable[..., Any] | None = None,
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    """One LSTM layer.

    Args:
      parameters: kernel [D, 4U], recurrent_kernel [U, 4U], bias [4U].
      inputs: [B, T, D].
      mask: [B, T] bool, right padding only, or None.
      state: (h, c), each [B, U].
      reverse: from the last real step to the first.
      kernel: (x, h0, c0, weights, lengths) -> (y, h, c); None: cuDNN.

    Returns:
      the outputs [B, T, U], aligned with the inputs, and the final (h, c).
    """
    time = inputs.shape[1]
    lengths = jnp.full(inputs.shape[0], time) if mask is None else mask.sum(axis=1)
    order = jnp.arange(time)[None, :]
    if reverse:  # the padding stays where it is
        order = jnp.where(order < lengths[:, None], lengths[:, None] - 1 - order, order)
        inputs = jnp.take_along_axis(inputs, order[:, :, None], axis=1)
    h, c = state
    # cuDNN refuses rows of length 0: they run one step, and its result is dropped.
    y, h_n, c_n = (kernel or _cudnn)(
        inputs, h[None], c[None], _pack(parameters), jnp.maximum(lengths, 1).astype(jnp.int32)
    )
    empty = (lengths == 0)[:, None]
    h_n, c_n = jnp.where(empty, h, h_n[0]), jnp.where(empty, c, c_n[0])
    if reverse:
        y = jnp.take_along_axis(y, order[:, :, None], axis=1)
    if mask is None:
        return y, (h_n, c_n)
    held = h if reverse else h_n  # right padding comes first in a reversed layer, and last in the other
    y = jnp.where(mask[:, :, None], y, held[:, None, :])
    right_padded = jnp.all(mask == (jnp.arange(time)[None, :] < lengths[:, None]), axis=1)
    y, h_n, c_n = (jnp.where(right_padded.reshape(-1, *[1] * (a.ndim - 1)), a, jnp.nan) for a in (y, h_n, c_n))
    return y, (h_n, c_n)


def _cudnn(x: jax.Array, h: jax.Array, c: jax.Array, weights: jax.Array, lengths: jax.Array) -> Any:
    features, units = x.shape[-1], h.shape[-1]
    highest = jax.lax.Precision.HIGHEST
    return rnn.lstm(x, h, c, weights, lengths, features, units, 1, 0.0, False, highest)


def _pack(parameters: Mapping[str, jax.Array]) -> jax.Array:
    """One vector: W^T, R^T, input bias, recurrent bias (zero here); the gates i, f, g, o are in our order."""
    bias = parameters["bias"]
    parts = [parameters["kernel"].T, parameters["recurrent_kernel"].T, bias, jnp.zeros_like(bias)]
    return jnp.concatenate([part.reshape(-1) for part in parts])
