"""A layer run by two backends on the same drawn problem."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recurrent_reference import random_variables
from seqjax.layers.backends import choice
from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import GRU, LSTM, SimpleRNN

REFUSAL = choice.native_refusal(LSTM(4), platform=jax.default_backend())  # a GPU's tests run these too
NATIVE = pytest.param("native", marks=pytest.mark.skipif(REFUSAL is not None, reason=f"native: {REFUSAL}"))
both_backends = pytest.mark.parametrize("backend", ["fused", NATIVE])
LAYERS = {"SimpleRNN": SimpleRNN, "LSTM": LSTM, "GRU": GRU}


def assert_close(actual, expected, tolerance):
    """Every array agrees within `tolerance` of the largest expected entry (at least 1e-2: gradients may be zero)."""
    actual, expected = jax.tree.leaves(actual), jax.tree.leaves(expected)
    assert len(actual) == len(expected)
    for a, e in zip(actual, expected, strict=True):
        assert a.shape == e.shape
        scale = max(1e-2, float(np.abs(e).max(initial=0)))
        np.testing.assert_allclose(np.asarray(a), np.asarray(e), rtol=0, atol=tolerance * scale)


def problem(seed, batch, time, features, dtype: type = np.float32):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(batch, time, features)).astype(dtype)
    mask = rng.random((batch, time)) < 0.7
    mask[0] = False
    return jnp.asarray(inputs), jnp.asarray(mask)


def states_like(layer, variables, inputs, seed):
    """A random initial state of the right structure; nothing is compiled."""
    _, state = jax.eval_shape(layer.clone(return_state=True).apply, variables, inputs)
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda s: jnp.asarray(rng.normal(size=s.shape), s.dtype), state)


def gradients(layer, params, inputs, state, seed, compiler_options=None, **options):
    """Outputs and final state, and the gradients of a random projection of them."""

    def loss(params, inputs, state):
        outputs = layer.apply(params, inputs, initial_state=state, **options)
        rng = np.random.default_rng(seed)
        weights = [jnp.asarray(rng.normal(size=y.shape), y.dtype) for y in jax.tree.leaves(outputs)]
        total = sum((w * y).sum() for w, y in zip(weights, jax.tree.leaves(outputs), strict=True))
        return total, outputs

    differentiated = jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True)
    function = jax.jit(differentiated, compiler_options=compiler_options)
    (_, outputs), found = function(params, inputs, state)  # the loss itself cancels to nearly nothing: no measure
    return outputs, found


def compare(backend, make, inputs, tolerance, seed, **options):
    scan, other = make("scan"), make(backend)
    params = random_variables(scan, inputs, seed=seed)
    state = states_like(scan, params, inputs, seed)
    expected = gradients(scan, params, inputs, state, seed, **options)
    quickly = jax.config.values["jax_disable_most_optimizations"]
    emitters = None
    if backend == "fused":  # as users compile it, whatever conftest.py chose for the other programs
        jax.config.update("jax_disable_most_optimizations", False)
        name = "xla_cpu_use_fusion_emitters"
        emitters = {name: True} if name in os.environ.get("XLA_FLAGS", "") else None
    try:
        actual = gradients(other, params, inputs, state, seed, emitters, **options)
    finally:
        jax.config.update("jax_disable_most_optimizations", quickly)
    assert_close(actual, expected, tolerance)
    # The expectation itself is not trivial.
    assert max(float(jnp.abs(g).max()) for g in jax.tree.leaves(expected[1])) > 1e-3


class _StateBidirectional(Bidirectional):
    """`states_like` asks a layer to return its state; a Bidirectional is told so through its forward layer."""

    def clone(self, **changes):
        changes.pop("return_state", None)
        return super().clone(**changes)
