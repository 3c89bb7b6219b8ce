"""Models of a text: one logit per text, whose sigmoid is the probability of the positive class.

Legend: B batch, T tokens, V vocabulary, E embedding.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import check_least
from seqjax.models.dense import Dense, Dropout, glorot_uniform
from seqjax.models.embeddings import Embedding


class BagOfWordsClassifier(nn.Module):
    """Dense `units` relu on a multi-hot vector, dropout, Dense 1 (Keras's initial values).

    The multi-hot vector of V entries is never built: its product with the kernel is the sum of the kernel's rows
    whose tokens are present.
    """

    vocabulary_size: int
    units: int
    dropout: float

    @nn.compact
    def __call__(self, tokens: jax.Array, *, train: bool = False) -> jax.Array:
        """Distinct token ids [B, T], padded with `vocabulary_size` -> logits [B]."""
        check_least("units", self.units, 1)
        kernel = self.param("kernel", glorot_uniform, (self.vocabulary_size, self.units))
        bias = self.param("bias", nn.initializers.zeros, (self.units,))
        rows = jnp.take(kernel, tokens, axis=0, mode="fill", fill_value=0)  # [B, T, units]; padding is out of range: 0
        x = nn.relu(rows.sum(axis=1) + bias[None, :])
        x = Dropout(self.dropout)(x, deterministic=not train)
        return Dense(1)(x)[:, 0]


class RecurrentClassifier(nn.Module):
    """Embedding, a recurrent layer, dropout, Dense 1 (Keras's initial values)."""

    vocabulary_size: int
    embedding_size: int
    layer: nn.Module
    """Returns the last state: a layer of `seqjax.models.recurrent`."""
    dropout: float
    mask_padding: bool = False
    """Token 0 is padding: hold the state still there, as Keras's mask_zero does."""

    @nn.compact
    def __call__(self, tokens: jax.Array, *, train: bool = False) -> jax.Array:
        """Token ids [B, T] -> logits [B]."""
        x = Embedding(self.vocabulary_size, self.embedding_size).tokens(tokens)  # stands for [B, T, E]
        mask = tokens != 0 if self.mask_padding else None
        x = self.layer(x, mask=mask, train=train)  # [B, U]
        x = Dropout(self.dropout)(x, deterministic=not train)
        return Dense(1)(x)[:, 0]
