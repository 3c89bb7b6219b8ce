"""The tagger against PyTorch from the same weights, and what padding, a batch and dropout do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recurrent_reference import apply, random_variables
from seqjax.errors import UserError
from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import LSTM
from seqjax.models.taggers import RecurrentTagger, tags_of
from seqjax.training import metrics

WORDS = np.array([[4, 2, 9, 7, 3, 1], [8, 1, 3, 5, 0, 0], [6, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], np.int32)
TAGS = np.array([[1, 2, 3, 1, 4, 1], [2, 1, 1, 4, 0, 0], [3, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], np.int32)


def tagger(**options):
    layer = Bidirectional(LSTM(5, return_sequences=True))
    given = {"vocabulary_size": 10, "embedding_size": 3, "layer": layer, "tags": 6, "dropout": 0.0}
    return RecurrentTagger(**{**given, **options})


def test_logits_and_gradients_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    model = tagger()
    params = random_variables(model, WORDS)["params"]
    embedding = torch.nn.Embedding(10, 3)
    layer = torch.nn.LSTM(3, 5, batch_first=True, bidirectional=True)
    dense = torch.nn.Linear(10, 6)
    copy = lambda array: torch.nn.Parameter(torch.tensor(np.array(array, order="C")))
    embedding.weight = copy(params["Embedding_0"]["embedding"])
    dense.weight, dense.bias = copy(params["Dense_0"]["kernel"].T), copy(params["Dense_0"]["bias"])
    for suffix, name in (("", "forward"), ("_reverse", "backward")):
        cell = params["layer"][name]["cell"]
        for ours, value in {
            "weight_ih": cell["kernel"].T,
            "weight_hh": cell["recurrent_kernel"].T,
            "bias_ih": cell["bias"],
            "bias_hh": np.zeros(20, np.float32),
        }.items():
            setattr(layer, f"{ours}_l0{suffix}", copy(value))
    words, tags = torch.tensor(WORDS[:3]).long(), torch.tensor(TAGS[:3]).long()
    packed = torch.nn.utils.rnn.pack_padded_sequence(embedding(words), torch.tensor([6, 4, 1]), batch_first=True)
    logits = dense(torch.nn.utils.rnn.pad_packed_sequence(layer(packed)[0], batch_first=True)[0])
    loss = torch.nn.functional.cross_entropy(logits.transpose(1, 2), tags, ignore_index=0)
    loss.backward()

    def ours(params):
        sums, counts = metrics.token_cross_entropy(model.apply({"params": params}, WORDS[:3]), TAGS[:3])
        return jnp.sum(sums) / jnp.sum(counts)

    found, gradients = jax.jit(jax.value_and_grad(ours))(params)
    np.testing.assert_allclose(found, loss.item(), rtol=1e-5)
    real = WORDS[:3] != 0
    np.testing.assert_allclose(
        np.asarray(apply(model, {"params": params}, WORDS[:3]))[real],
        logits.detach().numpy()[real],
        rtol=1e-4,
        atol=1e-5,
    )
    assert embedding.weight.grad is not None
    table = gradients["Embedding_0"]["embedding"]
    np.testing.assert_allclose(table, embedding.weight.grad.numpy(), rtol=1e-4, atol=1e-6)
    kernel = gradients["layer"]["backward"]["cell"]["recurrent_kernel"]
    np.testing.assert_allclose(kernel, layer.weight_hh_l0_reverse.grad.numpy().T, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("context", [1, 3])
def test_padding_and_the_rest_of_the_batch_change_nothing(context):
    model = tagger(context=context)
    variables = random_variables(model, WORDS)
    whole = np.asarray(apply(model, variables, WORDS))
    wider = np.asarray(apply(model, variables, np.pad(WORDS, ((0, 0), (0, 9)))))
    for row, words in enumerate(WORDS):
        length = int((words != 0).sum())
        np.testing.assert_allclose(wider[row, :length], whole[row, :length], rtol=1e-5, atol=1e-6)
        if length:
            alone = apply(model, variables, words[None, :length])[0]
            np.testing.assert_allclose(alone, whole[row, :length], rtol=1e-5, atol=1e-6)


def test_a_context_window_is_the_neighbours_side_by_side():
    model, plain = tagger(context=3), tagger(embedding_size=9)
    variables = random_variables(model, WORDS)
    table = np.asarray(variables["params"]["Embedding_0"]["embedding"])
    vectors = np.where((WORDS != 0)[:, :, None], table[WORDS], 0)
    around = np.pad(vectors, ((0, 0), (1, 1), (0, 0)))
    windows = np.concatenate([around[:, :-2], around[:, 1:-1], around[:, 2:]], axis=2)  # before, own, after
    flat = np.concatenate([np.zeros((1, 9)), windows.reshape(-1, 9)]).astype(np.float32)
    numbers = np.where(WORDS != 0, np.arange(1, WORDS.size + 1).reshape(WORDS.shape), 0)
    wide = plain.clone(vocabulary_size=len(flat))
    params = {**variables["params"], "Embedding_0": {"embedding": jnp.asarray(flat)}}
    expected = apply(wide, {"params": params}, numbers)
    np.testing.assert_allclose(apply(model, variables, WORDS), expected, rtol=1e-5, atol=1e-6)


def test_some_words_are_unknown_in_training_and_padding_never_is():
    """With one word dropped in two, a sentence of one word reads as the unknown word in half of the draws."""
    model = tagger(word_dropout=0.5)
    variables = random_variables(model, WORDS)
    words, key = np.tile(np.array([6, 0], np.int32), (400, 1)), jax.random.key(0)
    drawn = np.asarray(apply(model, variables, words, train=True, rngs={"dropout": key}))[:, 0]
    own, unknown = np.asarray(apply(model, variables, np.array([[6], [1]], np.int32)))[:, 0]
    is_own, is_unknown = (np.isclose(drawn, one[None], atol=1e-5).all(axis=1) for one in (own, unknown))
    assert (is_own | is_unknown).all(), "a word whose padding is dropped too would read as two words"
    assert 150 < is_unknown.sum() < 250


def test_the_likeliest_tag_is_never_that_of_padding():
    logits = np.zeros((1, 3, 4), np.float32)
    logits[0, :, 0] = 9
    logits[0, 0, 2] = logits[0, 1, 3] = 1
    np.testing.assert_array_equal(tags_of(jnp.asarray(logits), jnp.array([[5, 6, 0]])), [[2, 3, 0]])


@pytest.mark.parametrize("options", [{"context": 2}, {"context": 0}, {"tags": 0}, {"dropout": 1.0}])
def test_senseless_options_are_refused(options):
    with pytest.raises(UserError, match=next(iter(options))):
        jax.eval_shape(tagger(**options).init, jax.random.key(0), WORDS)
