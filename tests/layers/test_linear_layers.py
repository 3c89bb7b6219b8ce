"""Layers that are linear in their state: equal to the plain loop by every way, with masks, states, both directions."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.layers import LRU, Bidirectional, MinGRU, MinLSTM, Stacked, explain
from seqjax.layers.linear_recurrence import linear_recurrence
from seqjax.runs.streaming import check_causal

B, T, D, U = 3, 13, 4, 5
LAYERS = {"mingru": MinGRU, "minlstm": MinLSTM, "lru": LRU}
sigmoid = lambda x: 1 / (1 + np.exp(-x))
positive = lambda x: np.where(x >= 0, x + 0.5, sigmoid(x))


def inputs(steps=T):
    return np.random.default_rng(1).normal(size=(B, steps, D))


def made(name, **options):
    """-> (layer, its parameters), float64."""
    layer = LAYERS[name](U, return_sequences=True, return_state=True, param_dtype=jnp.float64, **options)
    params = jax.jit(layer.init)(jax.random.key(0), inputs())["params"]
    rng = np.random.default_rng(2)
    return layer, jax.tree.map(lambda leaf: leaf + 0.3 * rng.normal(size=leaf.shape), params)


def loop(name, p, x):
    """Outputs and last state of one row [T, D], by the equations of the docstrings."""
    h = np.zeros(U, complex if name == "lru" else float)
    outputs = []
    for row in x:
        if name == "lru":
            eigenvalues = np.exp(-np.exp(p["nu"]) + 1j * np.exp(p["theta"]))
            h = eigenvalues * h + np.exp(p["gamma"]) * (row @ (p["input_real"] + 1j * p["input_imag"]))
            outputs.append((h @ (p["output_real"] + 1j * p["output_imag"])).real + row @ p["skip"])
            continue
        z = row @ p["gates"]["kernel"] + p["gates"]["bias"]
        if name == "mingru":
            gate, g = sigmoid(z[:U]), positive(z[U:])
            h = (1 - gate) * h + gate * g
        else:
            f, i, g = sigmoid(z[:U]), sigmoid(z[U : 2 * U]), positive(z[2 * U :])
            h = f / (f + i) * h + i / (f + i) * g
        outputs.append(h)
    return np.array(outputs), h


@pytest.mark.parametrize("way", ["scan", "associative", "native"])
@pytest.mark.parametrize("name", LAYERS)
def test_equals_the_loop_by_every_way(name, way):
    if name == "lru" and way == "native":
        with (
            jax.enable_x64(True),
            pytest.raises(UserError, match="cannot run this LRU: its numbers are not complex128"),
        ):
            made(name, backend=way)
        return
    with jax.enable_x64(True):
        layer, params = made(name, backend=way)
        outputs, state = jax.jit(layer.apply)({"params": params}, inputs())
        for row in range(B):
            expected, last = loop(name, jax.tree.map(np.asarray, params), inputs()[row])
            np.testing.assert_allclose(outputs[row], expected, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(state[row], last, rtol=1e-10, atol=1e-12)


def gradients(way, kind, reverse):
    """Of a sum over all states, towards decay, update and initial state."""
    rng = np.random.default_rng(3)
    draw = lambda *shape: rng.normal(size=shape) + (1j * rng.normal(size=shape) if kind is complex else 0)
    operands = (0.9 * draw(B, T, U), draw(B, T, U), draw(B, U))
    weights = draw(B, T, U)
    plain = lambda decay, update, initial: jax.lax.scan(
        lambda h, xs: (xs[0] * h + xs[1],) * 2,
        initial,
        (jnp.swapaxes(decay, 0, 1), jnp.swapaxes(update, 0, 1)),
        reverse=reverse,
    )[1].swapaxes(0, 1)
    run = plain if way is None else lambda *terms: linear_recurrence(*terms, reverse, way)
    loss = lambda *terms: jnp.real(jnp.sum(weights * jnp.sin(run(*terms))))
    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2)))(*operands)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", [float, complex])
def test_the_backward_is_that_of_the_plain_scan(kind, reverse):
    with jax.enable_x64(True):
        expected = gradients(None, kind, reverse)
        for way in ("scan", "associative", *(["native"] if kind is float else [])):
            found = gradients(way, kind, reverse)
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10), found, expected)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_masks_states_and_directions(name, reverse):
    with jax.enable_x64(True):
        layer, params = made(name, reverse=reverse)
        x, lengths = inputs(), np.array([T, 5, 0])
        mask = np.arange(T)[None, :] < lengths[:, None]
        x = np.where(mask[:, :, None], x, np.nan)
        run = functools.partial(jax.jit(layer.apply), {"params": params})
        outputs, state = run(x, mask)
        for row, length in enumerate(lengths[:2]):
            alone, last = run(x[row : row + 1, :length])
            np.testing.assert_allclose(outputs[row, :length], alone[0], rtol=1e-12)
            np.testing.assert_allclose(state[row], last[0], rtol=1e-12)
        exact = np.testing.assert_array_equal
        exact(state[2], 0 * state[2])
        if not reverse:
            exact(outputs[1, 5:], np.broadcast_to(outputs[1, 4], (T - 5, U)))
        whole, end = run(inputs())
        pieces = [(inputs()[:, :6]), (inputs()[:, 6:])][:: -1 if reverse else 1]
        first, carried = run(pieces[0])
        second, carried = run(pieces[1], None, carried)
        joined = np.concatenate([second, first] if reverse else [first, second], axis=1)
        np.testing.assert_allclose(joined, whole, rtol=1e-12)
        np.testing.assert_allclose(carried, end, rtol=1e-12)
        gradient = jax.jit(jax.grad(lambda p: jnp.sum(layer.apply({"params": p}, x, mask)[0] ** 2)))(params)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_they_stand_where_the_others_do():
    layer = Stacked(
        [Bidirectional(MinGRU(4, return_sequences=True)), LRU(6, return_sequences=True), MinLSTM(3, return_state=True)]
    )
    (last, states), params = jax.jit(layer.init_with_output)(jax.random.key(0), inputs().astype(np.float32))
    assert last.shape == (B, 3)
    assert [part.dtype for part in jax.tree.leaves(states)] == ["float32", "float32", "complex64", "float32"]
    assert jax.tree.map(jnp.shape, params["params"]["layers_0"]["forward"]["gates"]["kernel"]) == (D, 8)
    assert [line.split(",")[0] for line in explain(layer)] == [
        "layers_0/forward/MinGRU(4): native",
        "layers_0/backward/MinGRU(4): native",
        "layers_1/LRU(6): scan",
        "layers_2/MinLSTM(3): native",
    ]
    with pytest.raises(UserError, match="reads from the end"):
        check_causal(layer)


def test_an_eigenvalues_ring_holds_the_start():
    layer = LRU(400, least=0.9, most=0.99, phase=0.3)
    p: Any = jax.jit(layer.init)(jax.random.key(0), inputs().astype(np.float32))["params"]
    eigenvalues = np.exp(-np.exp(np.asarray(p["nu"])) + 1j * np.exp(np.asarray(p["theta"])))
    assert 0.9 <= abs(eigenvalues).min() < 0.905
    assert 0.985 < abs(eigenvalues).max() <= 0.99
    assert 0 <= np.angle(eigenvalues).min() < np.angle(eigenvalues).max() <= 0.3
    np.testing.assert_allclose(np.exp(p["gamma"]) ** 2, 1 - abs(eigenvalues) ** 2, rtol=1e-3)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (MinGRU(0), "MinGRU: units must be at least 1, not 0"),
        (MinGRU(4, backend="fused"), "backend 'fused' is unknown; choose one of auto, scan, associative, native"),
        (MinLSTM(4, activation="tan"), "activation 'tan' is unknown; choose one of positive, tanh"),
        (LRU(4, least=0.9, most=0.5), "LRU: a ring from 0.9 to 0.5"),
        (MinGRU(4, dropout=1.0), "MinGRU: dropout=1.0 is not in"),
    ],
)
def test_what_makes_no_sense_is_refused(layer, message):
    with pytest.raises(UserError, match=message):
        jax.eval_shape(layer.init, jax.random.key(0), inputs().astype(np.float32))
