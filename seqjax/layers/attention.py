"""Attention of a decoder over a source: additive (Bahdanau) and multiplicative (Luong), masked.

    keys = attention.prepare(memory, mask)          once a source
    context, weights = attention(query, keys)       all steps of a known target at once, or a step at a time

weights = softmax(score(query, key_s) over the steps s that the mask leaves), context = sum_s weights_s * memory_s. What
depends on the source alone is projected in `prepare`, so that decoding does not do it again at every step.

A source without a real step gives weights 0 and context 0. NaN and infinity at masked steps reach neither outputs nor
gradients.

Legend: B sources, S steps of a source, D features of the memory, N queries' rows (B, or k*B in a beam search, the k of
one source side by side), T steps of a target, U units of the query, A units of the attention.

Sources: Bahdanau, Cho and Bengio 2015 (arXiv 1409.0473); Luong, Pham and Manning 2015 (arXiv 1508.04025).
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from seqjax.errors import UserError
from seqjax.layers.checks import as_array, check_count, check_mask, check_sequences, said
from seqjax.layers.dense import Dense
from seqjax.layers.tokens import hide


@struct.dataclass
class Keys:
    """A source as an attention looks at it."""

    keys: jax.Array
    """[B, S, A], or [B, S, U]: what a query is compared with."""
    memory: jax.Array
    """[B, S, D]; zeros where masked."""
    mask: jax.Array | None
    """[B, S] bool; None: every step is real."""


class Attention(nn.Module):
    """What the three share; a subclass has `project` (memory -> keys) and `score` (queries, keys -> [B, T, S])."""

    def prepare(self, memory: jax.Array, mask: jax.Array | None = None) -> Keys:
        """What depends on the source alone.

        Args:
          memory: [B, S, D], as a rule an encoder's outputs.
          mask: [B, S] bool, False at padding; or None.

        Raises:
          UserError: shapes or types that make no sense.
        """
        name = type(self).__name__
        memory = check_sequences(name, as_array(f"{name}: memory", memory, "real numbers", ("B", "S", "D")))
        mask = check_mask(name, mask, memory)
        memory = hide(memory, mask)
        return Keys(self.project(memory), memory, mask)

    def __call__(self, query: jax.Array, source: Keys) -> tuple[jax.Array, jax.Array]:
        """Look at a source.

        Args:
          query: [N, U] (one step) or [N, T, U]; N is B, or a multiple of it: then row n looks at source n // (N / B).
          source: of `prepare`.

        Returns:
          the contexts [N, (T,) D] and the weights [N, (T,) S], which add up to 1 (0 where nothing is real).

        Raises:
          UserError: a query of another shape.
        """
        batch = source.keys.shape[0]
        if query.ndim not in (2, 3) or (batch and query.shape[0] % batch):
            raise UserError(
                f"{type(self).__name__}: query must be [{batch}, units] or [{batch}, time, units], or of a multiple "
                f"of {batch} rows, not {said(query)}"
            )
        rows = query.reshape(batch, query[..., 0].size // max(batch, 1), query.shape[-1])
        scores = self.score(rows, source.keys)  # [B, N/B*T, S]
        weights = masked_softmax(scores, None if source.mask is None else source.mask[:, None, :])
        context = jnp.einsum("bts,bsd->btd", weights.astype(source.memory.dtype), source.memory)
        shape = query.shape[:-1]
        return context.reshape(*shape, context.shape[-1]), weights.reshape(*shape, weights.shape[-1])

    def project(self, memory: jax.Array) -> jax.Array:
        """Memory [B, S, D] -> keys."""
        raise NotImplementedError

    def score(self, query: jax.Array, keys: jax.Array) -> jax.Array:
        """Queries [B, T, U] and keys -> [B, T, S]."""
        raise NotImplementedError


class AdditiveAttention(Attention):
    """score = v . tanh(query @ W_q + memory @ W_k (+ b)), W_q [U, A], W_k [D, A], v [A].

    Keras's AdditiveAttention is the inner part: it takes what is projected already, and calls v the scale.

    Queries [B, U] or [B, T, U], a memory [B, S, D] and its mask [B, S] -> contexts [B, (T,) D] and weights [B, (T,) S].
    `units` is A, `use_bias` told below. PyTorch and Flax have none.

        >>> layer = AdditiveAttention(6)
        >>> look = lambda attention, query: attention(query, attention.prepare(x, mask))
        >>> params = layer.init(key, x[:, 0], method=look)
        >>> context, weights = layer.apply(params, x[:, 0], method=look)
        >>> context.shape, weights[1].round(3)[2:].tolist()
        ((2, 3), [0.0, 0.0, 0.0])
        >>> module = nnx.bridge.lazy_init(nnx.bridge.ToNNX(layer, rngs=rngs), x[:, 0], method=look)
        >>> module(x[:, 0], method=look)[0].shape
        (2, 3)
    """

    units: int
    """A."""
    use_bias: bool = False
    """Whether there is a b [A]; Bahdanau leaves it out of his equations "for readability"."""

    def setup(self) -> None:
        """Declare the projections and v."""
        check_count("units", self.units)
        self.query = Dense(self.units, use_bias=self.use_bias)
        self.key = Dense(self.units, use_bias=False)
        self.v = self.param("v", _glorot_vector, (self.units,))

    def project(self, memory: jax.Array) -> jax.Array:
        """[B, S, D] -> [B, S, A]."""
        return self.key(memory)

    def score(self, query: jax.Array, keys: jax.Array) -> jax.Array:
        """[B, T, U], [B, S, A] -> [B, T, S]."""
        return jnp.tanh(self.query(query)[:, :, None] + keys[:, None]) @ self.v


class DotAttention(Attention):
    """score = query . memory; both have as many features (U = D).

    Queries [B, U] or [B, T, U], a memory [B, S, D] and its mask [B, S] -> contexts [B, (T,) D] and weights [B, (T,) S].
    `use_scale` is told below. As Keras's Attention; PyTorch's scaled_dot_product_attention(scale=1); Flax's
    nn.dot_product_attention of one head, whose query is divided by sqrt(D) first.

        >>> layer = DotAttention()
        >>> look = lambda attention, query: attention(query, attention.prepare(x, mask))
        >>> params = layer.init(key, x[:, 0], method=look)
        >>> context, weights = layer.apply(params, x[:, 0], method=look)
        >>> context.shape, weights[1].round(3)[2:].tolist()
        ((2, 3), [0.0, 0.0, 0.0])
        >>> module = nnx.bridge.lazy_init(nnx.bridge.ToNNX(layer, rngs=rngs), x[:, 0], method=look)
        >>> module(x[:, 0], method=look)[0].shape
        (2, 3)
    """

    use_scale: bool = False
    """Whether scores are multiplied by a trained number, which starts at 1 (Keras's use_scale)."""

    def setup(self) -> None:
        """Declare the scale."""
        self.scale = self.param("scale", nn.initializers.ones, ()) if self.use_scale else 1.0

    def project(self, memory: jax.Array) -> jax.Array:
        """The memory itself."""
        return memory

    def score(self, query: jax.Array, keys: jax.Array) -> jax.Array:
        """[B, T, U], [B, S, U] -> [B, T, S]. Raises UserError: the query has another size."""
        return self.scale * _dot(type(self).__name__, query, keys)


class GeneralAttention(Attention):
    """score = query . (memory @ W), W [D, U].

    Queries [B, U] or [B, T, U], a memory [B, S, D] and its mask [B, S] -> contexts [B, (T,) D] and weights [B, (T,) S].
    `units` is U. As Keras's Attention behind a Dense(units, use_bias=False); PyTorch and Flax: likewise.

        >>> layer = GeneralAttention(3)
        >>> look = lambda attention, query: attention(query, attention.prepare(x, mask))
        >>> params = layer.init(key, x[:, 0], method=look)
        >>> context, weights = layer.apply(params, x[:, 0], method=look)
        >>> context.shape, weights[1].round(3)[2:].tolist()
        ((2, 3), [0.0, 0.0, 0.0])
        >>> module = nnx.bridge.lazy_init(nnx.bridge.ToNNX(layer, rngs=rngs), x[:, 0], method=look)
        >>> module(x[:, 0], method=look)[0].shape
        (2, 3)
    """

    units: int
    """U, the size of the queries."""

    def setup(self) -> None:
        """Declare W."""
        check_count("units", self.units)
        self.key = Dense(self.units, use_bias=False)

    def project(self, memory: jax.Array) -> jax.Array:
        """[B, S, D] -> [B, S, U]."""
        return self.key(memory)

    def score(self, query: jax.Array, keys: jax.Array) -> jax.Array:
        """[B, T, U], [B, S, U] -> [B, T, S]. Raises UserError: the query has another size."""
        return _dot(type(self).__name__, query, keys)


def masked_softmax(scores: jax.Array, mask: jax.Array | None) -> jax.Array:
    """[..., S] -> weights, at least float32: 0 where the mask (which broadcasts) is False, even if it is everywhere."""
    scores = scores.astype(jnp.promote_types(scores.dtype, jnp.float32))
    if mask is None:
        return jax.nn.softmax(scores)
    mask = jnp.broadcast_to(mask, scores.shape)
    scores = jnp.where(mask, scores, jnp.finfo(scores.dtype).min)  # -inf less -inf would be NaN
    largest = jax.lax.stop_gradient(scores.max(axis=-1, keepdims=True, initial=jnp.finfo(scores.dtype).min))
    raised = jnp.where(mask, jnp.exp(scores - largest), 0)
    total = raised.sum(axis=-1, keepdims=True)
    return raised / jnp.where(total == 0, 1, total)


def _glorot_vector(key: Any, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    """Keras's glorot-uniform of a vector: uniform in +-sqrt(3 / A)."""
    bound = math.sqrt(3 / shape[0])
    return jax.random.uniform(key, shape, dtype, -bound, bound)


def _dot(name: str, query: Any, keys: jax.Array) -> jax.Array:
    if query.shape[-1] != keys.shape[-1]:
        hint = "; general attention projects the memory" if name == "DotAttention" else ""
        raise UserError(f"{name}: query must have {keys.shape[-1]} features as the keys have, not {said(query)}{hint}")
    return jnp.einsum("btu,bsu->bts", query, keys)
