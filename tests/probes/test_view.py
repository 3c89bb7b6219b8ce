"""What is heard in a model is what the model does: outputs, gates, gradients, over masks, directions and stacks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from seqjax.errors import UserError
from seqjax.layers import GRU, LRU, LSTM, RNN, Bidirectional, ConvLSTMCell, MinGRU, MinLSTM, SimpleRNN, Stacked, Tokens
from seqjax.lecture import backpropagation
from seqjax.probes import view
from seqjax.probes.listening import listening

B, T, D, U = 2, 6, 3, 4
OWN = {"param_dtype": jnp.float64, "backend": "scan"}
MASK = np.array([[True, False, True, True, False, True], [False, True, True, True, False, False]])
SLOW = pytest.mark.slow
LAYERS = {
    "both": lambda: Bidirectional(LSTM(U, **OWN), merge="sum"),
    "stack": lambda: Stacked([GRU(U, **OWN), Bidirectional(MinGRU(U, **OWN)), SimpleRNN(U, reverse=True, **OWN)]),
    "lru": lambda: Stacked([LRU(U, **OWN), MinLSTM(U, reverse=True, **OWN)], residual=True),
    "flax's": lambda: RNN(nn.GRUCell(U, param_dtype=jnp.float64), reverse=True),
}


class Weighted(nn.Module):
    """A number for each example, of all steps or of the last output."""

    layer: nn.Module

    def __call__(self, inputs):
        x, mask = inputs
        y = self.layer(x, mask=mask)
        return jnp.sum(jnp.sin(y) * jnp.arange(1.0, 1 + y.shape[-1])[None, :], axis=1)


def problem(layer, masked=True, seed=0):
    rng = np.random.default_rng(seed)
    inputs = jnp.asarray(rng.normal(size=(B, T, D))), jnp.asarray(MASK) if masked else None
    model = Weighted(layer)
    params = jax.jit(model.init)(jax.random.key(0), inputs)["params"]
    return model, jax.tree.map(lambda leaf: np.asarray(leaf) + 0.2 * rng.normal(size=leaf.shape), params), inputs


@pytest.mark.parametrize("name", ["both", *(pytest.param(name, marks=SLOW) for name in ("lru", "stack", "flax's"))])
def test_a_model_that_is_listened_to_says_the_same(name):
    with jax.enable_x64(True):
        model, params, inputs = problem(LAYERS[name]())

        def outputs(x):
            with listening() as listener:
                heard = model.apply({"params": params}, (x, inputs[1]))
            assert len(listener.heard) == {"both": 2, "stack": 4, "lru": 2, "flax's": 1}[name]
            said = model.apply({"params": params}, (x, inputs[1]))
            return said.sum(), (said, heard)

        of_inputs, (expected, found) = jax.jit(jax.grad(outputs, has_aux=True))(inputs[0])
        np.testing.assert_allclose(found, expected, rtol=1e-10)
        recurrences, seen, gradients = view.heard(model, params, inputs, lambda outputs: outputs)
    first = [path for path in seen if "layers_1" not in path and "layers_2" not in path]
    fed = [np.flip(gradients[p][1], 1) if recurrences[p].reverse else gradients[p][1] for p in first]
    np.testing.assert_allclose(sum(fed), of_inputs, rtol=1e-9, atol=1e-12)  # both directions read the same inputs


@pytest.mark.parametrize(
    "layer", [LSTM(U, **OWN), *(pytest.param(kind(U, **OWN), marks=SLOW) for kind in (GRU, SimpleRNN))]
)
def test_the_gradient_towards_a_state_is_the_chain_of_steps(layer):
    with jax.enable_x64(True):
        model, params, inputs = problem(layer, masked=False)
        (one,) = view.look(model, params, inputs, lambda outputs: outputs, np.arange(T + 1))
        made = backpropagation.steps(
            layer.cell_class(U, param_dtype=jnp.float64), params["layer"]["cell"], inputs[0][1]
        )
        last = np.cos(made[-1].state[:U]) * np.arange(1, 1 + U)  # h comes first
        last = np.concatenate([last, np.zeros(len(made[-1].state) - U)])
        for lag in range(T):
            expected = (last @ backpropagation.between(made, T - 1, T - 1 - lag)).reshape(-1, U)
            found = [values[1, lag] for values in one.by_state.values()]
            np.testing.assert_allclose(found, np.linalg.norm(expected, axis=1), rtol=1e-9, atol=1e-12)
    assert np.isnan(one.by_input[1, T])


@SLOW
def test_padding_is_no_step():
    with jax.enable_x64(True):
        model, params, inputs = problem(Bidirectional(GRU(U, **OWN)))
        held = view.look(model, params, inputs, lambda outputs: outputs, np.arange(T))
        short = inputs[0][:1, MASK[0]], None
        alone = view.look(model, params, short, lambda outputs: outputs, np.arange(T))
    for a, b in zip(held, alone, strict=True):
        assert a.recurrence.path == b.recurrence.path
        assert list(a.steps) == [4, 3]
        for x, y in ((a.fading[0].largest, b.fading[0].largest), (a.by_input[0], b.by_input[0])):
            np.testing.assert_allclose(x, y, rtol=1e-9)
            assert np.isnan(x[-1])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_gates_are_those_of_a_loop():
    with jax.enable_x64(True):
        model, params, inputs = problem(LSTM(U, **OWN), masked=False)
        found, seen, _ = view.heard(model, params, inputs)
        ((path, recurrence),) = found.items()
        traces = view.traces(recurrence, seen[path])
        shares = view.saturations(recurrence, seen[path])
    p, x = jax.tree.map(np.asarray, params["layer"]["cell"]), np.asarray(inputs[0])
    h = c = np.zeros((B, U))
    expected = {name: [] for name in "ifgo"}
    for t in range(T):
        z = np.split(x[:, t] @ p["kernel"] + h @ p["recurrent_kernel"] + p["bias"], 4, axis=1)
        i, f, g, o = sigmoid(z[0]), sigmoid(z[1]), np.tanh(z[2]), sigmoid(z[3])
        c = f * c + i * g
        h = o * np.tanh(c)
        for name, gate in zip("ifgo", (i, f, g, o), strict=True):
            expected[name].append(gate)
    for name, gate in expected.items():
        gate = np.stack(gate, axis=1)
        np.testing.assert_allclose(traces[name], gate, rtol=1e-10, atol=1e-13)
        span = (gate + 1) / 2 if name == "g" else gate
        assert shares[name][:2] == (np.mean(span <= 0.05), np.mean(span >= 0.95))
        assert shares[name].mean == pytest.approx(gate.mean())
    np.testing.assert_allclose(seen[path].states[1][:, -1], c, rtol=1e-10)


@SLOW
def test_gates_of_the_linear_layers_and_of_a_gru():
    with jax.enable_x64(True):
        for layer, names in ((MinGRU(U, **OWN), {"z"}), (MinLSTM(U, **OWN), {"f"}), (LRU(U, **OWN), set())):
            model, params, inputs = problem(layer)
            (one,) = view.look(model, params, inputs, lambda outputs: outputs)
            assert set(one.gates) == names
            for name in names:
                z = np.asarray(inputs[0])[MASK] @ params["layer"]["gates"]["kernel"] + params["layer"]["gates"]["bias"]
                first, second = sigmoid(z[:, :U]), sigmoid(z[:, U : 2 * U])
                gate = first if name == "z" else first / (first + second)
                assert one.gates[name].mean == pytest.approx(gate.mean(), rel=1e-9)
        moduli = np.exp(-np.exp(np.asarray(params["layer"]["nu"])))
        assert one.radii["h"] == pytest.approx(moduli.max())
        np.testing.assert_allclose(one.fading[0].largest, one.fading[0].lags * np.log10(moduli.max()), rtol=1e-9)
        np.testing.assert_allclose(one.fading[0].smallest, one.fading[0].lags * np.log10(moduli.min()), rtol=1e-9)
        model, params, inputs = problem(GRU(U, activation="relu", **OWN))
        (one,) = view.look(model, params, inputs, lambda outputs: outputs)
    assert one.gates["g"].low is None
    assert one.gates["z"].low is not None
    kernel = np.asarray(params["layer"]["cell"]["recurrent_kernel"])
    assert one.radii["r"] == pytest.approx(np.abs(np.linalg.eigvals(kernel[:, U : 2 * U])).max())


class Looped(nn.Module):
    """A layer within another loop."""

    @nn.compact
    def __call__(self, x):
        layer = GRU(U)
        step = lambda layer, carry, x: (carry, layer(x))
        return nn.scan(step, variable_broadcast="params", split_rngs={"params": False})(layer, 0, x[None])[1][0][:, 0]


@pytest.mark.parametrize(
    ("model", "shape", "said"),
    [
        (nn.Dense(1), (B, D), "Dense has no recurrent layer"),
        pytest.param(Looped(), (B, T, D), "within another loop", marks=SLOW),
        pytest.param(RNN(ConvLSTMCell(2, 3)), (B, T, 5, 5, 1), "states that are pictures", marks=SLOW),
        (GRU(2), (1, 2, 1 << 27), "too many; look at fewer examples"),
    ],
)
def test_what_cannot_be_looked_into_is_said(model, shape, said):
    inputs = jax.ShapeDtypeStruct(shape, jnp.float32)
    if shape[-1] > 1000:
        inputs = Tokens(np.ones(shape[:2], np.int32), vocabulary_size=shape[-1])
        params = {"cell": {}}
    else:
        inputs = jnp.ones(shape)
        params = model.init(jax.random.key(0), inputs)["params"]
    with pytest.raises(UserError, match=said):
        view.look(model, params, inputs, lambda outputs: outputs)
