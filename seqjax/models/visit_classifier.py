"""A model of visits that answers at every click.

Legend: B batch, T clicks, V pages, E embedding, U units.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import check_least
from seqjax.layers.dense import Dense, Dropout
from seqjax.layers.embeddings import Embedding


class VisitClassifier(nn.Module):
    """Embedding of the page, beside it the time since the click before, a recurrent layer, dropout, Dense 1.

    The logit after a click is of the second of two classes, from the clicks so far.
    """

    pages: int
    """V, the padding (0) included."""
    layer: nn.Module
    """Gives all steps and its state: a layer of `seqjax.layers` with `return_sequences` and `return_state`."""
    embedding_size: int
    dropout: float = 0.0

    def example(self) -> tuple[jax.Array, jax.Array]:
        """Inputs of one row, for the shapes."""
        return jnp.ones((1, 2), jnp.int32), jnp.zeros((1, 2))

    @nn.compact
    def __call__(self, inputs: tuple[jax.Array, jax.Array], *, train: bool = False) -> jax.Array:
        """Pages [B, T], 0 behind a visit's end, and times [B, T] -> logits [B, T]."""
        return self.run(inputs, None, train)[0]

    @nn.compact
    def run(self, inputs: tuple[jax.Array, jax.Array], state: Any = None, train: bool = False) -> tuple[jax.Array, Any]:
        """Pages and times [B, T] and the state before them (None: zeros) -> logits [B, T] and the state after them."""
        pages, times = inputs
        check_least("pages", self.pages, 1)
        check_least("embedding_size", self.embedding_size, 1)
        x = Embedding(self.pages, self.embedding_size)(pages)
        x = jnp.concatenate([x, times[:, :, None].astype(x.dtype)], axis=2)  # [B, T, E + 1]
        x, state = self.layer(x, mask=pages != 0, initial_state=state, train=train)  # [B, T, U]
        x = Dropout(self.dropout)(x, deterministic=not train)
        return Dense(1)(x)[:, :, 0], state
