"""The conveyor belt carries, half-lives are half-lives, and traces are of the layer and direction that is said."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.layers import LSTM, Bidirectional
from seqjax.layers.backends import native_library
from seqjax.lecture import conveyor_belt, gates

BACKENDS = ["scan", "fused", pytest.param("native", marks=pytest.mark.skipif(
    native_library.refusal() is not None, reason="no compiler"))]  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_belt_carries_a_memory_unchanged_for_a_thousand_steps(backend):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(2, 1000, 3)), jnp.float32)
    h, c = jnp.zeros((2, 8)), jnp.asarray(rng.normal(size=(2, 8)), jnp.float32)
    params = {"cell": jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), conveyor_belt.conveyor(8, 3))}
    layer = LSTM(8, return_state=True, return_sequences=True, backend=backend)
    run = lambda c: layer.apply({"params": params}, x, initial_state=(h, c))
    outputs, (_, after) = jax.jit(run)(c)
    np.testing.assert_array_equal(after, c)  # every bit
    assert float(jnp.abs(outputs[:, -1] - outputs[:, -2]).max()) > 0.1  # while the output goes up and down
    if backend != "scan":  # and so does what comes back
        back = jax.jit(jax.grad(lambda c: jnp.sum(run(c)[1][1] * jnp.arange(8.0)[None, :])))(c)
        np.testing.assert_array_equal(back, np.broadcast_to(np.arange(8.0), (2, 8)))


def test_a_belt_that_leaks_fades_as_a_power():
    found = conveyor_belt.belt([1.0, 0.9, 0.0], steps=50)
    np.testing.assert_array_equal(found[1.0], np.ones(51))
    np.testing.assert_allclose(found[0.9], 0.9 ** np.arange(51), rtol=1e-12)
    np.testing.assert_array_equal(found[0.0][1:], np.zeros(50))
    for keep in (0.9, 0.25):
        assert keep ** gates.half_lives(np.full((7, 2), keep))[0] == pytest.approx(0.5)
    with pytest.raises(UserError, match=r"keep=1.5 is not in \[0, 1\]"):
        conveyor_belt.conveyor(1, 1, 1.5)


def test_half_lives_are_of_the_product_of_all_steps():
    rng = np.random.default_rng(0)
    first, second = rng.uniform(0.5, 1, (30, 3)), rng.uniform(0.8, 1, (10, 3))
    found = gates.half_lives([first, second])
    left = np.prod(np.concatenate([first, second]), axis=0)
    np.testing.assert_allclose(0.5 ** (40 / found), left, rtol=1e-12)
    np.testing.assert_array_equal(gates.half_lives(np.array([[1.0, 0.0], [1.0, 0.5]])), [np.inf, 0])


def test_a_reading_is_in_the_order_of_time():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 6, 2))
    model = Bidirectional(LSTM(3, param_dtype=jnp.float64))
    with jax.enable_x64(True):
        params = jax.jit(model.init)(jax.random.key(0), jnp.asarray(x))["params"]
        alone = LSTM(3, return_sequences=True, reverse=True, backend="scan", param_dtype=jnp.float64)
        expected = alone.apply({"params": params["backward"]}, jnp.asarray(x))
    forward, backward = gates.read(model, params, x)[1]
    assert (forward.path, forward.reverse, backward.path, backward.reverse) == ("forward", False, "backward", True)
    assert set(forward.traces) == {"i", "f", "g", "o", "c", "h"}
    np.testing.assert_allclose(backward.traces["h"], expected[1], rtol=1e-10)
    t = backward.traces
    np.testing.assert_allclose(t["h"], t["o"] * np.tanh(t["c"]), rtol=1e-12)
    np.testing.assert_allclose(t["c"][:-1], t["f"][:-1] * t["c"][1:] + t["i"][:-1] * t["g"][:-1], rtol=1e-12)
