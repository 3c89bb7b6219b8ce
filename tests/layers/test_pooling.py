"""seqjax.layers.pooling: beside NumPy and Keras; what is not real does not matter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.layers.pooling import CHOICES, Pooling

X = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
REAL = np.arange(5)[None] < np.array([5, 3, 0])[:, None]


def pooled(how, x, real):
    params = jax.jit(Pooling(how).init)(jax.random.key(0), X)
    return np.asarray(jax.jit(Pooling(how).apply)(params, x, real)), params


@pytest.mark.parametrize("how", CHOICES[1:])
def test_pooling_is_numpys(how):
    found, params = pooled(how, X, REAL)
    for row, length in ((0, 5), (1, 3)):
        x = X[row, :length]
        if how == "attention":
            inner = params["params"]
            hidden = np.tanh(x @ np.asarray(inner["Dense_0"]["kernel"]) + np.asarray(inner["Dense_0"]["bias"]))
            weights = np.asarray(jax.nn.softmax(hidden @ np.asarray(inner["Dense_1"]["kernel"]), axis=0))
            expected = (weights * x).sum(axis=0)
        else:
            expected = {"mean": x.mean(axis=0), "max": x.max(axis=0)}[how]
        np.testing.assert_allclose(found[row], expected, atol=1e-6)
    np.testing.assert_array_equal(found[2], 0)


@pytest.mark.parametrize("how", CHOICES[1:])
def test_what_is_not_real_reaches_neither_outputs_nor_gradients(how):
    padded = np.pad(np.where(REAL[:, :, None], X, np.nan), ((0, 0), (0, 9), (0, 0)), constant_values=np.inf)
    real = np.pad(REAL, ((0, 0), (0, 9)))
    found, params = pooled(how, padded, real)
    np.testing.assert_array_equal(found, pooled(how, X, REAL)[0])
    gradients = jax.jit(jax.grad(lambda p, x: jnp.sum(Pooling(how).apply(p, x, real) ** 2), (0, 1)))(params, padded)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


def test_an_unknown_pooling_is_refused():
    with pytest.raises(UserError, match="pooling=median: choose last, mean, max, attention"):
        pooled("median", X, REAL)
