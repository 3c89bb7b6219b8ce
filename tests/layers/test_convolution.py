"""Convolution and pooling with gradients of our own, against XLA's and Linen's."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.layers.backends import native_library
from seqjax.layers.convolution import Conv1D, banded, convolve, max_pool, natively, plain


def with_gradients(function, *operands):
    """The outputs, and the gradients of their random sum."""
    weights = jax.random.normal(jax.random.key(9), jax.eval_shape(function, *operands).shape)
    gradients = jax.grad(lambda *o: (weights * function(*o)).sum(), range(len(operands)))
    return jax.jit(lambda *o: (function(*o), *gradients(*o)))(*operands)


def check(ours, theirs, *operands, tolerance=1e-5):
    for a, b in zip(with_gradients(ours, *operands), with_gradients(theirs, *operands), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1.0, float(jnp.abs(b).max())))


@pytest.mark.parametrize(
    ("steps", "width", "features", "filters"),
    [(12, 5, 3, 4), (7, 7, 1, 2), (9, 1, 2, 1), (40, 24, 14, 8), (13, 4, 2, 100)],
)
def test_convolution_equals_xlas_with_gradients(steps, width, features, filters):
    inputs = jax.random.normal(jax.random.key(0), (steps, features, 6))
    kernel = jax.random.normal(jax.random.key(1), (width, features, filters))
    check(banded, plain, inputs, kernel)
    taken = natively if native_library.computes(np.float32) else banded
    check(taken, plain, inputs, kernel)
    np.testing.assert_array_equal(convolve(inputs, kernel), taken(inputs, kernel))  # tests run on a CPU


def test_no_rows_give_no_gradient():
    kernel = jnp.ones((3, 2, 5))
    gradient = jax.grad(lambda kernel: convolve(jnp.ones((9, 2, 0)), kernel).sum())(kernel)
    np.testing.assert_array_equal(gradient, jnp.zeros_like(kernel))


def test_conv1d_equals_linens():
    inputs = jax.random.normal(jax.random.key(0), (10, 2, 3))
    layer, linen = Conv1D(4, 3), nn.Conv(4, (3,), padding="VALID")
    params = layer.init(jax.random.key(1), inputs)
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)  # a bias that is seen
    check(
        lambda x: layer.apply(params, x), lambda x: linen.apply(params, x.transpose(2, 0, 1)).transpose(1, 2, 0), inputs
    )


@pytest.mark.parametrize("steps", [8, 9])
def test_max_pool_equals_linens_with_gradients_also_of_equal_steps(steps):
    inputs = jnp.round(jax.random.normal(jax.random.key(0), (steps, 3, 4)))  # many ties
    assert bool((inputs[0:8:2] == inputs[1:8:2]).any())
    theirs = lambda x: nn.max_pool(x.transpose(2, 0, 1), (2,), strides=(2,)).transpose(1, 2, 0)
    check(max_pool, theirs, inputs, tolerance=0)


def test_max_pool_hides_no_nan():
    inputs = jnp.array([1.0, jnp.nan, jnp.nan, 1.0])[:, None, None]
    assert bool(jnp.isnan(max_pool(inputs)).all())
