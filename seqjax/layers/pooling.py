"""The outputs of all steps as one vector: what steps hold that are not real never matters, nor how many they are.

Legend: B batch, T time, D features.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import UserError
from seqjax.layers.dense import Dense

CHOICES = ("last", "mean", "max", "attention")
"""`last` is a recurrent layer's own: its state holds still at padding."""


class Pooling(nn.Module):
    """`mean`, `max`, or `attention`: the mean by weights softmax(v . tanh(W x)) (Lin et al. 2017, arXiv 1703.03130).

    Of a row without a real step: zeros.
    """

    how: str

    @nn.compact
    def __call__(self, x: jax.Array, real: jax.Array | None = None) -> jax.Array:
        """[B, T, D], real steps [B, T] bool or None for all -> [B, D]. Raises UserError: an unknown `how`."""
        if self.how not in CHOICES[1:]:
            raise UserError(f"pooling={self.how}: choose {', '.join(CHOICES)}")
        valid = jnp.ones((*x.shape[:2], 1), bool) if real is None else real[:, :, None]  # [B, T, 1]
        x = jnp.where(valid, x, 0)
        if self.how == "max":
            highest = jnp.max(jnp.where(valid, x, -jnp.inf), axis=1)
            return jnp.where(valid.any(axis=1), highest, 0)
        weights = valid.astype(x.dtype)
        if self.how == "attention":
            hidden = jnp.tanh(Dense(x.shape[2])(x))
            scores = jnp.where(valid, Dense(1, use_bias=False)(hidden), -jnp.inf)  # [B, T, 1]
            highest = jax.lax.stop_gradient(jnp.max(scores, axis=1, keepdims=True))
            weights = jnp.exp(scores - jnp.where(jnp.isfinite(highest), highest, 0))
        # Both sums at once, and over an axis that is not the last: so zeros behind the end leave every bit as it is.
        sums = jnp.sum(weights * jnp.concatenate([x, jnp.ones_like(x[:, :, :1])], axis=2), axis=1)
        return sums[:, :-1] / jnp.maximum(sums[:, -1:], jnp.finfo(x.dtype).tiny)
