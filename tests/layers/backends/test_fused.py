"""The backends fused and native equal `scan` in outputs, final states and all gradients; tokens equal their vectors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recurrent_reference import apply, random_variables
from seqjax import runtime
from seqjax.errors import UserError
from seqjax.layers.backends import choice, cudnn, fused, native_library
from seqjax.layers.composite import Bidirectional, Stacked, explain
from seqjax.layers.recurrent import GRU, LSTM, SimpleRNN
from seqjax.layers.tokens import Tokens

REFUSAL = choice.native_refusal(LSTM(4), platform=jax.default_backend())  # a GPU's tests run these too
NATIVE = pytest.param("native", marks=pytest.mark.skipif(REFUSAL is not None, reason=f"native: {REFUSAL}"))
both_backends = pytest.mark.parametrize("backend", ["fused", NATIVE])
LAYERS = {"SimpleRNN": SimpleRNN, "LSTM": LSTM, "GRU": GRU}
quick = settings(max_examples=1, deadline=None, derandomize=True)


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


def gradients(layer, params, inputs, state, seed, **options):
    """Outputs and final state, and the gradients of a random projection of them."""

    def loss(params, inputs, state):
        outputs = layer.apply(params, inputs, initial_state=state, **options)
        rng = np.random.default_rng(seed)
        weights = [jnp.asarray(rng.normal(size=y.shape), y.dtype) for y in jax.tree.leaves(outputs)]
        total = sum((w * y).sum() for w, y in zip(weights, jax.tree.leaves(outputs), strict=True))
        return total, outputs

    function = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True))
    (_, outputs), found = function(params, inputs, state)  # the loss itself cancels to nearly nothing: no measure
    return outputs, found


def compare(backend, make, inputs, tolerance, seed, **options):
    scan, other = make("scan"), make(backend)
    params = random_variables(scan, inputs, seed=seed)
    state = states_like(scan, params, inputs, seed)
    expected = gradients(scan, params, inputs, state, seed, **options)
    quickly = jax.config.values["jax_disable_most_optimizations"]
    if backend == "fused":
        jax.config.update("jax_disable_most_optimizations", False)  # as users compile it
    try:
        actual = gradients(other, params, inputs, state, seed, **options)
    finally:
        jax.config.update("jax_disable_most_optimizations", quickly)
    assert_close(actual, expected, tolerance)
    # The expectation itself is not trivial.
    assert max(float(jnp.abs(g).max()) for g in jax.tree.leaves(expected[1])) > 1e-3


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
@settings(quick, max_examples=60)
@given(config=configurations, masked=st.booleans(), features=st.sampled_from([1, 3, 70]), seed=st.integers(0, 999))
def test_equals_scan_widely(backend, kind, config, masked, features, seed):
    """In double precision, where nothing but a mistake makes a difference."""
    with jax.enable_x64(True):
        config = config | {"param_dtype": jnp.float64}
        check_against_scan(backend, kind, config, masked, features, seed, np.float64, 1e-10)


@pytest.mark.parametrize("features", [3, 70])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", pytest.param("SimpleRNN", marks=pytest.mark.slow)])
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


class _StateBidirectional(Bidirectional):
    """`states_like` asks a layer to return its state; a Bidirectional is told so through its forward layer."""

    def clone(self, **changes):
        changes.pop("return_state", None)
        return super().clone(**changes)


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


def loss_and_gradients(layer, variables, inputs_of, *arguments, **options):
    """The loss, and its gradients for the weights and the arguments of `inputs_of`."""

    def loss(variables, *arguments):
        return (layer.apply(variables, inputs_of(*arguments), **options) ** 2).sum()

    return jax.jit(jax.value_and_grad(loss, argnums=tuple(range(1 + len(arguments)))))(variables, *arguments)


@both_backends
@pytest.mark.parametrize("distinct", [1, 3, 40])
def test_tokens_equal_their_vectors(backend, distinct):
    """`distinct` reaches several sizes of the projection, the last being the plain one."""
    rng = np.random.default_rng(distinct)
    ids = jnp.asarray(rng.permutation(40)[np.arange(40) % distinct].reshape(4, 10), jnp.int32)
    table = jnp.asarray(rng.normal(size=(40, 6)), jnp.float32)
    layer = Bidirectional(LSTM(3, backend=backend))
    params = random_variables(layer, table[ids])
    tokens = loss_and_gradients(layer, params, lambda t: Tokens(ids, t), table, mask=ids > 3)
    assert_close(tokens, loss_and_gradients(layer, params, lambda t: t[ids], table, mask=ids > 3), 1e-5)


def test_every_backend_takes_tokens():
    ids = jnp.asarray(np.random.default_rng(0).integers(0, 9, (3, 5)), jnp.int32)
    for tokens in (Tokens(ids, jnp.eye(9)[:, :4]), Tokens(ids, vocabulary_size=9)):
        layer = GRU(4, backend="scan")
        params = random_variables(layer, tokens.dense())
        assert_close(apply(layer, params, tokens), apply(layer, params, tokens.dense()), 1e-6)


@both_backends
@pytest.mark.parametrize("train", [False, True])
def test_one_hot_tokens_equal_one_hot_vectors(backend, train):
    ids = jnp.asarray(np.random.default_rng(0).integers(0, 9, (3, 5)), jnp.int32)
    layer = GRU(4, backend=backend, dropout=0.5)
    tokens = Tokens(ids, vocabulary_size=9)
    params = random_variables(layer, tokens)
    assert jax.tree.leaves(params)[1].shape == (9, 12)
    options = {"train": train, "rngs": {"dropout": jax.random.key(1)}}
    expected = loss_and_gradients(layer, params, lambda: jax.nn.one_hot(ids, 9), **options)
    assert_close(loss_and_gradients(layer, params, lambda: tokens, **options), expected, 1e-5)


REFUSED = [
    (LSTM(2, activation="relu"), "activation='relu'"),
    (LSTM(2, recurrent_activation="hard_sigmoid"), "recurrent_activation='hard_sigmoid'"),
    (LSTM(2, peephole="full"), "peephole='full'"),
    (GRU(2, reset_after=False), "reset_after=False"),
    (SimpleRNN(2, layer_norm=True), "layer_norm=True"),
    (GRU(2, zoneout=0.1), "zoneout=0.1"),
    (GRU(2, dtype=jnp.bfloat16), "dtype"),
]


@both_backends
@pytest.mark.parametrize(("layer", "reason"), REFUSED)
def test_refuses_by_name_and_auto_falls_back(backend, layer, reason):
    inputs, _ = problem(0, 2, 3, 2)
    with pytest.raises(UserError, match=f"backend '{backend}' cannot run this .*{reason}.*choose auto or scan"):
        random_variables(layer.clone(backend=backend), inputs)
    (line,) = explain(layer)
    assert ": scan, because fused: " in line
    assert reason in line
    jax.eval_shape(layer.init, jax.random.key(0), inputs)


def test_explain_names_every_layer(monkeypatch):
    monkeypatch.setattr(runtime, "cores", lambda: 2)
    stack = Stacked([GRU(4), Bidirectional(LSTM(2, peephole="diagonal")), LSTM(256)])
    lines = explain(stack, platform="gpu")
    assert [line.split(":")[0] for line in lines] == [
        "layers_0/GRU(4)",
        "layers_1/forward/LSTM(2)",
        "layers_1/backward/LSTM(2)",
        "layers_2/LSTM(256)",
    ]
    assert [line.split(": ")[1].split(",")[0] for line in lines] == ["fused", "scan", "scan", "cudnn"]
    assert "fused" in explain(LSTM(256), masked=True, platform="gpu")[0]
    assert "fused" in explain(LSTM(256, recurrent_dropout=0.1), train=True, platform="gpu")[0]
    assert f": {'native' if native_library.refusal() is None else 'fused'}, " in explain(LSTM(128), platform="cpu")[0]
    assert ": fused, " in explain(LSTM(129), platform="cpu")[0]
    monkeypatch.setattr(runtime, "cores", lambda: 1)  # no other core that XLA could share large products out to
    assert f": {'native' if native_library.refusal() is None else 'fused'}, " in explain(LSTM(129), platform="cpu")[0]


def test_unknown_backend():
    inputs, _ = problem(0, 2, 3, 2)
    with pytest.raises(UserError, match="backend 'magic' is unknown; choose one of auto, scan, fused, native, cudnn"):
        random_variables(LSTM(2, backend="magic"), inputs)
    with pytest.raises(UserError, match=r"backend 'cudnn' cannot run this LSTM: it needs an NVIDIA GPU, .* cpu"):
        explain(LSTM(2, backend="cudnn"), platform="cpu")
    with pytest.raises(UserError, match="backend 'cudnn' cannot run this GRU: only the LSTM is there"):
        explain(GRU(2, backend="cudnn"), platform="gpu")


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
