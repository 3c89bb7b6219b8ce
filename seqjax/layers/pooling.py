"""The outputs of all steps as one vector: what steps that are not real hold never matters, and not even how many.

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
        real = jnp.ones(x.shape[:2], bool) if real is None else real
        real = real[:, :, None]  # [B, T, 1]
        if self.how == "max":
            return jnp.where(real.any(axis=1), jnp.max(jnp.where(real, x, -jnp.inf), axis=1), 0)
        weights = real.astype(x.dtype)
        if self.how == "attention":
            scores = Dense(1, use_bias=False)(jnp.tanh(Dense(x.shape[2])(x)))  # [B, T, 1]
            highest = jnp.max(jnp.where(real, scores, -jnp.inf), axis=1, keepdims=True)
            weights = jnp.where(real, jnp.exp(scores - jax.lax.stop_gradient(jnp.where(real, highest, scores))), 0)
        # One sum for both: step after step, so that zeros behind the last one leave every bit as it is.
        sums = jnp.sum(weights * jnp.concatenate([jnp.where(real, x, 0), jnp.ones_like(x[:, :, :1])], axis=2), axis=1)
        return sums[:, :-1] / jnp.maximum(sums[:, -1:], jnp.finfo(x.dtype).tiny)
