"""Language models: after every symbol of a sequence, how likely each symbol is to come next.

Legend: B batch, T time, V vocabulary, E embedding, U units.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from seqjax.errors import UserError, check_least
from seqjax.layers.dense import Dense, Dropout, product
from seqjax.layers.embeddings import Embedding
from seqjax.layers.tokens import Tokens
from seqjax.models.carry import handed_on


class LanguageModel(nn.Module):
    """Embedding or one-hot symbols, a recurrent layer over all steps, dropout, Dense V (Keras's initial values)."""

    vocabulary_size: int
    """V, the padding (0) included."""
    layer: nn.Module
    """Gives all steps and its state: a layer of `seqjax.layers` with `return_sequences` and `return_state`."""
    embedding_size: int | None = None
    """None: one-hot vectors, which are never built."""
    dropout: float = 0.0
    """Of what the layer gives, fresh at every step."""
    tied: bool = False
    """The output's matrix is the embedding's (Press and Wolf 2017), after a Dense E where U is another width."""
    stateful: bool = False
    """The state after a batch is that before the next one: it is kept in the collection "carry"."""

    def example(self) -> tuple[jax.Array, jax.Array]:
        """Inputs of one row, for the shapes."""
        return jnp.ones((1, 2), jnp.int32), jnp.ones(1, bool)

    @nn.compact
    def __call__(self, inputs: tuple[jax.Array, jax.Array], *, train: bool = False) -> jax.Array:
        """Ids [B, T], and whether each row begins anew [B] bool -> logits [B, T, V] of the symbols one step later."""
        tokens, fresh = inputs
        if not self.stateful:
            return self.run(tokens, None, train)[0]
        return handed_on(self, fresh, lambda state: self.run(tokens, state, train))

    @nn.compact
    def run(self, tokens: jax.Array, state: Any = None, train: bool = False) -> tuple[jax.Array, Any]:
        """Ids [B, T] and the state before them (None: zeros) -> logits [B, T, V] and the state after them."""
        check_least("vocabulary_size", self.vocabulary_size, 1)
        if self.tied and self.embedding_size is None:
            raise UserError("tied: there is no embedding for the output to share; give embedding_size")
        embedding = None
        if self.embedding_size is not None:
            embedding = Embedding(self.vocabulary_size, self.embedding_size)
        x = Tokens(tokens, vocabulary_size=self.vocabulary_size) if embedding is None else embedding.tokens(tokens)
        x, state = self.layer(x, initial_state=state, train=train)  # [B, T, U]
        x = Dropout(self.dropout)(x, deterministic=not train)
        if not self.tied or embedding is None or self.embedding_size is None:  # the latter two only for type checkers
            return Dense(self.vocabulary_size)(x), state
        if x.shape[-1] != self.embedding_size:
            x = Dense(self.embedding_size)(x)
        bias = self.param("bias", nn.initializers.zeros, (self.vocabulary_size,))
        return product(x, embedding.embedding.T) + bias[None, None, :], state


def surprise(model: LanguageModel, params: Any, inputs: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    """What texts cost that begin anew.

    Args:
      model: a language model.
      params: its own.
      inputs: ids [B, T], 0 being padding; and what `LanguageModel` takes besides, which does not count.

    Returns:
      nats [B] of all symbols but the first, and how many they are [B].
    """
    tokens = inputs[0]
    logits, _ = model.apply({"params": params}, tokens[:, :-1], method="run")
    nats = optax.softmax_cross_entropy_with_integer_labels(logits, tokens[:, 1:])
    real = tokens[:, 1:] > 0
    return jnp.sum(jnp.where(real, nats, 0), axis=1), jnp.sum(real, axis=1)
