"""One input, many outputs: a picture becomes the first state of a recurrent layer, which says letter after letter.

Legend: B batch, P pixels, T letters, V different letters, E embedding, H hidden units, U units.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import check_least
from seqjax.layers.dense import Dense, Dropout
from seqjax.layers.embeddings import Embedding
from seqjax.layers.recurrent import GRU

START, END = 1, 2


class Speller(nn.Module):
    """Dense H relu, Dense U tanh of the picture is the first state of a GRU; it is fed the letter before; Dense V.

    Letter 0 is padding, behind the end.
    """

    pixels: int
    """P, for the shapes."""
    letters: int
    hidden: int
    embedding_size: int
    units: int
    dropout: float

    def setup(self) -> None:
        """Declare the layers."""
        for name in ("letters", "hidden", "embedding_size", "units"):
            check_least(name, getattr(self, name), 1)
        self.picture, self.state = Dense(self.hidden), Dense(self.units)
        self.embedding = Embedding(self.letters, self.embedding_size)
        self.layer = GRU(self.units, return_sequences=True, return_state=True)
        self.out = Dense(self.letters)
        self.drop = Dropout(self.dropout)

    def example(self) -> tuple[jax.Array, jax.Array]:
        """Inputs, for the shapes."""
        return jnp.ones((1, self.pixels)), jnp.ones((1, 2), jnp.int32)

    def __call__(self, inputs: tuple[jax.Array, jax.Array], *, train: bool = False) -> jax.Array:
        """Pictures [B, P] and the letter before each letter [B, T] -> logits [B, T, V]."""
        pictures, before = inputs
        return self.follow(self.start(pictures, train), before, train)[0]

    def start(self, pictures: jax.Array, train: bool = False) -> jax.Array:
        """Pictures [B, P] -> the state before the first letter [B, U]."""
        x = self.drop(nn.relu(self.picture(pictures)), deterministic=not train)
        return jnp.tanh(self.state(x))

    def follow(self, state: jax.Array, before: jax.Array, train: bool = False) -> tuple[jax.Array, jax.Array]:
        """State [B, U] and letters before [B, T] -> logits [B, T, V] and the state after them."""
        x, state = self.layer(self.embedding(before), mask=before != 0, initial_state=state, train=train)
        return self.out(self.drop(x, deterministic=not train)), state


def spell(model: Speller, params: Any, inputs: tuple[jax.Array, jax.Array]) -> dict[str, jax.Array]:
    """Say the likeliest letter at each step and go on from it, up to the end or the T of `inputs`.

    Returns:
      letters: [B, T] int32, 0 behind the end.
      probability: [B] of the whole word, the product of its letters'.
    """
    variables, (pictures, before) = {"params": params}, inputs

    def step(carry: Any, _: None) -> tuple[Any, jax.Array]:
        state, letter, score, running = carry
        logits, state = model.apply(variables, state, letter[:, None], method="follow")
        scores = jax.nn.log_softmax(logits[:, 0])
        letter = jnp.where(running, 1 + jnp.argmax(scores[:, 1:], axis=1), 0).astype(jnp.int32)
        score = score + jnp.where(running, jnp.take_along_axis(scores, letter[:, None], axis=1)[:, 0], 0)
        return (state, letter, score, running & (letter != END)), letter

    state = model.apply(variables, pictures, method="start")
    first = jnp.full(len(pictures), START, jnp.int32)
    carry = (state, first, jnp.zeros(len(pictures)), jnp.ones(len(pictures), bool))
    (_, _, score, _), letters = jax.lax.scan(step, carry, None, length=before.shape[1])
    return {"letters": letters.T, "probability": jnp.exp(score)}
