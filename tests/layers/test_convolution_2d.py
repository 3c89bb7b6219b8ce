"""Convolution over a picture with gradients of our own, against XLA's and Linen's."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.layers.convolution_2d import Conv2D, convolve_2d, gradients_by_taps, gradients_of_xla, plain


@pytest.mark.parametrize(
    ("size", "kernel", "strides", "padding"),
    [
        ((5, 7), (3, 3), (1, 1), "SAME"),
        ((6, 5), (2, 4), (1, 1), "SAME"),
        ((8, 9), (3, 2), (2, 3), "VALID"),
        ((7, 8), (3, 5), (3, 2), "SAME"),
        ((4, 4), (1, 1), (3, 1), "VALID"),
        ((3, 3), (3, 3), (1, 1), "VALID"),
    ],
)
def test_gradients_are_those_of_xla(size, kernel, strides, padding):
    keys = jax.random.split(jax.random.key(0), 3)
    inputs, weights = jax.random.normal(keys[0], (2, *size, 3)), jax.random.normal(keys[1], (*kernel, 3, 4))
    borders = tuple(map(tuple, jax.lax.padtype_to_pads(size, kernel, strides, padding)))
    forward = lambda x, w: convolve_2d(x, w, strides, padding.lower())
    gradient = jax.random.normal(keys[2], jax.eval_shape(forward, inputs, weights).shape)

    @jax.jit
    def everything(x, w):
        given = x, w, gradient, strides, borders
        own = jax.grad(lambda x, w: (gradient * forward(x, w)).sum(), (0, 1))(x, w)
        both = forward(x, w), plain(x, w, strides, borders)
        return both, (gradients_by_taps(*given), own), gradients_of_xla(*given)

    both, gradients, expected = everything(inputs, weights)
    np.testing.assert_allclose(*both, rtol=1e-5, atol=1e-5)
    for found in gradients:
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("strides", "padding"), [(1, "same"), ((2, 1), "valid")])
def test_conv2d_equals_linens(strides, padding):
    inputs = jax.random.normal(jax.random.key(0), (2, 6, 5, 3))
    linen = nn.Conv(4, (3, 2), strides=strides, padding=padding.upper())
    params = jax.tree.map(lambda leaf: leaf + 0.1, linen.init(jax.random.key(1), inputs))  # a bias that is seen
    apart = Conv2D(4, (3, 2), strides, padding).apply(params, inputs.reshape(2, 1, 6, 5, 3))
    np.testing.assert_allclose(apart[:, 0], linen.apply(params, inputs), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        Conv2D(4, (3, 2), strides, padding).apply(params, inputs), linen.apply(params, inputs), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (Conv2D(0, 3), "Conv2D: filters must be at least 1, not 0"),
        (Conv2D(2, (3,)), r"Conv2D: kernel_size must be a number or a pair of them, not \(3,\)"),
        (Conv2D(2, 3, "2"), "Conv2D: strides must be a number or a pair of them, not '2'"),
        (Conv2D(2, 3, 0), "Conv2D: strides must be at least 1, not 0"),
        (Conv2D(2, 3, padding="full"), "padding 'full' is unknown; choose one of valid, same"),
        (Conv2D(2, 9), "a picture of 5 x 6 is smaller than the kernel of 9 x 9"),
    ],
)
def test_nonsense_is_refused(layer, said):
    with pytest.raises(UserError, match=said):
        layer.init(jax.random.key(0), jnp.ones((2, 5, 6, 1)))
    with pytest.raises(UserError, match="Conv2D: inputs must be real numbers of shape"):
        Conv2D(2, 3).init(jax.random.key(0), jnp.ones((5, 6, 1)))
