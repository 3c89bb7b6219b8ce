"""The lecture's sum over t and k is the gradient, and truncated where it is cut."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from seqjax.errors import UserError
from seqjax.layers import GRUCell, LSTMCell, SimpleRNNCell
from seqjax.lecture import backpropagation

T, D, U = 6, 3, 4
CELLS = {
    "simple_rnn": lambda: SimpleRNNCell(U, param_dtype=jnp.float64),
    "gru": lambda: GRUCell(U, param_dtype=jnp.float64),
    "lstm": lambda: LSTMCell(U, param_dtype=jnp.float64),
    "flax's": lambda: nn.OptimizedLSTMCell(U, param_dtype=jnp.float64),
}


def made(name):
    """-> (cell, params, inputs, loss)."""
    rng = np.random.default_rng(0)
    inputs, wanted = jnp.asarray(rng.normal(size=(T, D))), jnp.asarray(rng.normal(size=(T, U)))
    cell = CELLS[name]()
    carry = backpropagation.initialised(cell, inputs)
    params = jax.jit(cell.init)(jax.random.key(0), carry, inputs[:1])["params"]
    params = jax.tree.map(lambda leaf: leaf + 0.2 * rng.normal(size=leaf.shape), params)
    return cell, params, inputs, lambda t, y: jnp.sum((y - wanted[t]) ** 3)


def unrolled(cell, inputs, loss, cut=None):
    """The loss as a function of the parameters; cut: J_t sees no parameter before step t - cut + 1."""

    def total(params):
        found = 0.0
        for t in range(T) if cut else [T - 1]:
            carry = backpropagation.initialised(cell, inputs)
            for k in range(t + 1):
                if cut and k == t - cut + 1:
                    carry = jax.lax.stop_gradient(carry)
                carry, y = cell.apply({"params": params}, carry, inputs[k : k + 1])
                if not cut or k == t:
                    found += loss(k, y[0])
        return found

    return total


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n == "simple_rnn" else n for n in CELLS])
def test_the_sum_is_the_gradient(name):
    with jax.enable_x64(True):
        cell, params, inputs, loss = made(name)
        close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
        expected = jax.jit(jax.grad(unrolled(cell, inputs, loss)))(params)
        assert max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(expected)) > 0.1
        jax.tree.map(close, backpropagation.gradient(cell, params, inputs, loss), expected)
        jax.tree.map(close, backpropagation.gradient(cell, params, inputs, loss, horizon=T), expected)
        if name == "gru":
            cut = backpropagation.gradient(cell, params, inputs, loss, horizon=2)
            jax.tree.map(close, cut, jax.jit(jax.grad(unrolled(cell, inputs, loss, cut=2)))(params))
            apart = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), cut, expected)
            assert max(jax.tree.leaves(apart)) > 1e-3


def test_the_lectures_line_for_the_second_state_has_one_of_two_ways():
    with jax.enable_x64(True):
        cell, params, inputs, _ = made("simple_rnn")

        def second(params):
            carry = backpropagation.initialised(cell, inputs)
            for k in range(2):
                carry, y = cell.apply({"params": params}, carry, inputs[k : k + 1])
            return y[0]

        direct, through = backpropagation.two_ways(cell, params, inputs)
        whole = jax.jit(jax.jacobian(second))(params)
        close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
        jax.tree.map(lambda a, b, c: close(a + b, c), direct, through, whole)
        assert float(jnp.abs(direct["kernel"]).max()) > 0.1  # what the lecture's line leaves out


def test_a_linear_recurrence_fades_as_a_power():
    with jax.enable_x64(True):
        rho, steps = 0.9, 60
        rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(U, U)))[0]
        cell = SimpleRNNCell(U, activation="linear", param_dtype=jnp.float64)
        params = {"kernel": jnp.ones((1, U)), "recurrent_kernel": jnp.asarray(rho * rotation), "bias": jnp.zeros(U)}
        made = backpropagation.steps(cell, params, jnp.ones((steps, 1)))
        for k in (0, 10, steps - 1):
            values = np.linalg.svd(backpropagation.between(made, steps - 1, k), compute_uv=False)
            np.testing.assert_allclose(values, rho ** (steps - 1 - k), rtol=1e-12)


def test_what_makes_no_sense_is_refused():
    with jax.enable_x64(True):
        cell, params, inputs, loss = made("gru")
    for call, message in (
        (lambda: backpropagation.steps(cell, params, inputs[None]), r"must be \[time, features\]"),
        (lambda: backpropagation.gradient(cell, params, inputs, loss, horizon=0), "horizon must be at least 1"),
        (lambda: backpropagation.two_ways(cell, params, inputs[:1]), "two steps are needed, not 1"),
        (lambda: backpropagation.between([], 1, 0), "dS_1/dS_0: there are steps"),
    ):
        with pytest.raises(UserError, match=message):
            call()
