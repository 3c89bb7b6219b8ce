"""GloVe (Pennington, Socher and Manning, 2014): vectors whose products are the logarithms of co-occurrence counts.

    J = sum over i, j of  f(X_ij) (w_i.u_j + a_i + b_j - ln X_ij)^2,    f(x) = min(1, (x / limit)^power)

Legend: B batch, V ids, E numbers of a vector.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import check_least


class GloVe(nn.Module):
    """The terms of J of each pair of words, in both orders, and how far the logarithm of its count is missed.

    Parameters: `words` and `contexts` [V, E], `word_bias` and `context_bias` [V, 1].
    """

    vocabulary_size: int
    embedding_size: int
    limit: float = 100.0
    power: float = 0.75

    def example(self) -> tuple[jax.Array, jax.Array]:
        """The least inputs, for the shapes of the parameters."""
        return jnp.zeros((1, 2), jnp.int32), jnp.ones(1)

    def table(self, params: Any) -> jax.Array:
        """The vectors that are wanted, [V, E]: the sum of both, as the paper has it."""
        return params["words"] + params["contexts"]

    @nn.compact
    def __call__(self, inputs: tuple[jax.Array, jax.Array], *, train: bool = False) -> jax.Array:
        """(ids [B, 2], counts [B] above 0) -> [B, 2]: terms of J; |w.u + a + b - ln X| in the given order."""
        del train
        check_least("embedding_size", self.embedding_size, 1)
        shape, half = (self.vocabulary_size, self.embedding_size), 0.5 / self.embedding_size
        start = lambda key, shape: jax.random.uniform(key, shape, minval=-half, maxval=half)
        words, contexts = self.param("words", start, shape), self.param("contexts", start, shape)
        biases = [self.param(name, start, (shape[0], 1)) for name in ("word_bias", "context_bias")]
        pairs, counts = inputs
        w, u = words[pairs], contexts[pairs]  # [B, 2, E]
        a, b = (bias[pairs, 0] for bias in biases)  # [B, 2]
        missed = jnp.sum(w * u[:, ::-1], axis=2) + a + b[:, ::-1] - jnp.log(counts)[:, None]
        weight = jnp.minimum(1, (counts / self.limit) ** self.power)
        orders = jnp.stack([jnp.ones_like(counts), (pairs[:, 0] != pairs[:, 1]).astype(counts.dtype)], axis=1)
        return jnp.stack([weight * jnp.sum(orders * missed**2, axis=1), jnp.abs(missed[:, 0])], axis=1)
