"""An encoder-decoder that reads a sentence and writes another, token by token, with or without attention.

    encoded = encoder(source)                                    once
    h_t = cell(e_t, h_{t-1})                                     e_t: the target's token before
    c_t = attention(h_t, encoded)
    logits_t = output(tanh(readout(h_t, c_t, e_t)))

With `feeding` the cell is fed the context as well, as Bahdanau et al. (2015) have it: c_t = attention(h_{t-1},
encoded), h_t = cell([e_t, c_t], h_{t-1}). Without it (Luong et al. 2015) no state depends on a context, so that the
recurrent layer runs over all of a known target in one call, and the attention looks from all its steps at once.

Without attention the context is the encoder's last state (Cho et al. 2014; Sutskever et al. 2014 without `feeding`).

The same parameters serve both ways: `__call__` for a known target, `encode` and `step` for one that is being written.

Legend: B sources, N rows (B, or k*B in a beam search), S tokens of a source, T of a target, V vocabulary of the target,
E embedding, U units, D features of the context.
"""

import math
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct

from seqjax.errors import UserError
from seqjax.layers.attention import AdditiveAttention, Attention, DotAttention, GeneralAttention, Keys
from seqjax.layers.composite import Bidirectional
from seqjax.layers.dense import Dense, Dropout, glorot_uniform
from seqjax.layers.embeddings import Embedding
from seqjax.layers.recurrent import GRU, LSTM
from seqjax.layers.tokens import Tokens
from seqjax.layers.vocabulary import Logits

AttentionName = Literal["none", "additive", "dot", "general"]
CellName = Literal["gru", "lstm"]
State = Any
"""Of the decoder's cell: h [N, U], of an LSTM (h, c)."""


@struct.dataclass
class Encoded:
    """A source, read."""

    keys: Keys | None
    """What the attention looks at; None: there is none."""
    state: State
    """The decoder's first."""

    @property
    def last(self) -> jax.Array:
        """[B, U]: the context where there is no attention."""
        return _output(self.state)


class Translator(nn.Module):
    """See the head of the file. Token 0 is padding."""

    source_size: int
    target_size: int
    """V."""
    embedding_size: int = 256
    units: int = 256
    """Of each direction of the encoder, of the decoder and of the attention."""
    cell: CellName = "gru"
    attention: AttentionName = "additive"
    feeding: bool = False
    dropout: float = 0.0
    """Of the embeddings and of what the output layer is fed."""
    tied: bool = False
    """The output layer's kernel is the target's embedding."""

    def setup(self) -> None:
        """Make the parts. Raises UserError: an unknown cell or attention."""
        layers = {"gru": GRU, "lstm": LSTM}
        for knob, names in (("cell", layers), ("attention", ("none", "additive", "dot", "general"))):
            if getattr(self, knob) not in names:
                raise UserError(f"{knob}={getattr(self, knob)!r}: choose one of {', '.join(names)}")
        layer = layers[self.cell](self.units, return_sequences=True, return_state=True)
        self.source_embedding = Embedding(self.source_size, self.embedding_size)
        self.target_embedding = Embedding(self.target_size, self.embedding_size)
        # A dot product needs a memory as wide as the query.
        self.encoder = Bidirectional(layer, merge="sum" if self.attention == "dot" else "concat")
        self.bridge = Dense(self.units * (2 if self.cell == "lstm" else 1))
        self.decoder = layer.clone()
        self.attend = None if self.attention == "none" else self._attention()
        self.readout = Dense(self.embedding_size)
        shape = (self.embedding_size, self.target_size)
        table = self.target_embedding.embedding
        self.output_kernel = table.T if self.tied else self.param("output_kernel", glorot_uniform, shape)
        self.output_bias = self.param("output_bias", nn.initializers.zeros, (self.target_size,))
        self.drop = Dropout(self.dropout)

    def _attention(self) -> Attention:
        kinds = {"additive": AdditiveAttention, "general": GeneralAttention}
        return DotAttention() if self.attention == "dot" else kinds[self.attention](self.units)

    def example(self) -> tuple[jax.Array, jax.Array]:
        """Inputs, for the shapes."""
        return jnp.ones((1, 2), jnp.int32), jnp.ones((1, 3), jnp.int32)

    def __call__(self, inputs: tuple[jax.Array, jax.Array], *, train: bool = False) -> Logits:
        """(source [B, S], the target's tokens before [B, T]) -> logits [B, T, V] of the tokens that follow them."""
        source, before = inputs
        encoded = self.encode(source, train=train)
        h, context, embedded, _ = self._follow(encoded, before, train)
        return Logits(self._features(h, context, embedded, train), self.output_kernel, self.output_bias)

    def alignment(self, inputs: tuple[jax.Array, jax.Array]) -> jax.Array:
        """Inputs as of a call -> the attention's weights [B, T, S]. Raises UserError: there is no attention."""
        if self.attend is None:
            raise UserError("attention=none: there is no alignment to be shown")
        return self._follow(self.encode(inputs[0]), inputs[1], False)[3]

    def encode(self, source: jax.Array, *, train: bool = False) -> Encoded:
        """Read sources [B, S]."""
        mask = source != 0
        embedded = self._embed(self.source_embedding, source, train)
        memory, final = self.encoder(embedded, mask=mask, train=train)
        joined = jnp.concatenate(jax.tree.leaves(final), axis=-1)  # h, or h and c, of both directions
        state = jnp.tanh(self.bridge(joined))
        if self.cell == "lstm":
            state = tuple(jnp.split(state, 2, axis=-1))
        return Encoded(None if self.attend is None else self.attend.prepare(memory, mask), state)

    def step(self, encoded: Encoded, state: State, tokens: jax.Array) -> tuple[State, jax.Array, jax.Array | None]:
        """Tokens [N] -> the new state, logits [N, V] of those that follow, the attention's weights [N, S].

        N is B, or k*B in a beam search, the k rows of a source side by side (`seqjax.decoding`).
        """
        embedded = self._vectors(self.target_embedding, tokens)
        state, (h, context, weights) = self._advance(encoded, state, embedded)
        logits = self._features(h, context, embedded, False) @ self.output_kernel + self.output_bias[None, :]
        return state, logits, weights

    def _embed(self, embedding: Embedding, tokens: jax.Array, train: bool) -> Any:
        """Vectors [B, T, E], or what stands for them where each distinct one need be projected only once."""
        if train and self.dropout > 0:
            return self.drop(self._vectors(embedding, tokens), deterministic=False)
        found = embedding.tokens(tokens)
        if not isinstance(found, Tokens):  # of a table that is split over devices
            return found * self._scale
        return found.replace(table=embedding.embedding * self._scale)  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def _scale(self) -> float:
        """Of embeddings as inputs: they begin small, as an output layer must (Vaswani et al. 2017, section 3.4).

        Without it a tied model took 12 epochs on the generated sentences for what it learns in 2.
        """
        return math.sqrt(self.embedding_size)

    def _vectors(self, embedding: Embedding, tokens: jax.Array) -> jax.Array:
        return embedding(tokens) * self._scale

    def _advance(self, encoded: Encoded, state: State, embedded: jax.Array) -> tuple[State, Any]:
        """One step: embedded [N, E] -> state, (h [N, U], context [N, D], weights [N, S])."""
        if not self.feeding:
            state, h = self.decoder.cell(state, embedded)
            return state, (h, *self._look(encoded, h))
        context, weights = self._look(encoded, _output(state))
        state, h = self.decoder.cell(state, jnp.concatenate([embedded, context], axis=-1))
        return state, (h, context, weights)

    def _look(self, encoded: Encoded, query: jax.Array) -> tuple[jax.Array, jax.Array | None]:
        """Query [N, U] or [N, T, U] -> contexts [N, (T,) D], weights [N, (T,) S]."""
        if self.attend is not None and encoded.keys is not None:
            return self.attend(query, encoded.keys)
        rows = jnp.repeat(encoded.last, len(query) // len(encoded.last), axis=0)
        return jnp.broadcast_to(rows if query.ndim == 2 else rows[:, None], query.shape), None

    def _follow(self, encoded: Encoded, before: jax.Array, train: bool) -> tuple[jax.Array, jax.Array, Any, Any]:
        """All steps of a known target: h [B, T, U], contexts [B, T, D], embedded [B, T, E], weights [B, T, S]."""
        embedded = self.drop(self._vectors(self.target_embedding, before), deterministic=not train)
        if self.feeding and self.attend is not None:
            h, context, weights = self._scan(encoded, embedded)
            return h, context, embedded, weights
        inputs = embedded
        if self.feeding:
            shape = (*embedded.shape[:2], self.units)
            inputs = jnp.concatenate([embedded, jnp.broadcast_to(encoded.last[:, None], shape)], axis=-1)
        h, _ = self.decoder(inputs, initial_state=encoded.state, train=train)
        context, weights = self._look(encoded, h)
        return h, context, embedded, weights

    def _scan(self, encoded: Encoded, embedded: jax.Array) -> Any:
        def step(model: Any, state: State, embedded: jax.Array) -> tuple[State, Any]:
            return model._advance(encoded, state, embedded)

        scan = nn.scan(step, variable_broadcast="params", split_rngs={"params": False}, in_axes=1, out_axes=1)
        return scan(self, encoded.state, embedded)[1]

    def _features(self, h: jax.Array, context: jax.Array, embedded: jax.Array, train: bool) -> jax.Array:
        """[N, (T,) ...] each -> what the output layer is fed, [N, (T,) E]."""
        x = jnp.tanh(self.readout(jnp.concatenate([h, context, embedded], axis=-1)))
        return self.drop(x, deterministic=not train)


def _output(state: State) -> jax.Array:
    return state[0] if isinstance(state, tuple) else state
