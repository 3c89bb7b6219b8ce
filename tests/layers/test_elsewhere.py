"""The layers in other people's programs: the two of the pages, and each layer through ToNNX beside itself in Linen."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

import seqjax.layers
from places import ROOT
from seqjax.layers import GRU, LSTM, RNN, Bidirectional, Conv1D, Embedding, SimpleRNN, Stacked

INPUTS = jax.random.normal(jax.random.key(0), (3, 6, 4))
MASK = jnp.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]], bool)
STATE = jnp.full((3, 5), 0.5)
SEQUENCES = {"return_sequences": True, "return_state": True}
LAYERS = {
    "SimpleRNN": (SimpleRNN(5, **SEQUENCES), STATE),
    "LSTM": (LSTM(5, **SEQUENCES), (STATE, STATE)),
    "LSTM backwards": (LSTM(5, reverse=True, return_state=True), (STATE, STATE)),
    "GRU": (GRU(5, **SEQUENCES), STATE),
    "RNN of a Linen cell": (RNN(nn.LSTMCell(5), return_state=True), (STATE, STATE)),
    "Bidirectional": (Bidirectional(LSTM(5, **SEQUENCES)), ((STATE, STATE), (STATE, STATE))),
    "Stacked": (Stacked((GRU(5), LSTM(5, return_state=True))), (STATE, (STATE, STATE))),
}


def block(first_line: str) -> str:
    """The Python of its page that begins with this comment."""
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "experiments/pages/how_to/layers.md").read_text(encoding="utf-8"), re.DOTALL
    )
    (found,) = [text for text in blocks if text.startswith(f"# {first_line}\n")]
    return found


def test_all_that_is_offered_is_there():
    assert all(hasattr(seqjax.layers, name) for name in seqjax.layers.__all__)
    assert {"SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional", "Stacked"} <= set(seqjax.layers.__all__)


def test_the_pages_linen_model_trains():
    program: dict = {}
    exec(block("a plain Linen model"), program)
    params, state, first = program["params"], program["state"], program["loss"]
    for k in range(30):
        params, state, loss = program["step"](params, state, jax.random.key(k))
    assert loss < first / 2
    inputs, mask = program["inputs"], program["mask"]
    garbage = jnp.where(mask[..., None], inputs, 9.0)
    outputs = [program["model"].apply(params, x, mask) for x in (inputs, garbage)]
    np.testing.assert_allclose(*outputs, rtol=1e-5)


def test_the_pages_nnx_model_trains():
    program: dict = {}
    exec(block("the same layers in an NNX model"), program)
    model, optimizer, inputs = program["model"], program["optimizer"], program["inputs"]
    before = jax.tree.map(jnp.copy, nnx.state(model, nnx.Param))
    losses = [program["step"](model, optimizer) for _ in range(30)]
    assert losses[-1] < program["loss"] / 2
    moved = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), before, nnx.state(model, nnx.Param))
    assert all(jax.tree.leaves(moved))
    whole, _ = model(inputs)
    _, state = model(inputs[:, :6])
    np.testing.assert_allclose(model(inputs[:, 6:], state=state)[0], whole, rtol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_through_nnx_is_itself_with_mask_state_and_gradient(name):
    layer, state = LAYERS[name]
    wrapped = nnx.bridge.ToNNX(layer, rngs=nnx.Rngs(0)).lazy_init(INPUTS)
    plain = {"params": nnx.to_pure_dict(nnx.state(wrapped, nnx.Param))}
    expected = jax.jit(layer.apply)(plain, INPUTS, MASK, state)
    found = nnx.jit(lambda model: model(INPUTS, MASK, state))(wrapped)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, expected)

    total = lambda results: sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(results))
    through_nnx = nnx.jit(nnx.grad(lambda model: total(model(INPUTS, MASK, state))))(wrapped)
    through_linen = jax.jit(jax.grad(lambda p: total(layer.apply(p, INPUTS, MASK, state))))(plain)["params"]
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    jax.tree.map(close, nnx.to_pure_dict(through_nnx), through_linen)


def test_dropout_through_nnx_is_fresh_at_every_call_and_repeats_with_its_seed():
    layer = GRU(5, dropout=0.4, recurrent_dropout=0.4)
    make = lambda seed: nnx.bridge.ToNNX(layer, rngs=nnx.Rngs(params=0, dropout=seed)).lazy_init(INPUTS)
    model, same, other = make(1), make(1), make(2)
    call = nnx.jit(lambda model: model(INPUTS, train=True))
    first, second = call(model), call(model)
    assert np.any(first != second)
    np.testing.assert_array_equal(call(same), first)
    assert np.any(call(other) != first)
    np.testing.assert_array_equal(model(INPUTS), model(INPUTS))
    np.testing.assert_array_equal(other(INPUTS), model(INPUTS))


def test_tokens_reach_a_recurrent_layer_within_one_module():
    class Reader(nn.Module):
        @nn.compact
        def __call__(self, ids, train=False):
            embedding = Embedding(20, 3)
            steps = embedding.tokens(ids) if self.is_initializing() or not train else embedding(ids)
            return LSTM(4)(steps)

    ids = jnp.array([[1, 2, 3], [4, 4, 0]])
    model = nnx.bridge.ToNNX(Reader(), rngs=nnx.Rngs(0)).lazy_init(ids)
    np.testing.assert_allclose(model(ids), model(ids, train=True), rtol=1e-5)


def test_a_convolution_through_nnx():
    layer = Conv1D(5, 3)
    model = nnx.bridge.ToNNX(layer, rngs=nnx.Rngs(0)).lazy_init(INPUTS)
    plain = {"params": nnx.to_pure_dict(nnx.state(model, nnx.Param))}
    np.testing.assert_allclose(model(INPUTS), layer.apply(plain, INPUTS), rtol=1e-6)
