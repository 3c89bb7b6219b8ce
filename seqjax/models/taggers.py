"""Models that answer at every step: many to many, aligned.

Legend: B batch, T words, V vocabulary, E embedding, C context, K tags.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import UserError, check_least
from seqjax.layers.dense import Dense, Dropout
from seqjax.layers.embeddings import Embedding, uniform
from seqjax.layers.initializers import Initializer
from seqjax.layers.tokens import hide

UNKNOWN = 1


class RecurrentTagger(nn.Module):
    """Embedding, dropout, a recurrent layer over all steps, dropout, Dense `tags` at each.

    Token 0 is padding and changes nothing. In training some words read as the unknown word 1, so that it is learned: no
    word of the training part is unknown.
    """

    vocabulary_size: int
    embedding_size: int
    layer: nn.Module
    """Returns all steps: a layer of `seqjax.layers.recurrent` with return_sequences."""
    tags: int
    dropout: float
    word_dropout: float = 0.0
    """How many of the words are unknown in training."""
    context: int = 1
    """Each step is fed the vectors of so many words with its own in the middle (Mesnil et al. 2013), an odd number."""
    embedding_init: Initializer = uniform

    def example(self) -> jax.Array:
        """Inputs, for the shapes."""
        return jnp.ones((1, 2), jnp.int32)

    @nn.compact
    def __call__(self, words: jax.Array, *, train: bool = False) -> jax.Array:
        """Word ids [B, T] -> logits [B, T, K]."""
        check_least("tags", self.tags, 1)
        if self.context < 1 or self.context % 2 == 0:
            raise UserError(f"context must be odd and at least 1, not {self.context}")
        mask = words != 0
        if train and self.word_dropout > 0:
            drop = jax.random.bernoulli(self.make_rng("dropout"), self.word_dropout, words.shape)
            words = jnp.where(drop, UNKNOWN, words)  # the mask is that of before
        embedding = Embedding(self.vocabulary_size, self.embedding_size, embedding_init=self.embedding_init)
        if self.context == 1 and self.dropout == 0:
            x: Any = embedding.tokens(words)  # stands for [B, T, E]
        else:
            x = Dropout(self.dropout)(hide(embedding(words), mask), deterministic=not train)
            x = _windows(x, self.context)  # [B, T, C*E]
        x = self.layer(x, mask=mask, train=train)  # [B, T, U]
        x = Dropout(self.dropout)(x, deterministic=not train)
        return Dense(self.tags)(x)


def tags_of(logits: jax.Array, words: jax.Array) -> jax.Array:
    """The likeliest tag of each word, [B, T] int32, never the padding's; 0 where there is no word."""
    return jnp.where(words != 0, 1 + jnp.argmax(logits[:, :, 1:], axis=2), 0).astype(jnp.int32)


def _windows(x: jax.Array, context: int) -> jax.Array:
    """[B, T, E] -> [B, T, C*E]: each step beside its neighbours in their order; zeros beyond the ends."""
    reach, steps = context // 2, x.shape[1]
    padded = jnp.pad(x, ((0, 0), (reach, reach), (0, 0)))
    return jnp.concatenate([padded[:, k : k + steps] for k in range(context)], axis=2)
