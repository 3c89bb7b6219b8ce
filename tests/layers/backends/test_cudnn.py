"""The layout of cuDNN's weights, lengths and directions, against a reference in place of the GPU."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from backend_problems import assert_close, problem, states_like
from recurrent_reference import apply, random_variables
from seqjax.layers.backends import cudnn
from seqjax.layers.recurrent import LSTM


def cudnn_reference(x, h, c, weights, lengths):
    """JAX's own reference for the packed weights of cuDNN; like cuDNN it gives zeros at padded steps."""
    features, units = x.shape[-1], h.shape[-1]
    parts = cudnn.rnn.unpack_lstm_weights(weights, features, units, 1, False)
    return cudnn.rnn.lstm_ref(x, h, c, *parts, lengths, features, units, 1, 0.0, False)


@pytest.mark.parametrize("reverse", [False, True])
def test_cudnn_layout_lengths_and_direction(reverse):
    inputs, _ = problem(4, 4, 5, 3)
    mask = jnp.arange(5)[None, :] < jnp.array([5, 3, 1, 0])[:, None]
    layer = LSTM(2, reverse=reverse, return_sequences=True, return_state=True, backend="scan")
    params = random_variables(layer, inputs)
    state = states_like(layer, params, inputs, 0)
    call = lambda p, x, m, s: cudnn.run(p, x, m, s, reverse=reverse, kernel=cudnn_reference)
    for m in (mask, None):
        expected = apply(layer, params, inputs, m, state)
        actual = jax.jit(call)(params["params"]["cell"], inputs, m, state)
        assert_close(actual, expected, 1e-5)


def test_cudnn_gives_nan_for_a_mask_that_is_not_right_padded():
    inputs, _ = problem(4, 2, 3, 3)
    params = random_variables(LSTM(2), inputs)["params"]["cell"]
    mask = jnp.array([[True, False, True], [True, True, False]])
    zeros = (jnp.zeros((2, 2)), jnp.zeros((2, 2)))
    outputs, (h, _) = cudnn.run(params, inputs, mask, zeros, reverse=False, kernel=cudnn_reference)
    assert np.isnan(outputs[0]).all()
    assert np.isnan(h[0]).all()
    assert np.isfinite(outputs[1]).all()
