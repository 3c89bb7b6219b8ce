"""The product of bags with a kernel, in pieces and at once, against the dense product."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.layers import bags
from seqjax.layers.backends import native_library

NATIVE = [bags.natively] if native_library.computes(np.float32) else []


def some_bags(count, width, columns, seed):
    """Distinct tokens [B, T], some of them past the last column, weights [B, T] and a kernel [V, 3]."""
    rng = np.random.default_rng(seed)
    every = np.tile(np.arange(columns + width, dtype=np.int32), (count, 1))
    tokens = np.sort(rng.permuted(every, axis=1)[:, :width])
    return jnp.asarray(tokens), jnp.asarray(rng.normal(size=tokens.shape)), jnp.asarray(rng.normal(size=(columns, 3)))


def dense(tokens, weights, kernel):
    weights = jnp.ones(tokens.shape) if weights is None else weights
    vectors = jnp.zeros((len(tokens), len(kernel) + tokens.shape[1]))
    return vectors.at[jnp.arange(len(tokens))[:, None], tokens].set(weights)[:, : len(kernel)] @ kernel


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weighted", [False, True])
def test_pieces_equal_the_dense_product_with_gradients(weighted, seed, monkeypatch):
    count, width, columns = np.random.default_rng(seed).integers(1, 9, 3).tolist()
    monkeypatch.setattr(bags, "AT_ONCE", 3 * width * 2)  # two bags a piece
    with jax.enable_x64(True):
        tokens, weights, kernel = some_bags(count, width, columns, seed)

        def results(function):
            product, pull_back = jax.vjp(lambda *o: function(tokens, *o), weights if weighted else None, kernel)
            return product, pull_back(jnp.sin(product))

        expected = jax.jit(results, static_argnums=0)(dense)
        for function in (bags.in_pieces, bags.plain, bags.product, *NATIVE):
            found = jax.jit(results, static_argnums=0)(function)
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, 1e-10, 1e-12), found, expected)


def test_no_bags_have_no_products():
    tokens, weights, kernel = some_bags(1, 4, 6, 0)
    for function in (bags.in_pieces, *NATIVE):
        assert function(tokens[:0], weights[:0], kernel).shape == (0, 3)


@pytest.mark.parametrize("units", [16, 37])
def test_rows_of_whole_vectors_and_a_rest(units):
    tokens, weights, _ = some_bags(5, 8, 30, 1)
    kernel = jax.random.normal(jax.random.key(0), (30, units))
    for some in (None, weights):
        for function in NATIVE:
            found, expected = (
                jax.value_and_grad(lambda kernel, f=f: jnp.sin(f(tokens, some, kernel)).sum())(kernel)  # noqa: B023
                for f in (function, dense)
            )
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), found, expected)
