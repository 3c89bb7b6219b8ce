"""A transformer encoder of texts, as in chapter 11 of *Deep Learning with Python* (2nd edition).

Legend: B batch, T tokens, V vocabulary, E embedding, H heads, K size of a head.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import check_least
from seqjax.layers.dense import Dense, Dropout, glorot_uniform
from seqjax.layers.embeddings import Embedding, uniform
from seqjax.layers.tokens import hide


class SelfAttention(nn.Module):
    """softmax(q k^T / sqrt(K)) v in H heads, joined by a dense layer (starts as Keras's MultiHeadAttention)."""

    heads: int
    head_size: int

    @nn.compact
    def __call__(self, x: jax.Array, mask: jax.Array) -> jax.Array:
        """Vectors [B, T, E], real ones [B, T] bool -> [B, T, E]; nothing attends to what is not real."""
        check_least("heads", self.heads, 1)
        check_least("head_size", self.head_size, 1)
        x = hide(x, mask)  # a weight of 0 times NaN is NaN
        size = x.shape[-1]

        def heads(name: str) -> jax.Array:
            kernel = self.param(f"{name}_kernel", glorot_uniform, (size, self.heads, self.head_size))
            bias = self.param(f"{name}_bias", nn.initializers.zeros, (self.heads, self.head_size))
            return jnp.einsum("bte,ehk->bthk", x, kernel) + bias[None, None]

        attended = jax.nn.dot_product_attention(heads("query"), heads("key"), heads("value"), mask=mask[:, None, None])
        kernel = self.param("output_kernel", glorot_uniform, (self.heads, self.head_size, size))
        bias = self.param("output_bias", nn.initializers.zeros, (size,))
        return jnp.einsum("bthk,hke->bte", attended, kernel) + bias[None, None]


class EncoderBlock(nn.Module):
    """x = norm(x + attention(x)); norm(x + Dense E(relu(Dense `units`(x)))), with Keras's LayerNormalization."""

    heads: int
    head_size: int
    units: int

    @nn.compact
    def __call__(self, x: jax.Array, mask: jax.Array) -> jax.Array:
        """Vectors [B, T, E], real ones [B, T] bool -> [B, T, E]."""
        check_least("units", self.units, 1)
        x = hide(x, mask)
        x = nn.LayerNorm(epsilon=1e-3)(x + SelfAttention(self.heads, self.head_size)(x, mask))
        y = nn.relu(Dense(self.units)(x))
        y = Dense(x.shape[-1])(y)
        return nn.LayerNorm(epsilon=1e-3)(x + y)


class TransformerClassifier(nn.Module):
    """Embedding of tokens and of positions, an encoder block, maximum over time, dropout, Dense 1.

    Token 0 is padding. The book's maximum runs over it too; here it is left out, so that padding changes nothing.
    """

    vocabulary_size: int
    embedding_size: int
    longest: int
    """Positions in the table: T at most."""
    heads: int
    head_size: int
    units: int
    dropout: float

    @nn.compact
    def __call__(self, tokens: jax.Array, *, train: bool = False) -> jax.Array:
        """Token ids [B, T] -> logits [B]."""
        check_least("sequence_length", self.longest, tokens.shape[1])
        positions = self.param("positions", uniform, (self.longest, self.embedding_size))
        mask = tokens != 0
        x = Embedding(self.vocabulary_size, self.embedding_size)(tokens) + positions[None, : tokens.shape[1]]
        x = EncoderBlock(self.heads, self.head_size, self.units)(x, mask)  # [B, T, E]
        x = jnp.max(jnp.where(mask[:, :, None], x, -jnp.inf), axis=1)
        x = jnp.where(mask.any(axis=1)[:, None], x, 0)  # a text without a token
        x = Dropout(self.dropout)(x, deterministic=not train)
        return Dense(1)(x)[:, 0]
