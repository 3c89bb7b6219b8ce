"""seqjax.models.classifiers: a logit a class, the maximum over time, words taken for unknown."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recurrent_reference import apply
from seqjax.errors import UserError
from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import LSTM
from seqjax.models.classifiers import WIDTHS, BagOfWordsClassifier, ConvClassifier, RecurrentClassifier

TOKENS = np.array([[3, 4, 5, 6, 0, 0], [7, 3, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], np.int32)
MODELS = {
    "bag": lambda classes: BagOfWordsClassifier(9, 4, 0.5, classes),
    "recurrent": lambda classes: RecurrentClassifier(9, 3, LSTM(4), 0.5, classes=classes),
    "convolution": lambda classes: ConvClassifier(9, 3, 4, 2, 0.5, classes),
}


@pytest.mark.parametrize("name", MODELS)
def test_two_classes_are_one_logit_and_more_a_logit_each(name):
    shape = lambda classes: jax.eval_shape(lambda: MODELS[name](classes).init_with_output(jax.random.key(0), TOKENS))
    (two, params), (five, others) = shape(2), shape(5)
    assert two.shape == (3,)
    assert five.shape == (3, 5)
    assert params["params"]["Dense_0"]["kernel"].shape == (4, 1)
    assert others["params"]["Dense_0"]["kernel"].shape == (4, 5)
    with pytest.raises(UserError, match="classes must be at least 2, not 1"):
        shape(1)


def pooled(**options):
    layer = Bidirectional(LSTM(4, return_sequences=True))
    return RecurrentClassifier(9, 3, layer, 0.0, mask_padding=True, classes=3, **options)


def test_the_maximum_is_over_the_real_steps():
    model = pooled()
    params = jax.jit(model.init)(jax.random.key(1), TOKENS)
    found = apply(model, params, TOKENS)
    assert np.isfinite(found).all()
    inner = params["params"]
    for row, length in ((0, 4), (1, 2)):
        x = inner["Embedding_0"]["embedding"][TOKENS[row : row + 1, :length]]
        states = apply(Bidirectional(LSTM(4, return_sequences=True)), {"params": inner["layer"]}, x)
        expected = apply(nn.Dense(3), {"params": inner["Dense_0"]}, jnp.max(states, axis=1))
        np.testing.assert_allclose(found[row : row + 1], expected, atol=1e-6)
    np.testing.assert_allclose(found[2], inner["Dense_0"]["bias"], atol=1e-7)  # a text without a token
    wider = np.pad(TOKENS, ((0, 0), (0, 5)))
    np.testing.assert_allclose(apply(model, params, wider), found, atol=1e-6)


def test_gradients_pass_a_text_without_a_token():
    model = pooled()
    params = jax.jit(model.init)(jax.random.key(1), TOKENS)
    gradients = jax.jit(jax.grad(lambda params: jnp.sum(model.apply(params, TOKENS) ** 2)))(params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


def test_words_are_taken_for_unknown_in_training_alone():
    plain, model = pooled(), pooled(word_dropout=0.999999)
    params = jax.jit(plain.init)(jax.random.key(1), TOKENS)
    np.testing.assert_array_equal(apply(model, params, TOKENS), apply(plain, params, TOKENS))
    found = apply(model, params, TOKENS, train=True, rngs={"dropout": jax.random.key(0)})
    expected = apply(plain, params, np.minimum(TOKENS, 1))  # padding stays what it is
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_convolutions_beside_the_layer_are_those_of_the_text_alone():
    model = pooled(filters=2, embedding_dropout=0.5)
    params = jax.jit(model.init)(jax.random.key(1), TOKENS)
    found = apply(model, params, TOKENS)
    inner = params["params"]
    for row, length in ((0, 4), (1, 2)):
        x = inner["Embedding_0"]["embedding"][TOKENS[row : row + 1, :length]]
        parts = [jnp.max(apply(Bidirectional(LSTM(4, return_sequences=True)), {"params": inner["layer"]}, x), axis=1)]
        for k, width in enumerate(WIDTHS):
            windows = apply(nn.Conv(2, (width,), padding="SAME"), {"params": inner[f"Conv1D_{k}"]}, x)
            parts.append(jnp.max(nn.relu(windows), axis=1))
        expected = apply(nn.Dense(3), {"params": inner["Dense_0"]}, jnp.concatenate(parts, axis=1))
        np.testing.assert_allclose(found[row : row + 1], expected, atol=1e-6)
    wider = np.pad(TOKENS, ((0, 0), (0, 5)))
    np.testing.assert_allclose(apply(model, params, wider), found, atol=1e-6)
    trained = apply(model, params, TOKENS, train=True, rngs={"dropout": jax.random.key(0)})
    assert not np.allclose(trained[:2], found[:2])
    with pytest.raises(UserError, match="need an embedding"):
        RecurrentClassifier(9, None, LSTM(4), 0.0, filters=2).init(jax.random.key(0), TOKENS)
