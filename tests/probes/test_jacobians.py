"""How changes of a state fade: powers where it is known, and the derivative of the layer itself elsewhere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax.flatten_util import ravel_pytree

from seqjax.errors import UserError
from seqjax.layers import GRU, LRU, LSTM, RNN, MinGRU, MinLSTM, SimpleRNN, SimpleRNNCell
from seqjax.probes import jacobians, view
from seqjax.probes.jacobians import backwards, fading, of_diagonals
from seqjax.probes.recurrences import Recurrence, states

T, D, U = 7, 3, 4
WIDE = {"return_state": True, "param_dtype": jnp.float64, "backend": "scan"}
LAYERS = {
    "simple_rnn": lambda: SimpleRNN(U, **WIDE),
    "lstm": lambda: LSTM(U, peephole="full", layer_norm=True, **WIDE),
    "gru": lambda: GRU(U, reset_after=False, zoneout=0.3, **WIDE),
    "reversed": lambda: LSTM(U, reverse=True, **WIDE),
    "mingru": lambda: MinGRU(U, **WIDE),
    "minlstm": lambda: MinLSTM(U, **WIDE),
    "lru": lambda: LRU(U, **WIDE),
    "flax's": lambda: RNN(nn.OptimizedLSTMCell(U, param_dtype=jnp.float64), return_state=True),
}


class Alone(nn.Module):
    """A layer that begins with a state, and what it ends with."""

    layer: nn.Module

    def __call__(self, inputs):
        x, state = inputs
        return self.layer(x, initial_state=state)[1]


def started(name):
    """-> (model, params, inputs, the state before)."""
    rng = np.random.default_rng(1)
    layer, x = LAYERS[name](), jnp.asarray(rng.normal(size=(1, T, D)))
    (_, state), variables = jax.jit(layer.init_with_output)(jax.random.key(0), x)
    params = jax.tree.map(lambda leaf: np.asarray(leaf) + 0.1 * rng.normal(size=leaf.shape), variables["params"])
    state = jax.tree.map(lambda leaf: np.asarray(leaf) + 0.3 * rng.normal(size=leaf.shape), state)
    return Alone(layer), {"layer": params}, x, state


def last_by_first(model, params, x, state):
    """ds_T/ds_0 by JAX, through the layer itself."""
    flat, as_state = ravel_pytree(state)
    end = lambda flat: ravel_pytree(model.apply({"params": params}, (x, as_state(flat))))[0]
    return jax.jit(jax.jacrev(end, holomorphic=jnp.iscomplexobj(flat)))(flat)


SLOW = ("simple_rnn", "gru", "reversed", "mingru", "minlstm", "flax's")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in LAYERS])
def test_the_product_of_the_steps_is_the_derivative_of_the_whole(name):
    with jax.enable_x64(True):
        model, params, x, state = started(name)
        whole = np.asarray(last_by_first(model, params, x, state))
        found, seen, _ = view.heard(model, params, (x, state))
        ((path, recurrence),) = found.items()
        one = jax.tree.map(lambda leaf: leaf[0], seen[path]._replace(params=None))
        steps = list(backwards(recurrence, seen[path].params, one.initial, one.states, one.xs))
        product = np.linalg.multi_dot(steps)
        np.testing.assert_allclose(product, whole, rtol=1e-10, atol=1e-12)
        found = of_diagonals(one.xs[0], [T]) if recurrence.cell is None else fading(steps, [T])
    values = np.linalg.svd(whole, compute_uv=False)
    assert values[0] > 1e-6  # there is something to compare
    expected = [values[0], np.sqrt(np.mean(values**2)), values[-1]]
    np.testing.assert_allclose(10 ** np.ravel(found[1:]), expected, rtol=1e-10, atol=1e-14 * values[0])


@pytest.mark.parametrize("rho", [0.3, 0.9, 1.1])
def test_a_linear_recurrence_fades_as_a_power(rho):
    steps, lags = 1000, [0, 1, 30, 1000]
    with jax.enable_x64(True):
        rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(U, U)))[0]
        cell = SimpleRNNCell(U, activation="linear", param_dtype=jnp.float64)
        recurrence = Recurrence("", "", False, cell)
        params = {"kernel": jnp.ones((1, U)), "recurrent_kernel": jnp.asarray(rho * rotation), "bias": jnp.zeros(U)}
        xs, initial = jnp.full((steps, 1), 1e-30), jnp.zeros(U)
        found = fading(backwards(recurrence, params, initial, states(recurrence, params, xs, initial), xs), lags)
        assert recurrence.radii(params)["h"] == pytest.approx(rho, rel=1e-12)
    for values in found[1:]:
        np.testing.assert_allclose(values, np.log10(rho) * np.array(lags), rtol=1e-12, atol=1e-13)
        near = [0, 1, 2]  # 0.3^1000 is no float
        np.testing.assert_allclose(10 ** values[near], rho ** np.array(lags)[near], rtol=1e-12)


def test_the_smallest_is_not_lost_beside_the_largest():
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(2, 2)))[0]
    step = turn @ np.diag([2.0, 1e-3]) @ turn.T
    found = fading([step] * 100, [0, 50, 100, 101])
    np.testing.assert_allclose(found.largest[:3], np.array([0, 50, 100]) * np.log10(2), rtol=1e-12)
    np.testing.assert_allclose(found.smallest[:3], [0, -150, -300], rtol=1e-9)
    np.testing.assert_allclose(found.typical[1:3], found.largest[1:3] - np.log10(np.sqrt(2)), rtol=1e-12)
    assert np.isnan(found.largest[3])  # there are no 101 steps
    dead = fading([np.diag([1.0, 0.0])] * 3, [2])
    assert (dead.largest[0], dead.smallest[0]) == (0, -np.inf)


def test_lags_reach_from_the_last_step_to_the_first():
    np.testing.assert_array_equal(jacobians.chosen_lags(3), [0, 1, 2, 3])
    lags = jacobians.chosen_lags(1000)
    assert (lags[0], lags[-1], len(lags)) == (0, 1000, 64)
    with pytest.raises(UserError, match="no step whose Jacobian"):
        fading([], [0])
