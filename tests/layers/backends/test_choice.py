"""Which backend runs a layer, why not another, and that each takes tokens for their vectors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from backend_problems import assert_close, both_backends, problem
from recurrent_reference import apply, random_variables
from seqjax.errors import UserError
from seqjax.layers.backends import native_library
from seqjax.layers.composite import Bidirectional, Stacked, explain
from seqjax.layers.recurrent import GRU, LSTM, SimpleRNN
from seqjax.layers.tokens import Tokens


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


def test_explain_names_every_layer():
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
    for units in (1, 1000):  # whatever the width
        (line,) = explain(LSTM(units), platform="cpu")
        assert f": {'native' if native_library.refusal() is None else 'fused'}, " in line


def test_unknown_backend():
    inputs, _ = problem(0, 2, 3, 2)
    with pytest.raises(UserError, match="backend 'magic' is unknown; choose one of auto, scan, fused, native, cudnn"):
        random_variables(LSTM(2, backend="magic"), inputs)
    with pytest.raises(UserError, match=r"backend 'cudnn' cannot run this LSTM: it needs an NVIDIA GPU, .* cpu"):
        explain(LSTM(2, backend="cudnn"), platform="cpu")
    with pytest.raises(UserError, match="backend 'cudnn' cannot run this GRU: only the LSTM is there"):
        explain(GRU(2, backend="cudnn"), platform="gpu")
