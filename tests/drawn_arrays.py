"""Drawn arrays, and trees of them that are close."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)


def draw(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def close_trees(actual, expected):
    for a, e in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        close(a, e)
