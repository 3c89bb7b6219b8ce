"""The k largest of many numbers, as `jax.lax.top_k` finds them, in a tenth of its time on a CPU.

Legend: N rows, V numbers in a row, s numbers in a block.
"""

import math

import jax
import jax.numpy as jnp

from seqjax.layers.backends import native_library

LARGE = 1024
"""V from which on a call of C++ is quicker."""


def most_probable(logits: jax.Array, k: int, never: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    """Logits [N, V] -> log-probabilities of the k most probable tokens of each row (of equals the first), and which.

    Tokens that `never` names have -inf. A row of nothing but -inf keeps it.
    """
    if logits.shape[1] < LARGE or not native_library.computes(logits.dtype):
        banned = jnp.isin(jnp.arange(logits.shape[1]), jnp.array(never, jnp.int32))
        values, tokens = largest(jnp.where(banned[None], -jnp.inf, logits), k)
        return values - log_total(logits)[:, None], tokens
    rows = len(logits)
    kinds = ((rows, k), logits.dtype), ((rows, k), jnp.int32), ((rows,), logits.dtype)
    operands = logits, jnp.array(never, jnp.int32)
    values, tokens, total = native_library.call("largest", [jax.ShapeDtypeStruct(*kind) for kind in kinds], *operands)
    return values - jnp.where(total == -jnp.inf, 0, total)[:, None], tokens


def log_total(logits: jax.Array) -> jax.Array:
    """[N, V] -> [N]: what is taken from a logit for a log-probability; 0 where every logit is -inf."""
    total = jax.nn.logsumexp(logits, axis=1)
    return jnp.where(total == -jnp.inf, 0, total)


def largest(x: jax.Array, k: int) -> tuple[jax.Array, jax.Array]:
    """[N, V] -> the k largest of each row, the largest first (of equals the first one), and their places; [N, k] each.

    Blocks come first: one that holds any of the k largest is among the k blocks of largest maximum, and a maximum is
    quick to find. 5 of 320 x 8,000: 1.2 ms, `lax.top_k` 13.6, `argmax` alone 9.0 (two busy cores).
    """
    rows, width = x.shape
    x = jnp.where(x == 0, 0, x)  # -0.0 counts as less than 0.0 otherwise, though they are equal
    size = math.isqrt(width // k)
    if size < 8:  # too few to gain anything
        return jax.lax.top_k(x, k)
    blocks = -(-width // size)
    padded = jnp.pad(x, ((0, 0), (0, blocks * size - width)), constant_values=-jnp.inf).reshape(rows, blocks, size)
    _, chosen = jax.lax.top_k(padded.max(axis=2), k)
    chosen = jnp.sort(chosen, axis=1)  # so that equals stay in the order of their places
    values, place = jax.lax.top_k(jnp.take_along_axis(padded, chosen[:, :, None], axis=1).reshape(rows, k * size), k)
    return values, jnp.take_along_axis(chosen, place // size, axis=1) * size + place % size
