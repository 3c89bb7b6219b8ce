"""Token ids to vectors.

Legend: B batch, T tokens, V vocabulary, E embedding.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import check_least
from seqjax.layers.checks import check_ids, within
from seqjax.layers.initializers import Initializer
from seqjax.layers.sharding import is_split
from seqjax.layers.tokens import Tokens


def uniform(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    """Keras's initial embedding: uniform in +-0.05."""
    return jax.random.uniform(key, shape, dtype, -0.05, 0.05)


class Embedding(nn.Module):
    """A table of V rows of E numbers."""

    vocabulary_size: int
    embedding_size: int
    trained: bool = True
    """False: no gradient reaches the table, so that no optimizer of gradients alone moves it (weight decay would)."""
    embedding_init: Initializer = uniform

    def setup(self) -> None:
        """Declare the table."""
        check_least("embedding_size", self.embedding_size, 1)
        check_least("vocabulary_size", self.vocabulary_size, 1)
        table = self.param("embedding", self.embedding_init, (self.vocabulary_size, self.embedding_size))
        self.embedding = table if self.trained else jax.lax.stop_gradient(table)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        """Token ids [..., T] in 0..V-1 -> vectors [..., T, E]; an id outside counts as the nearest one inside.

        Raises:
          UserError: they are not integers.
        """
        return self.embedding[within(check_ids("Embedding", tokens), self.vocabulary_size)]

    def tokens(self, tokens: jax.Array) -> Tokens | jax.Array:
        """Token ids [B, T] -> what stands for their vectors: a recurrent layer projects each distinct one once.

        Of a table that is split over devices the vectors themselves: only these are exchanged.
        """
        if is_split(self.vocabulary_size):
            return self(tokens)
        return Tokens(tokens, self.embedding)
