"""The backends fused and native equal `scan` in outputs, final states and all gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from backend_problems import LAYERS, _StateBidirectional, assert_close, both_backends, compare, problem
from recurrent_reference import apply, random_variables
from seqjax.layers.backends import fused
from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import GRU, LSTM

quick = settings(phases=(Phase.explicit,), deadline=None)
configurations = st.fixed_dictionaries(
    {
        "units": st.integers(1, 6),
        "reverse": st.booleans(),
        "return_sequences": st.booleans(),
        "recurrent_dropout": st.sampled_from([0.0, 0.4]),
        "tied": st.booleans(),
    }
)
CONFIG = {"units": 4, "reverse": False, "return_sequences": True, "recurrent_dropout": 0.0, "tied": False}


@both_backends
@pytest.mark.parametrize("kind", LAYERS)
@quick
@given(config=configurations, masked=st.booleans(), features=st.sampled_from([1, 3, 70]), seed=st.integers(0, 99))
@example(config=CONFIG | {"recurrent_dropout": 0.4}, masked=True, features=3, seed=1)
@example(config=CONFIG | {"reverse": True, "return_sequences": False}, masked=True, features=70, seed=2)
def test_equals_scan(backend, kind, config, masked, features, seed):
    check_against_scan(backend, kind, config, masked, features, seed)


def check_against_scan(backend, kind, config, masked, features, seed, dtype: type = np.float32, tolerance=1e-5):
    inputs, mask = problem(seed, 4, 5, features, dtype)
    options = {"mask": mask if masked else None, "train": True, "rngs": {"dropout": jax.random.key(seed)}}
    make = lambda backend: LAYERS[kind](**config, return_state=True, backend=backend)
    compare(backend, make, inputs, tolerance, seed, **options)


@pytest.mark.slow
@both_backends
@pytest.mark.parametrize("kind", LAYERS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(config=configurations, masked=st.booleans(), features=st.sampled_from([1, 3, 70]), seed=st.integers(0, 999))
def test_equals_scan_widely(backend, kind, config, masked, features, seed):
    """In double precision, where nothing but a mistake makes a difference."""
    with jax.enable_x64(True):
        config = config | {"param_dtype": jnp.float64}
        check_against_scan(backend, kind, config, masked, features, seed, np.float64, 1e-10)


@pytest.mark.parametrize("features", [pytest.param(3, marks=pytest.mark.slow), 70])
@pytest.mark.parametrize(
    "kind", ["LSTM", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("GRU", "SimpleRNN"))]
)
def test_a_wide_layer_equals_scan(kind, features, monkeypatch):
    """As W6 has it; of a GRU the weights' gradient is summed step by step all the same."""
    monkeypatch.setattr(fused, "WEIGHTS_IN_STEP", 0)
    inputs, mask = problem(4, 3, 6, features)
    make = lambda backend: _StateBidirectional(
        LAYERS[kind](5, return_sequences=True, return_state=True, backend=backend)
    )
    compare("fused", make, inputs, 1e-5, 4, mask=mask)


@both_backends
@pytest.mark.parametrize(("kind", "sequences"), [("LSTM", True), ("GRU", False)])
def test_both_directions_in_one_call_equal_two_scans(backend, kind, sequences):
    inputs, mask = problem(3, 4, 6, 3)
    options = {"mask": mask, "train": True, "rngs": {"dropout": jax.random.key(1)}}

    def make(backend):
        fields = {"return_sequences": sequences, "return_state": True, "recurrent_dropout": 0.3}
        return _StateBidirectional(LAYERS[kind](5, **fields, backend=backend))

    compare(backend, make, inputs, 1e-5, 3, **options)


@both_backends
@pytest.mark.parametrize("kind", LAYERS)
def test_equals_scan_in_double_precision(backend, kind):
    with jax.enable_x64(True):
        inputs, mask = problem(7, 3, 6, 4, np.float64)
        options = {"mask": mask, "recurrent_mask": jnp.asarray(np.random.default_rng(0).random((1, 3, 5)))}

        def make(backend):
            return LAYERS[kind](5, return_sequences=True, return_state=True, param_dtype=jnp.float64, backend=backend)

        compare(backend, make, inputs, 1e-10, 7, **options)


@both_backends
def test_backends_draw_the_same_weights_and_masks(backend):
    inputs, _ = problem(0, 2, 3, 4)
    layers = [GRU(3, recurrent_dropout=0.5, dropout=0.5, backend=name) for name in ("scan", backend)]
    first, second = (jax.jit(layer.init)(jax.random.key(5), inputs) for layer in layers)
    assert_close(first, second, 0)
    drops = {"dropout": jax.random.key(6)}
    y, other = (apply(layer, first, inputs, train=True, rngs=drops) for layer in layers)
    assert_close(y, other, 1e-6)
    assert float(jnp.abs(y - apply(layers[0], first, inputs)).max()) > 1e-3


@both_backends
def test_vmap_equals_one_by_one(backend):
    layer = LSTM(3, backend=backend)
    inputs, mask = problem(1, 3, 4, 2)
    seeds = [random_variables(layer, inputs, seed=seed) for seed in range(2)]
    grad = jax.grad(lambda p: (layer.apply(p, inputs, mask) ** 2).sum())  # pyright: ignore[reportOperatorIssue]
    together = jax.jit(jax.vmap(grad))(jax.tree.map(lambda *p: jnp.stack(p), *seeds))
    one = jax.jit(grad)
    for k in range(2):
        assert_close(jax.tree.map(lambda g, k=k: g[k], together), one(seeds[k]), 1e-5)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_fused_lowers_for_other_platforms(platform):
    """Lowered only: nothing is run there."""
    layer = Bidirectional(GRU(4, recurrent_dropout=0.5, backend="fused"))
    inputs, mask = problem(1, 3, 4, 2)
    params = random_variables(layer, inputs)
    rngs = {"dropout": jax.random.key(0)}
    step = jax.grad(lambda p: layer.apply(p, inputs, mask, train=True, rngs=rngs).sum())
    exported = jax.export.export(jax.jit(step), platforms=[platform])(params)
    assert "while" in exported.mlir_module()
