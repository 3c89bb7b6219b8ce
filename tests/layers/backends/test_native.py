"""The native backend's own: its tiles and layouts against `scan`, its tanh, and what happens where it cannot be made.

That it equals `scan` in everything else is in test_fused.py.
"""

import os
import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl import logging

from backend_problems import LAYERS, REFUSAL, compare, problem
from recurrent_reference import apply, random_variables
from seqjax import folders
from seqjax.layers.backends import native, native_library
from seqjax.layers.composite import explain
from seqjax.layers.recurrent import LSTM, SimpleRNN
from seqjax.layers.tokens import Tokens

needs_it = pytest.mark.skipif(REFUSAL is not None, reason=f"native: {REFUSAL}")
SHAPES = {  # batch, features, units, options
    "rows in several tiles, one mask for all gates": (
        70,
        3,
        33,
        {"reverse": True, "recurrent_dropout": 0.4, "tied": True},
    ),
    "a panel and a rest": (7, 20, 40, {"recurrent_dropout": 0.4}),
    "whole vectors, many features": (3, 130, 8, {"return_sequences": True}),
    "weights beyond the nearest cache: three steps in a product, then one": (150, 260, 136, {"reverse": True}),
    "the same with masks": (150, 20, 75, {"return_sequences": True, "recurrent_dropout": 0.4}),
}


@needs_it
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", [pytest.param("SimpleRNN", marks=pytest.mark.slow), "LSTM", "GRU"])
def test_tiles_and_panels_equal_scan(kind, shape):
    batch, features, units, options = SHAPES[shape]
    with jax.enable_x64(True):
        inputs, mask = problem(units, batch, 4, features, np.float64)
        fields = {"return_state": True, "param_dtype": jnp.float64, **options}
        make = lambda backend: LAYERS[kind](units, backend=backend, **fields)
        compare("native", make, inputs, 1e-10, 3, mask=mask, train=True, rngs={"dropout": jax.random.key(1)})


@needs_it
@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize(("units", "features"), [(16, 3), (80, 14), (272, 256), (20, 14)])
def test_a_step_alone_ends_where_all_steps_together_do_to_the_last_bit(kind, units, features):
    """Weights of a few rows are not packed, nor are sums of one row made a panel at a time."""
    steps, layer = 9, LAYERS[kind](units, return_sequences=True, return_state=True, backend="native")
    inputs = jax.random.normal(jax.random.key(0), (2, steps, features))
    params = random_variables(layer, inputs, scale=units**-0.5)
    whole, last = jax.jit(layer.apply)(params, inputs)
    one = jax.jit(lambda params, x, state: layer.apply(params, x, initial_state=state))
    for count in (1, 2):
        state = jax.tree.map(jnp.zeros_like, layer.apply(params, inputs[:count, :1])[1])
        for k in range(steps):
            outputs, state = one(params, inputs[:count, k : k + 1], state)
            np.testing.assert_array_equal(outputs[:, 0], whole[:count, k])
        for found, expected in zip(jax.tree.leaves(state), jax.tree.leaves(last), strict=True):
            np.testing.assert_array_equal(found, expected[:count])


@needs_it
def test_tanh_is_good_to_three_units_in_the_last_place():
    x = np.concatenate([np.linspace(-12, 12, 40001), np.logspace(-30, 1.2, 10000), [np.inf, 0]]).astype(np.float32)
    found = _tanh(np.concatenate([x, -x]))
    expected = np.tanh(np.concatenate([x, -x]).astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=3 * np.finfo(np.float32).eps)
    assert np.abs(found).max() == 1
    assert np.isnan(_tanh(np.float32([np.nan, 1.0]))).tolist() == [True, False]


def _tanh(x):
    """A step of a SimpleRNN whose kernel is 1."""
    layer = SimpleRNN(1, kernel_init=jax.nn.initializers.ones, backend="native")
    params = layer.init(jax.random.key(0), x[:, None, None])
    return np.asarray(layer.apply(params, x[:, None, None]))[:, 0]


@needs_it
def test_a_step_that_no_row_has_changes_nothing():
    """As the end of a batch whose longest sequence is shorter than its room."""
    inputs, _ = problem(0, 3, 6, 4)
    layer = LSTM(5, return_sequences=True, return_state=True, backend="native")
    params = random_variables(layer, inputs)
    mask = jnp.arange(6)[None, :] < jnp.array([3, 2, 0])[:, None]
    outputs, state = apply(layer, params, inputs, mask)
    _, short = apply(layer, params, inputs[:, :3], mask[:, :3])
    jax.tree.map(np.testing.assert_array_equal, state, short)
    np.testing.assert_array_equal(outputs[:, 2:], np.repeat(state[0][:, None], 4, axis=1))
    gradient = jax.grad(lambda x: apply(layer, params, x, mask)[0].sum())(inputs)
    assert not gradient[:, 3:].any()
    assert gradient[0, :3].any()


@needs_it
def test_a_first_layers_inputs_get_no_gradient_that_nobody_asked_for(monkeypatch):
    inputs, _ = problem(0, 3, 6, 4)
    layer = LSTM(5, backend="native")
    params = random_variables(layer, inputs)
    asked, call = [], native._call
    monkeypatch.setattr(native, "_call", lambda *arguments: asked.append(arguments[-1][0]) or call(*arguments))
    loss = lambda params, inputs: layer.apply(params, inputs).sum()
    jax.grad(loss)(params, inputs)
    jax.grad(loss, argnums=1)(params, inputs)
    assert asked[1::2] == [None, (1, 3, 6, 4)]


@needs_it
def test_vectors_that_are_not_trained_get_no_gradient_that_nobody_asked_for(monkeypatch):
    ids, table = jnp.arange(12).reshape(3, 4) % 7, problem(0, 9, 1, 5)[0][:, 0]
    layer = LSTM(5, backend="native")
    params = random_variables(layer, Tokens(ids, table))
    asked, call = [], native_library.call

    def remember(target, results, *operands, **attributes):
        if target == "project_backward":
            asked.append(results[0].shape)
        return call(target, results, *operands, **attributes)

    monkeypatch.setattr(native_library, "call", remember)
    loss = lambda params, table: (layer.apply(params, Tokens(ids, table)) ** 2).sum()
    both, _ = jax.grad(loss, (0, 1))(params, table)
    alone = jax.grad(loss)(params, table)
    jax.tree.map(np.testing.assert_array_equal, alone, both)
    assert asked == [(9, 5), (0,)]


@needs_it
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("inputs", [(0, 4, 3), (2, 0, 3)], ids=["no rows", "no steps"])
def test_nothing_is_a_shape_too(kind, inputs):
    make = lambda backend: LAYERS[kind](16, return_sequences=True, return_state=True, backend=backend)
    x, params = jnp.ones(inputs), random_variables(make("scan"), jnp.ones((2, 4, inputs[2])))
    if inputs[1] == 0:  # the last of no outputs cannot be taken
        run = lambda layer: layer.apply(params, x, method=layer.run)[2]
    else:
        run = lambda layer: layer.apply(params, x)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), run(make("native")), run(make("scan")))


@needs_it
@pytest.mark.parametrize("kind", LAYERS)
def test_tokens_of_whole_vectors_equal_their_vectors(kind):
    """Without padding a step starts from a token's row, which is not copied."""
    ids = jax.random.randint(jax.random.key(0), (5, 7), 0, 9)
    table = jax.random.normal(jax.random.key(1), (9, 6))
    layer = LAYERS[kind](16, backend="native")
    params = random_variables(layer, table[ids])
    step = lambda inputs: jax.value_and_grad(
        lambda params, table: (layer.apply(params, inputs(table), ids > 2) ** 2).sum(), argnums=(0, 1)
    )(params, table)
    found, expected = step(lambda table: Tokens(ids, table)), step(lambda table: table[ids])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), found, expected)


@needs_it
def test_ids_outside_the_table_read_nothing_outside():
    layer = LSTM(4, backend="native")
    for tokens in (Tokens(jnp.array([[-(2**30), 2**30]]), jnp.ones((9, 3))), Tokens(jnp.array([[-5, 99]]), None, 9)):
        params = random_variables(layer, tokens)
        gradient = jax.grad(lambda params, tokens=tokens: layer.apply(params, tokens).sum())(params)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


@needs_it
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_narrow_weights_are_computed_in_float32(dtype):
    inputs = problem(0, 3, 4, 5)[0].astype(dtype)
    make = lambda backend: LSTM(6, return_state=True, param_dtype=dtype, backend=backend)
    params = random_variables(make("scan"), inputs)
    found, expected = apply(make("native"), params, inputs), apply(make("scan"), params, inputs)
    assert jax.tree.map(lambda leaf: leaf.dtype, found) == jax.tree.map(lambda leaf: leaf.dtype, expected)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(np.float32(a), np.float32(b), atol=0.03), found, expected)


CODE = """
import sys, jax
from seqjax.layers.composite import explain
from seqjax.layers.recurrent import LSTM
print(explain(LSTM(4))[0])
try:
    jax.eval_shape(LSTM(4, backend="native").init, jax.random.key(0), jax.numpy.ones((2, 3, 4)))
except ValueError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"CXX": "/nowhere/g++"}, "no C++ compiler is installed (CXX=/nowhere/g++)"),
        ({"CXX": sys.executable}, "could not compile it"),
    ],
)
def test_where_it_cannot_be_made_auto_takes_another_and_says_why(environment, reason, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), **environment},
        check=True,
    )
    explained, refused = done.stdout.splitlines()
    assert explained.startswith("LSTM(4): fused, because its backward is hand-written; native: ")
    assert reason in explained
    assert refused.startswith("backend 'native' cannot run this LSTM: ")
    assert reason in refused
    assert not list(tmp_path.rglob("*.so"))


def test_it_can_be_switched_off(monkeypatch):
    monkeypatch.setenv("SEQJAX_NATIVE", "0")
    (line,) = explain(LSTM(4), platform="cpu")
    assert line.startswith("LSTM(4): fused, because its backward is hand-written; native: SEQJAX_NATIVE=0 is set")
    assert not native_library.computes(jnp.float32)


@needs_it
def test_a_damaged_library_is_made_again(tmp_path, monkeypatch):
    cache, copies = folders.cache_dir(), []

    def copy(compiler, path):
        copies.append(next((cache / "native").glob(f"{path.name}")))
        shutil.copy(copies[-1], path)

    monkeypatch.setattr(folders, "cache_dir", lambda: tmp_path)
    monkeypatch.setattr(native_library, "_compile", copy)
    warned = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: warned.append(text % values))
    assert native_library._load("float32").seqjax_forward
    (path,) = (tmp_path / "native").iterdir()
    assert path.name.startswith("float32-")
    path.unlink()  # the process has it still: it may not be written to
    path.write_bytes(b"not a library")
    assert native_library._load("float32").seqjax_forward
    assert path.read_bytes() == copies[0].read_bytes()
    assert "is damaged" in warned[0]
    assert native_library._load("float32").seqjax_backward
    assert len(warned) == 1
    assert len(copies) == 2
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.slow
@needs_it
def test_members_of_a_vmap_are_layers_of_one_call_and_equal_each_alone():
    """Some operands of all members alike, some of each its own; and a vmap within a vmap."""
    x, mask = problem(0, 3, 4, 5)
    layer = LSTM(6, return_sequences=True, return_state=True, backend="native")
    first = random_variables(layer, x)
    params = [jax.tree.map(lambda leaf, k=k: leaf * (1 - k / 3), first) for k in range(4)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *params)
    xs = jnp.stack([x, 2 * x, -x, x + 1])

    def step(params, x):
        loss = lambda params, x: sum((leaf**2).sum() for leaf in jax.tree.leaves(layer.apply(params, x, mask)))
        return jax.value_and_grad(loss, (0, 1))(params, x)

    def same(found, alone):
        one = jax.tree.map(lambda *leaves: jnp.stack(leaves), *alone)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, one)

    same(jax.vmap(step)(stacked, xs), [step(p, x) for p, x in zip(params, xs, strict=True)])
    same(jax.vmap(step, (0, None))(stacked, x), [step(p, x) for p in params])
    same(jax.vmap(step, (None, 0))(params[0], xs), [step(params[0], x) for x in xs])
    twice = jax.vmap(jax.vmap(step, (0, None)), (None, 0))(stacked, xs[:2])
    same(jax.tree.map(lambda leaf: leaf[1], twice), [step(p, xs[1]) for p in params])
    calls = str(jax.make_jaxpr(jax.vmap(step))(stacked, xs))
    assert calls.count("seqjax_forward") == calls.count("seqjax_backward") == 1
    assert "scan" not in calls
