"""The output layer over a vocabulary, and how probable it makes each token, without the logits [B, T, V] of all.

The logits of a batch are by far its largest array (64 x 20 tokens, V = 8,000: 41 MB, and as much for their gradient).
So they are made a chunk of tokens at a time, which stays in the cache, and the gradient of the loss is made while they
are there: nothing of [B, T, V] is kept for the backward. Layer, smoothed loss, accuracy and gradients of that batch
with E = 256 take 158 ms of one core and 17 MB, where the plain way takes 301 ms and 78 MB.

A gradient that is made in the forward holds for a loss to which all real tokens contribute alike (a mean over tokens).
The backward looks whether they do, and makes it anew where they do not.

On CPUs a large vocabulary is one call of C++ (`kernels/vocabulary.h`), which never leaves the cache either.

Legend: B batch, T tokens, E features, V vocabulary, N tokens of all sequences one behind the other, C of a chunk.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jax.sharding import PartitionSpec

from seqjax.layers.backends import native_library
from seqjax.layers.sharding import DATA, is_split, over_devices

CHUNK = 256
"""C at most: with 128 it takes 2 % longer, with 512 20 % (V = 8,000)."""
LARGE = 1024
"""V from which on C++ has blocks of columns enough for all cores."""


class Judged(NamedTuple):
    """Of each token [B, T]; what is said of padding does not count."""

    losses: jax.Array
    """-log probability under a smoothed target."""
    nats: jax.Array
    """-log probability."""
    hits: jax.Array
    """1 where no other token is more probable, else 0."""


@struct.dataclass
class Logits:
    """Stands for features @ kernel + bias, [B, T, V]; the metrics of tokens take it as they take an array."""

    features: jax.Array
    """[B, T, E]."""
    kernel: jax.Array
    """[E, V]."""
    bias: jax.Array
    """[V]."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(B, T, V)."""
        batch, time, _ = self.features.shape
        return batch, time, len(self.bias)

    def dense(self) -> jax.Array:
        """Build them."""
        logits = self.features @ self.kernel
        return logits + jnp.broadcast_to(self.bias, logits.shape)

    @functools.cached_property
    def _judged(self) -> dict[int, tuple[jax.Array, float, Judged]]:
        """By the targets' id: loss and metrics ask for the same, and it is to be computed once."""
        return {}

    def judge(self, targets: jax.Array, smoothing: float | None = None) -> Judged:
        """Compare with the tokens [B, T] that were to come, 0 being padding.

        Args:
          targets: [B, T] int.
          smoothing: the share of a target's probability that all tokens have alike (Szegedy et al. 2016); None: as it
            was asked for before, or 0.
        """
        known = self._judged.get(id(targets))
        if known is None or smoothing not in (None, known[1]):
            known = self._judged[id(targets)] = targets, smoothing or 0.0, self._said(targets, smoothing or 0.0)
        return known[2]

    def _said(self, targets: jax.Array, smoothing: float) -> Judged:
        if is_split(len(self.bias)):  # every device has the logits of its own part of the vocabulary, of all tokens
            logits = self.dense()
            found = _judge_chunk(smoothing, logits.reshape(-1, logits.shape[2]), targets.reshape(-1))[0]
            return jax.tree.map(lambda part: part.reshape(targets.shape), found)
        rows, whole = PartitionSpec(DATA), PartitionSpec()
        operands = (self.features, self.kernel, self.bias, targets)
        found: Any = over_devices(
            functools.partial(_judge_rows, smoothing), operands, (rows, whole, whole, rows), (rows, rows, rows)
        )
        return Judged(*found)

    def nats(self, targets: jax.Array) -> jax.Array:
        """-log probability of tokens [B, T], 0 being padding -> [B, T]."""
        known = self._judged.get(id(targets))
        return self.judge(targets, 0.0).losses if known is None or known[1] == 0 else known[2].nats


def _judge_rows(smoothing: float, operands: Any) -> Any:
    """One device's share, its tokens made a whole number of chunks by padding, but for C++."""
    x, kernel, bias, targets = operands
    shape, tokens = targets.shape, targets.size
    rest = 0 if _native(x, kernel, bias) else -tokens % min(CHUNK, max(tokens, 1))
    flat = jnp.pad(x.reshape(tokens, x.shape[-1]), ((0, rest), (0, 0)))
    found: Any = _judge(smoothing, flat, kernel, bias, jnp.pad(targets.reshape(tokens), (0, rest)))
    return tuple(part[:tokens].reshape(shape) for part in found)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _judge(smoothing: float, x: jax.Array, kernel: jax.Array, bias: jax.Array, targets: jax.Array) -> Judged:
    """x [N, E], targets [N] -> [N] each. Reverse-mode derivatives only, and first ones."""
    if _native(x, kernel, bias):
        said = native_library.call("judge", _said(x), x, kernel, bias, targets.astype(jnp.int32))
        return _judged(smoothing, said, kernel.shape[1])
    one = lambda chunk: _judge_chunk(smoothing, chunk[0] @ kernel + bias[None, :], chunk[1])[0]
    return _joined(jax.lax.map(one, _chunks(x, targets)))


def _native(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> bool:
    """Whether C++ does it."""
    alike = x.dtype == kernel.dtype == bias.dtype
    return alike and kernel.shape[1] >= LARGE and kernel.shape[0] > 0 and native_library.computes(x.dtype)


def _said(x: jax.Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((len(x), 4), x.dtype)


def _judged(smoothing: float, said: jax.Array, size: int) -> Judged:
    """From what C++ says [N, 4]: the largest logit, the log of the sum of their powers, the target's, their sum."""
    largest, log_total, own, total = said.T
    nats = log_total - own
    losses = nats if smoothing == 0 else (1 - smoothing) * nats + smoothing * (log_total - total / size)
    return Judged(losses, nats, _hits(own, largest, nats))


def _hits(own: jax.Array, largest: jax.Array, nats: jax.Array) -> jax.Array:
    return ((own >= largest) & ~jnp.isnan(nats)).astype(nats.dtype)


def _chunks(*arrays: jax.Array) -> tuple[jax.Array, ...]:
    size = max(1, min(CHUNK, len(arrays[0])))
    return tuple(array.reshape(-1, size, *array.shape[1:]) for array in arrays)


def _joined(parts: Any) -> Any:
    return jax.tree.map(lambda part: part.reshape(-1, *part.shape[2:]), parts)


def _judge_chunk(smoothing: float, logits: jax.Array, targets: jax.Array) -> tuple[Judged, jax.Array]:
    """logits [C, V], targets [C] -> what is said of them, and the probabilities [C, V]."""
    largest = logits.max(axis=1)
    raised = jnp.exp(logits - largest[:, None])
    total = raised.sum(axis=1)
    own = jnp.take_along_axis(logits, targets[:, None], axis=1)[:, 0]
    log_total = largest + jnp.log(total)
    nats = log_total - own
    losses = (1 - smoothing) * nats + smoothing * (log_total - logits.mean(axis=1))
    return Judged(losses, nats, _hits(own, largest, nats)), raised / total[:, None]


def _gradients(smoothing: float, operands: Any, given: Any) -> tuple[Judged, tuple[jax.Array, ...]]:
    """What is said of all tokens, and the gradients of x, kernel and bias.

    Args:
      smoothing: of the targets.
      operands: x [N, E], kernel [E, V], bias [V], targets [N].
      given: gradients of the losses and of the nats, [N] each; None: 1 and 0.
    """
    x, kernel, bias, targets = operands
    size = kernel.shape[1]
    if _native(x, kernel, bias):
        losses, nats = given or (jnp.ones(len(x), x.dtype), jnp.zeros(len(x), x.dtype))
        weights = jnp.stack([losses + nats, (1 - smoothing) * losses + nats, smoothing / size * losses], axis=1)
        weights = jnp.where(targets[:, None] != 0, weights, 0)
        shapes = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in (x, kernel, bias)]
        tokens = targets.astype(jnp.int32)
        said, *gradients = native_library.call("judge_gradients", [_said(x), *shapes], *operands[:3], tokens, weights)
        return _judged(smoothing, said, size), tuple(gradients)

    def one(sums: Any, chunk: Any) -> Any:
        x, targets, *given = chunk
        found, probabilities = _judge_chunk(smoothing, x @ kernel + bias[None, :], targets)
        is_target = jnp.arange(size)[None, :] == targets[:, None]
        losses, nats = given or (jnp.ones_like(found.losses), jnp.zeros_like(found.losses))
        expected = (
            jnp.where(is_target, ((1 - smoothing) * losses + nats)[:, None], 0) + smoothing / size * losses[:, None]
        )
        wanted = probabilities * (losses + nats)[:, None] - expected
        dlogits = jnp.where(targets[:, None] != 0, wanted, 0)
        return (sums[0] + x.T @ dlogits, sums[1] + dlogits.sum(axis=0)), (found, dlogits @ kernel.T)

    start = jnp.zeros_like(kernel), jnp.zeros_like(bias)
    sums, (found, dx) = jax.lax.scan(one, start, _chunks(x, targets, *(given or ())))
    return _joined(found), (_joined(dx), *sums)


def _forward(smoothing: float, *operands: jax.Array) -> Any:
    found, gradients = _gradients(smoothing, operands, None)
    return found, (operands, gradients)


def _backward(smoothing: float, saved: Any, given: Judged) -> Any:
    operands, (dx, dkernel, dbias) = saved
    real = operands[3] != 0
    most, least = (jnp.where(real, given.losses, sign * -jnp.inf) for sign in (1, -1))
    most, least = most.max(initial=-jnp.inf), least.min(initial=jnp.inf)
    alike = lambda: (dx * most, dkernel * most, dbias * most)
    anew = lambda: _gradients(smoothing, operands, (given.losses, given.nats))[1]
    uniform = (most == least) & ~jnp.any(real & (given.nats != 0))
    return *jax.lax.cond(uniform, alike, anew), None


_judge.defvjp(_forward, _backward)
