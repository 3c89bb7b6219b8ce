"""One input, many outputs: a picture becomes the first state of a recurrent layer, which says letter after letter.

Legend: B batch, P pixels, T letters, V different letters, E embedding, H hidden units, U units.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.decoding import Limits, greedy
from seqjax.errors import check_least
from seqjax.layers.dense import Dense, Dropout
from seqjax.layers.embeddings import Embedding
from seqjax.layers.recurrent import GRU

PADDING, START, END = 0, 1, 2


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
    pictures, before = inputs
    apply: Any = functools.partial(model.apply, {"params": params})

    def step(state: jax.Array, letters: jax.Array) -> tuple[jax.Array, jax.Array]:
        logits, state = apply(state, letters[:, None], method="follow")
        return state, logits[:, 0]

    limits = Limits(before.shape[1], end=END, never=(PADDING, START))
    found = greedy(step, apply(pictures, method="start"), jnp.full(len(pictures), START), limits)
    return {"letters": found.tokens, "probability": jnp.exp(found.scores)}
