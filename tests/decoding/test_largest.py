"""The largest of many logits, against JAX's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.decoding import largest


def logits(kind, size):
    drawn = np.random.default_rng(size).normal(size=(7, size)).astype(np.float32)
    if kind == "equals":
        return np.round(drawn)
    if kind == "mostly nothing":
        return np.where(drawn > 2, drawn, -np.inf).astype(np.float32)
    drawn[2, size // 2 :: 5] = np.nan if kind == "nan" else np.inf
    return drawn


@pytest.mark.parametrize("kind", ["numbers", "equals", "mostly nothing", "nan"])
@pytest.mark.parametrize("size", [5, 640, 641, 1000])
def test_they_are_those_of_jax_and_of_equals_the_first(kind, size):
    x = jnp.asarray(logits(kind, size))
    np.testing.assert_array_equal(jax.jit(largest.argmax)(x), jnp.argmax(x, axis=1))
    for k in () if kind == "nan" else (1, 5):
        for found, expected in zip(jax.jit(largest.top_k, static_argnums=1)(x, k), jax.lax.top_k(x, k), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_more_than_a_few_are_taken_by_jax():
    x = jnp.asarray(logits("equals", 1000))
    for found, expected in zip(largest.top_k(x, 1000), jax.lax.top_k(x, 1000), strict=True):
        np.testing.assert_array_equal(found, expected)
