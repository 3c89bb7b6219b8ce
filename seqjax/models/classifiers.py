"""Models of a text: of two classes one logit, whose sigmoid is the probability of the second; of more a logit each.

Legend: B batch, T tokens, V vocabulary, E embedding, W width of a window, F filters, K classes.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import UserError, check_least
from seqjax.layers import bags
from seqjax.layers.convolution import Conv1D
from seqjax.layers.dense import Dense, Dropout, glorot_uniform
from seqjax.layers.embeddings import Embedding
from seqjax.layers.pooling import Pooling
from seqjax.layers.tokens import Tokens, hide, project


def logits(x: jax.Array, classes: int) -> jax.Array:
    """Dense on features [B, U], within a module's `__call__` -> [B] for two classes, [B, K] for more."""
    check_least("classes", classes, 2)
    return Dense(1)(x)[:, 0] if classes == 2 else Dense(classes)(x)


class BagOfWordsClassifier(nn.Module):
    """Dense `units` relu on a multi-hot, count or TF-IDF vector, dropout, Dense (Keras's initial values).

    The vector of V entries is never built: its product with the kernel is the weighted sum of the kernel's rows whose
    tokens are present.
    """

    vocabulary_size: int
    units: int
    dropout: float
    classes: int = 2

    @nn.compact
    def __call__(self, inputs: jax.Array | tuple[jax.Array, jax.Array], *, train: bool = False) -> jax.Array:
        """Distinct ids [B, T], padded with `vocabulary_size`, or these and weights [B, T] -> logits [B] or [B, K]."""
        check_least("units", self.units, 1)
        tokens, weights = inputs if isinstance(inputs, tuple) else (inputs, None)
        kernel = self.param("kernel", glorot_uniform, (self.vocabulary_size, self.units))
        bias = self.param("bias", nn.initializers.zeros, (self.units,))
        x = nn.relu(bags.product(tokens, weights, kernel) + bias[None, :])
        x = Dropout(self.dropout)(x, deterministic=not train)
        return logits(x, self.classes)


class RecurrentClassifier(nn.Module):
    """Embedding or one-hot vectors, a recurrent layer, dropout, Dense (Keras's initial values)."""

    vocabulary_size: int
    embedding_size: int | None
    """None: one-hot vectors of V entries, which are never built. Padding is the vector of token 0."""
    layer: nn.Module
    """Of `seqjax.layers.recurrent`. Where it returns all states, their maximum over the real steps is taken."""
    dropout: float
    mask_padding: bool = False
    """Token 0 is padding: hold the state still there, as Keras's mask_zero does."""
    train_embedding: bool = True
    """False: the embedding keeps its initial values."""
    classes: int = 2
    word_dropout: float = 0.0
    """In training, this share of the words is taken for unknown (token 1), whose vector is learned that way."""
    embedding_dropout: float = 0.0
    """Of the entries of the words' vectors; with it, or with filters, these are built."""
    filters: int = 0
    """Of each width in `WIDTHS`, of convolutions (relu, maximum) beside the layer, as Kim's (2014, arXiv 1408.5882)."""

    @nn.compact
    def __call__(self, tokens: jax.Array, *, train: bool = False) -> jax.Array:
        """Token ids [B, T] -> logits [B] or [B, K]."""
        if train and self.word_dropout:
            lost = jax.random.bernoulli(self.make_rng("dropout"), self.word_dropout, tokens.shape)
            tokens = jnp.where(lost & (tokens != 0), 1, tokens)
        mask = tokens != 0 if self.mask_padding else None
        x = self._vectors(tokens, mask, train)
        parts = [self.layer(x, mask=mask, train=train)]  # [B, U], or [B, T, U]
        if self.filters:
            parts += [_windows(Conv1D(self.filters, width), x, width) for width in WIDTHS]
        highest = Pooling("max")
        x = jnp.concatenate([part if part.ndim == 2 else highest(part, mask) for part in parts], axis=1)
        x = Dropout(self.dropout)(x, deterministic=not train)
        return logits(x, self.classes)

    def _vectors(self, tokens: jax.Array, mask: jax.Array | None, train: bool) -> jax.Array | Tokens:
        """[B, T, V] or [B, T, E]: what stands for them, or themselves where they are convolved or partly dropped."""
        if self.embedding_size is None:
            if self.filters or self.embedding_dropout:
                raise UserError("filters and embedding_dropout need an embedding: give embedding_size")
            return Tokens(tokens, vocabulary_size=self.vocabulary_size)
        embedding = Embedding(self.vocabulary_size, self.embedding_size, self.train_embedding)
        if not self.filters and not self.embedding_dropout:
            return embedding.tokens(tokens)
        x = embedding(tokens) if mask is None else embedding(tokens) * mask[:, :, None]
        return Dropout(self.embedding_dropout)(x, deterministic=not train)


WIDTHS = 2, 3, 4, 5


def _windows(convolution: Conv1D, x: Any, width: int) -> jax.Array:
    """[B, T, E] -> relu of the convolution around each step [B, T, F], zeros beyond the ends."""
    before = (width - 1) // 2
    padded = jnp.pad(x, ((0, 0), (before, width - 1 - before), (0, 0)))
    return nn.relu(convolution(padded.transpose(1, 2, 0))).transpose(2, 0, 1)


class ConvClassifier(nn.Module):
    """Embedding, Conv `filters` x `width` relu, maximum over time, dropout, Dense (Keras's initial values).

    Token 0 is padding: the maximum is over the windows that lie inside the text (over the first one in a text that is
    shorter than a window). Every distinct token is projected once, not every window; see `seqjax.layers.tokens`.
    """

    vocabulary_size: int
    embedding_size: int
    filters: int
    width: int
    dropout: float
    classes: int = 2

    @nn.compact
    def __call__(self, tokens: jax.Array, *, train: bool = False) -> jax.Array:
        """Token ids [B, T] -> logits [B], or [B, K]; T is at least W."""
        check_least("filters", self.filters, 1)
        check_least("width", self.width, 1)
        check_least("sequence_length", tokens.shape[1], self.width)
        length = jnp.sum(tokens != 0, axis=1)[:, None]  # [B, 1]
        seen = jnp.arange(tokens.shape[1])[None, :] < jnp.maximum(length, self.width)  # by a window that counts
        x = hide(Embedding(self.vocabulary_size, self.embedding_size).tokens(tokens), seen)  # stands for [B, T, E]
        kernel = self.param("kernel", glorot_uniform, (self.width, self.embedding_size, self.filters))
        bias = self.param("bias", nn.initializers.zeros, (self.filters,))
        biases = [bias, *[jnp.zeros_like(bias)] * (self.width - 1)]
        taps = project(x, list(kernel), biases, [False] * self.width)  # W of [T, B, F]
        starts = tokens.shape[1] - self.width + 1
        windows = nn.relu(sum(tap[k : k + starts] for k, tap in enumerate(taps)))
        last = length[:, 0] - self.width  # [B]: start of the last window inside the text
        inside = jnp.arange(starts)[:, None] <= jnp.maximum(last, 0)[None, :]
        x = jnp.max(jnp.where(inside[:, :, None], windows, 0), axis=0)  # [B, F]: relu leaves nothing below 0
        x = Dropout(self.dropout)(x, deterministic=not train)
        return logits(x, self.classes)
