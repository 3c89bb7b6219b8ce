"""The pallas backend equals `scan` where its kernels are interpreted, and lowers for CUDA; here it is run on no GPU."""

import functools

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

from backend_problems import LAYERS, _StateBidirectional, assert_close, gradients, problem, states_like
from recurrent_reference import apply, random_variables
from seqjax.errors import UserError
from seqjax.layers import recurrent
from seqjax.layers.backends import choice, pallas
from seqjax.layers.composite import Bidirectional, Stacked, explain
from seqjax.layers.recurrent import GRU, LSTM, SimpleRNN
from seqjax.layers.tokens import Tokens


@pytest.fixture
def allowed(monkeypatch):
    """Nothing is refused for the sake of the platform or of the float type."""
    monkeypatch.setattr(choice, "pallas_refusal", lambda layer, platform: None)


@pytest.fixture
def interpreted(allowed, monkeypatch):
    """The layers run the kernels as JAX operations."""
    monkeypatch.setitem(recurrent.ONE_CALL, "pallas", functools.partial(pallas.run, interpret=True))


def check(make, inputs, tolerance, seed, **options):
    """Outputs, final state and all gradients of the layer that `make` makes for a backend."""
    params = random_variables(make("scan"), inputs, seed=seed)
    state = states_like(make("scan"), params, inputs, seed)
    expected, found = (gradients(make(name), params, inputs, state, seed, **options) for name in ("scan", "pallas"))
    assert_close(found, expected, tolerance)
    assert max(float(jnp.abs(g).max()) for g in jax.tree.leaves(expected[1])) > 1e-3


CASES = [
    # units, float type, reverse, all outputs, recurrent dropout, tied, masked
    (5, np.float64, False, True, 0.4, False, True),
    (20, np.float64, True, False, 0.4, True, False),
    (16, np.float32, True, True, 0.0, False, True),
]


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "kind", ["LSTM", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("SimpleRNN", "GRU"))]
)
def test_equals_scan(kind, case):
    """The mask has holes and an empty row."""
    units, dtype, reverse, sequences, rate, tied, masked = case
    double = dtype == np.float64
    with jax.enable_x64(double):
        inputs, mask = problem(units, 5, 7, 3, dtype)
        fields = {"return_sequences": sequences, "return_state": True, "reverse": reverse, "param_dtype": dtype}
        options = {"mask": mask if masked else None, "train": True, "rngs": {"dropout": jax.random.key(units)}}
        make = lambda name: LAYERS[kind](units, recurrent_dropout=rate, tied=tied, backend=name, **fields)
        check(make, inputs, 1e-10 if double else 1e-5, units, **options)


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize(
    ("kind", "sequences", "reverse"), [("LSTM", True, False), pytest.param("GRU", False, True, marks=pytest.mark.slow)]
)
def test_both_directions_in_one_call_equal_two_scans(kind, sequences, reverse):
    with jax.enable_x64(True):
        inputs, mask = problem(3, 4, 6, 3, np.float64)
        fields = {"return_sequences": sequences, "return_state": True, "recurrent_dropout": 0.3, "reverse": reverse}
        layer = lambda backend: LAYERS[kind](5, **fields, param_dtype=jnp.float64, backend=backend)
        options = {"mask": mask, "train": True, "rngs": {"dropout": jax.random.key(1)}}
        check(lambda backend: _StateBidirectional(layer(backend)), inputs, 1e-10, 3, **options)


@pytest.mark.usefixtures("interpreted")
def test_tokens_in_a_stack_of_unlike_directions_equal_their_vectors_by_scan():
    """Nothing is kept for a backward that does not come."""
    ids = jnp.asarray(np.random.default_rng(0).integers(0, 9, (3, 5)), jnp.int32)
    table = jnp.asarray(np.random.default_rng(1).normal(size=(9, 4)), jnp.float32)

    def stack(backend):
        both = Bidirectional(GRU(4, return_sequences=True, backend=backend), LSTM(3, backend=backend))
        return Stacked([both, SimpleRNN(17, backend=backend)])

    params = random_variables(stack("scan"), table[ids])
    expected = apply(stack("scan"), params, table[ids], ids > 2)
    assert_close(apply(stack("pallas"), params, Tokens(ids, table), ids > 2), expected, 1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("interpreted")
def test_no_rows_give_no_outputs_and_no_gradient():
    layer = GRU(3, return_sequences=True, backend="pallas")
    params = random_variables(layer, jnp.ones((1, 2, 4)))
    found = jax.grad(lambda p: layer.apply(p, jnp.ones((0, 2, 4))).sum())(params)  # pyright: ignore[reportAttributeAccessIssue]
    assert_close(found, jax.tree.map(jnp.zeros_like, params), 0)


@pytest.mark.usefixtures("interpreted")
def test_vmap_equals_one_by_one():
    layer = Bidirectional(LSTM(3, backend="pallas"))
    inputs, mask = problem(1, 3, 4, 2)
    seeds = [random_variables(layer, inputs, seed=seed) for seed in range(2)]
    grad = jax.jit(jax.grad(lambda p: (layer.apply(p, inputs, mask) ** 2).sum()))  # pyright: ignore[reportOperatorIssue]
    together = jax.jit(jax.vmap(grad))(jax.tree.map(lambda *p: jnp.stack(p), *seeds))
    for k in range(2):
        assert_close(jax.tree.map(lambda g, k=k: g[k], together), grad(seeds[k]), 1e-5)


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("units", [pytest.param(5, marks=pytest.mark.slow), 64])
@pytest.mark.parametrize("kind", LAYERS)
def test_a_step_lowers_for_cuda(kind, units):
    """Lowered only: nothing is compiled or run."""
    fields = {"return_sequences": True, "return_state": True, "recurrent_dropout": 0.5, "backend": "pallas"}
    layer = Bidirectional(LAYERS[kind](units, **fields))
    inputs, mask = problem(1, 3, 4, 2)
    options = {"train": True, "rngs": {"dropout": jax.random.key(0)}}

    def loss(params, inputs):
        return sum((leaf**2).sum() for leaf in jax.tree.leaves(layer.apply(params, inputs, mask, **options)))

    params = jax.eval_shape(layer.init, jax.random.key(0), inputs)
    target = "__gpu$xla.gpu.triton"
    unchecked = [jax.export.DisabledSafetyCheck.custom_call(target)]  # JAX promises nothing for tomorrow's versions
    step = jax.jit(jax.grad(loss, argnums=(0, 1)))
    exported = jax.export.export(step, platforms=["cuda"], disabled_checks=unchecked)(params, inputs)
    assert exported.mlir_module().count(f"@{target}(") == 2


REFUSED = [
    (LSTM(65), "65 units are more than 64"),
    (GRU(2, param_dtype=jnp.bfloat16), "only float32"),
    (GRU(2, dtype=jnp.float64), "only float32"),
    (LSTM(2, peephole="full"), "peephole='full'"),
    (GRU(2, reset_after=False), "reset_after=False"),
    (SimpleRNN(2, zoneout=0.1), "zoneout=0.1"),
]


@pytest.mark.parametrize(("layer", "reason"), REFUSED)
def test_refuses_by_name(layer, reason):
    with pytest.raises(UserError, match=f"backend 'pallas' cannot run this .*: .*{reason}.*; choose auto or scan"):
        explain(layer.clone(backend="pallas"), platform="gpu")


def test_it_is_taken_by_name_and_on_a_gpu_only():
    (line,) = explain(GRU(32, recurrent_dropout=0.5, backend="pallas"), masked=True, train=True, platform="gpu")
    assert line == "GRU(32): pallas, because asked for"
    assert ": fused, " in explain(GRU(32), platform="gpu")[0]
    with pytest.raises(UserError, match="'pallas' cannot run this LSTM: it needs an NVIDIA GPU, and this is tpu"):
        explain(LSTM(2, backend="pallas"), platform="tpu")
