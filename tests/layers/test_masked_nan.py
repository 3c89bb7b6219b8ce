"""NaN and infinity at a masked step reach neither outputs nor gradients: of any layer, by any backend."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from recurrent_reference import random_variables
from seqjax.layers import bags, recurrent
from seqjax.layers.backends import choice, native_library, pallas
from seqjax.layers.composite import Bidirectional, Stacked
from seqjax.layers.embeddings import Embedding
from seqjax.layers.recurrent import GRU, LSTM, RNN, SimpleRNN
from seqjax.layers.tokens import Tokens
from seqjax.models.classifiers import ConvClassifier, RecurrentClassifier
from seqjax.models.transformer import TransformerClassifier

BACKENDS = ["scan", "fused", "pallas", *(["native"] if native_library.computes(np.float32) else [])]
MASK = np.array([[True, True, False, True], [False, False, True, False], [False] * 4])
BAD = np.where(np.arange(3) % 2, np.inf, np.nan).astype(np.float32)


@pytest.fixture(autouse=True)
def _pallas_is_interpreted(monkeypatch):
    monkeypatch.setattr(choice, "pallas_refusal", lambda layer, platform: None)
    monkeypatch.setitem(recurrent.ONE_CALL, "pallas", functools.partial(pallas.run, interpret=True))


def inputs(filling):
    """[3, 4, 3], masked steps filled."""
    x = np.random.default_rng(0).normal(size=(*MASK.shape, 3)).astype(np.float32)
    return jnp.asarray(np.where(MASK[:, :, None], x, filling))


def same_gradients(run, clean, dirty):
    """run(x) -> anything; -> the gradient for x, which is exactly 0 wherever the two inputs differ."""
    weights = lambda tree: [jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape) for leaf in jax.tree.leaves(tree)]

    def loss(params, x):
        found = run(params, x)
        return sum((w * y).sum() for w, y in zip(weights(found), jax.tree.leaves(found), strict=True)), found

    both = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))
    (_, expected), (dparams, _) = both(*clean)
    (_, found), (dparams_found, dx) = both(*dirty)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
    jax.tree.map(close, found, expected)
    jax.tree.map(close, dparams_found, dparams)
    assert max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(dparams)) > 1e-2
    return dx


LAYERS = {
    "simple": lambda **o: SimpleRNN(4, **o),
    "lstm": lambda **o: LSTM(4, reverse=True, return_sequences=True, **o),
    "gru": lambda **o: GRU(4, **o),
    "both directions": lambda **o: Bidirectional(LSTM(4, return_sequences=True, **o)),
    "stacked": lambda **o: Stacked([GRU(4, **o), Bidirectional(SimpleRNN(4, **o), GRU(4, **o))]),
}
SCANNED = {
    "fullest": LSTM(4, peephole="full", layer_norm=True, zoneout=0.1),
    "flax's cell": RNN(nn.LSTMCell(4)),
    "flax's cells, both directions": Bidirectional(RNN(nn.GRUCell(4), return_sequences=True)),
}
QUICK = {"simple, pallas", "lstm, native", "both directions, fused", "gru, scan", "flax's cell"}
slow = lambda wanted: [pytest.mark.slow] * wanted
ALL = {f"{name}, {b}": make(backend=b) for name, make in LAYERS.items() for b in BACKENDS} | SCANNED
CASES = [pytest.param(layer, id=name, marks=slow(name not in QUICK)) for name, layer in ALL.items()]


@pytest.mark.parametrize("layer", CASES)
def test_of_arrays(layer):
    clean, dirty = inputs(0.5), inputs(BAD)
    params = random_variables(layer, clean)
    dx = same_gradients(lambda p, x: layer.apply(p, x, MASK), (params, clean), (params, dirty))
    np.testing.assert_array_equal(np.asarray(dx)[~MASK], 0)
    assert np.abs(np.asarray(dx)[MASK]).max() > 1e-3


@pytest.mark.parametrize("wide", [pytest.param(False, marks=pytest.mark.slow), True])
def test_of_wide_layers_and_many_features(wide, monkeypatch):
    """Their products are made for all steps at once, before the scan and after it, or for a chunk of steps."""
    if wide:
        from seqjax.layers.backends import fused

        monkeypatch.setattr(fused, "WEIGHTS_IN_STEP", 0)
    x = np.random.default_rng(0).normal(size=(*MASK.shape, 70)).astype(np.float32)
    clean, dirty = (jnp.asarray(np.where(MASK[:, :, None], x, filling)) for filling in (0.5, np.nan))
    for backend in ("fused",) if wide else [name for name in BACKENDS if name != "pallas"]:
        layer = LSTM(5 if wide else 100, backend=backend)
        params = random_variables(layer, clean, scale=0.1)
        same_gradients(lambda p, x, layer=layer: layer.apply(p, x, MASK), (params, clean), (params, dirty))


@pytest.mark.parametrize("row", [0, 8], ids=["the first row", "the last row, which stands for what is no token"])
@pytest.mark.parametrize("backend", [pytest.param(name, marks=slow(name in ("scan", "pallas"))) for name in BACKENDS])
def test_of_tokens(backend, row):
    ids = jnp.asarray(np.where(MASK, np.random.default_rng(0).integers(1, 8, MASK.shape), row))
    table = jnp.asarray(np.random.default_rng(1).normal(size=(9, 3)), jnp.float32)
    layer = Bidirectional(LSTM(4, backend=backend))
    params = random_variables(layer, table[ids])
    run = lambda p, table: layer.apply(p, Tokens(ids, table), MASK)
    dtable = same_gradients(run, (params, table), (params, table.at[row].set(BAD)))
    np.testing.assert_array_equal(dtable[row], 0)


PADDED = jnp.array([[3, 1, 4, 1, 5, 2], [2, 6, 5, 0, 0, 0], [1, 2, 3, 4, 0, 0]])
MODELS = {
    "recurrent": RecurrentClassifier(7, 5, GRU(4), 0.0, mask_padding=True),
    "convolution and pooling": ConvClassifier(7, 5, 4, 3, 0.0),
    "attention and pooling": TransformerClassifier(7, 4, 6, 2, 3, 4, 0.0),
}


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=slow(kind == "recurrent")) for kind in MODELS])
def test_of_models_whose_padding_has_a_row_of_its_own(kind):
    model = MODELS[kind]
    params = random_variables(model, PADDED)["params"]
    broken = {**params, "Embedding_0": {"embedding": params["Embedding_0"]["embedding"].at[0].set(jnp.nan)}}
    run = lambda p, _: model.apply({"params": p}, PADDED)
    same_gradients(run, (params, 0.0), (broken, 0.0))


def test_of_an_embedding_that_a_layer_masks():
    class Model(nn.Module):
        @nn.compact
        def __call__(self, ids):
            return LSTM(4)(Embedding(7, 5)(ids), ids != 0)

    params = random_variables(Model(), PADDED)["params"]
    broken = {**params, "Embedding_0": {"embedding": params["Embedding_0"]["embedding"].at[0].set(jnp.inf)}}
    same_gradients(lambda p, _: Model().apply({"params": p}, PADDED), (params, 0.0), (broken, 0.0))


@pytest.mark.parametrize("function", [bags.product, bags.in_pieces, bags.plain])
def test_of_a_bags_padding(function):
    tokens = jnp.array([[0, 2, 5, 9], [4, 5, 5, 7]])
    weights = jnp.where(tokens < 5, 0.5, 0.0)
    dirty = jnp.where(tokens < 5, weights, jnp.nan)
    kernel = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)), jnp.float32)
    operands = (lambda *given: given) if function is bags.product else bags._check
    run = lambda k, w: function(*operands(tokens, w, k))
    dweights = same_gradients(run, (kernel, weights), (kernel, dirty))
    np.testing.assert_array_equal(dweights[tokens >= 5], 0)


def test_it_equals_pytorchs_packed_sequences():
    torch = pytest.importorskip("torch")
    from seqjax.interop import from_torch

    torch.manual_seed(0)
    peer, layer = torch.nn.LSTM(3, 4, batch_first=True), LSTM(4)
    lengths, steps = [4, 2, 1], np.arange(4)
    mask = steps[None, :] < np.array(lengths)[:, None]
    x = np.where(mask[:, :, None], inputs(0.5) + 1, np.nan).astype(np.float32)
    theirs = torch.from_numpy(x).requires_grad_()
    packed = torch.nn.utils.rnn.pack_padded_sequence(theirs, lengths, batch_first=True)
    _, (h, _) = peer(packed)
    (h**2).sum().backward()
    params, _ = from_torch(peer, LSTM(4, return_sequences=True), np.zeros((2, 4, 3), np.float32))
    loss = lambda p, x: (layer.apply({"params": p}, x, mask) ** 2).sum()
    dparams, dx = jax.grad(loss, argnums=(0, 1))(params, jnp.asarray(x))
    close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6)
    close(dx, theirs.grad)
    close(dparams["cell"]["kernel"].T, peer.weight_ih_l0.grad)
    close(dparams["cell"]["recurrent_kernel"].T, peer.weight_hh_l0.grad)
    close(dparams["cell"]["bias"], peer.bias_hh_l0.grad)
