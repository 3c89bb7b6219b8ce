"""Forecasters and classifiers against plain formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recurrent_reference import apply, start
from seqjax.errors import UserError
from seqjax.layers.composite import Bidirectional
from seqjax.layers.dense import Dense, Dropout
from seqjax.layers.embeddings import Embedding
from seqjax.layers.recurrent import LSTM
from seqjax.models.classifiers import BagOfWordsClassifier, ConvClassifier, RecurrentClassifier
from seqjax.models.forecasters import ConvForecaster, DenseForecaster, LastValue, RecurrentForecaster
from seqjax.models.transformer import EncoderBlock, TransformerClassifier

WINDOWS = np.random.default_rng(0).normal(size=(5, 6, 3)).astype(np.float32)
TOKENS = np.array([[4, 2, 9, 0, 0], [1, 1, 3, 5, 7], [0, 0, 0, 0, 0]], np.int32)


def sine_gradients(params, *functions):
    """Of the sum of each function's sines."""
    return [jax.jit(jax.grad(lambda p, f=f: jnp.sum(jnp.sin(f(p)))))(params) for f in functions]


def test_the_last_value_has_no_parameters():
    model = LastValue(column=1)
    assert start(model, WINDOWS) == {}
    np.testing.assert_array_equal(apply(model, {}, WINDOWS), WINDOWS[:, -1, 1])


def test_the_dense_forecaster():
    model = DenseForecaster(units=4)
    variables = start(model, WINDOWS)
    hidden, out = (jax.tree.map(np.asarray, variables["params"][name]) for name in ("Dense_0", "Dense_1"))
    x = np.maximum(WINDOWS.reshape(5, 18) @ hidden["kernel"] + hidden["bias"], 0)
    np.testing.assert_allclose(apply(model, variables, WINDOWS), (x @ out["kernel"] + out["bias"])[:, 0], rtol=1e-5)


def test_a_bag_of_words_equals_the_dense_product_with_gradients():
    """Sum of rows = multi-hot vector times kernel, in outputs and in gradients."""
    columns = np.array([[0, 3, 7, 10], [2, 10, 10, 10], [10, 10, 10, 10]], np.int32)  # 10 columns; 10 is padding
    multi_hot = np.zeros((3, 10), np.float32)
    for row, present in enumerate(columns):
        multi_hot[row, present[present < 10]] = 1
    model = BagOfWordsClassifier(vocabulary_size=10, units=4, dropout=0.5)
    params = start(model, columns, seed=1)["params"]

    def dense(params):
        x = jax.nn.relu(multi_hot @ params["kernel"] + params["bias"][None, :])
        return (x @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"][None, :])[:, 0]

    sparse = lambda params: apply(model, {"params": params}, columns)
    np.testing.assert_allclose(sparse(params), dense(params), rtol=1e-6)
    gradients = sine_gradients(params, sparse, dense)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), *gradients)


def test_a_weighted_bag_equals_the_dense_product_with_gradients():
    """Weighted sum of rows = TF-IDF vector times kernel, in outputs and in gradients."""
    columns = np.array([[0, 3, 7, 10], [2, 10, 10, 10], [10, 10, 10, 10]], np.int32)
    weights = np.array([[0.3, 2, 5.5, 0], [1.5, 0, 0, 0], [0, 0, 0, 0]], np.float32)
    vectors = np.zeros((3, 11), np.float32)
    np.put_along_axis(vectors, columns, weights, axis=1)
    model = BagOfWordsClassifier(vocabulary_size=10, units=4, dropout=0.5)
    params = start(model, (columns, weights), seed=1)["params"]

    def dense(params):
        x = jax.nn.relu(vectors[:, :10] @ params["kernel"] + params["bias"][None, :])
        return (x @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"][None, :])[:, 0]

    sparse = lambda params: apply(model, {"params": params}, (columns, weights))
    np.testing.assert_allclose(sparse(params), dense(params), rtol=1e-6)
    gradients = sine_gradients(params, sparse, dense)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), *gradients)
    ones = (columns, (columns < 10).astype(np.float32))
    np.testing.assert_allclose(
        apply(model, {"params": params}, ones), apply(model, {"params": params}, columns), rtol=1e-6
    )


def test_a_masked_classifier_ignores_padding_and_an_unmasked_one_does_not():
    longer = np.pad(TOKENS, ((0, 0), (0, 4)))
    for masked in (True, False):
        model = RecurrentClassifier(10, 6, Bidirectional(LSTM(3)), dropout=0.5, mask_padding=masked)
        variables = start(model, TOKENS)
        same = np.allclose(apply(model, variables, TOKENS)[:2], apply(model, variables, longer)[:2], rtol=1e-5)
        assert same == masked


def test_one_hot_vectors_that_are_built_give_the_same_with_gradients():
    model = RecurrentClassifier(10, None, Bidirectional(LSTM(3)), dropout=0.5)
    params = start(model, TOKENS)["params"]
    layer = Bidirectional(LSTM(3))

    def dense(params):
        x = layer.apply({"params": params["layer"]}, jax.nn.one_hot(TOKENS, 10))
        return (x @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"][None, :])[:, 0]

    sparse = lambda params: apply(model, {"params": params}, TOKENS)
    np.testing.assert_allclose(sparse(params), dense(params), rtol=1e-6)
    gradients = sine_gradients(params, sparse, dense)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7), *gradients)


def test_an_embedding_that_is_not_trained_gets_no_gradient():
    for trained in (True, False):
        model = RecurrentClassifier(10, 4, LSTM(3), 0.0, train_embedding=trained)
        params = start(model, TOKENS)["params"]
        gradients = jax.grad(lambda p, model=model: apply(model, {"params": p}, TOKENS).sum())(params)
        assert np.any(gradients["Embedding_0"]["embedding"]) == trained
        assert np.any(gradients["Dense_0"]["kernel"])


def convolved(params, tokens, width):
    """A ConvClassifier text by text: no padding, XLA's convolution of the real vectors."""
    logits = []
    for row in tokens:
        text = row[: max(width, int((row != 0).sum()))]
        vectors = params["Embedding_0"]["embedding"][text][None]
        y = jax.lax.conv_general_dilated(
            vectors, params["kernel"], (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC")
        )
        x = jax.nn.relu(y + params["bias"][None, None, :]).max(axis=1)
        logits.append((x @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"][None, :])[0, 0])
    return jnp.stack(logits)


def test_a_conv_classifier_equals_convolving_each_text_alone_with_gradients():
    tokens = np.array([[4, 2, 9, 5, 1, 0, 0], [1, 1, 3, 5, 7, 8, 2], [3, 0, 0, 0, 0, 0, 0], [0] * 7], np.int32)
    model = ConvClassifier(10, 6, 5, 3, dropout=0.5)
    params = start(model, tokens)["params"]
    params["bias"] = params["bias"] + jax.random.normal(jax.random.key(1), 5)
    ours, theirs = (lambda p: apply(model, {"params": p}, tokens)), (lambda p: convolved(p, tokens, 3))
    np.testing.assert_allclose(ours(params), theirs(params), rtol=1e-5)
    gradients = sine_gradients(params, ours, theirs)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7), *gradients)


@pytest.mark.parametrize(
    "model",
    [
        ConvClassifier(10, 6, 5, 3, 0.5),
        TransformerClassifier(10, 8, longest=9, heads=2, head_size=3, units=5, dropout=0.5),
    ],
)
def test_padding_and_the_other_texts_of_a_batch_change_nothing(model):
    variables = start(model, TOKENS)
    short = apply(model, variables, TOKENS)
    assert np.isfinite(short).all()
    np.testing.assert_allclose(short, apply(model, variables, np.pad(TOKENS, ((0, 0), (0, 4)))), rtol=1e-5)
    np.testing.assert_allclose(short[:1], apply(model, variables, TOKENS[:1]), rtol=1e-5)
    assert not np.allclose(short[:1], apply(model, variables, TOKENS[:1, [2, 1, 0, 3, 4]]), rtol=1e-3), "order counts"


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_an_encoder_block_equals_kerass():
    keras = pytest.importorskip("keras")
    layers = keras.layers
    x = np.random.default_rng(0).normal(size=(3, 5, 8)).astype(np.float32)
    mask = TOKENS != 0
    mask[2, 0] = True
    attention, norm_1, norm_2 = (
        layers.MultiHeadAttention(2, 3),
        layers.LayerNormalization(),
        layers.LayerNormalization(),
    )
    dense_1, dense_2 = layers.Dense(4, activation="relu"), layers.Dense(8)
    model = EncoderBlock(heads=2, head_size=3, units=4)
    shapes = start(model, x, mask)["params"]
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), shapes)
    with jax.numpy_rank_promotion("allow"):  # Keras adds its biases so
        attention.build(x.shape, x.shape)
        for norm in (norm_1, norm_2):
            norm.build(x.shape)
        dense_1.build(x.shape)
        dense_2.build((3, 5, 4))
        ours = params["SelfAttention_0"]
        names = ("query", "key", "value", "output")
        attention.set_weights([ours[f"{name}_{kind}"] for name in names for kind in ("kernel", "bias")])
        for layer, name in ((norm_1, "LayerNorm_0"), (norm_2, "LayerNorm_1")):
            layer.set_weights([params[name]["scale"], params[name]["bias"]])
        for layer, name in ((dense_1, "Dense_0"), (dense_2, "Dense_1")):
            layer.set_weights([params[name]["kernel"], params[name]["bias"]])
        y = norm_1(x + attention(x, x, attention_mask=mask[:, None, :]))
        expected = np.asarray(norm_2(y + dense_2(dense_1(y))))
    found = np.asarray(apply(model, {"params": params}, x, mask))  # of what is masked Keras answers too, ours hides it
    np.testing.assert_allclose(found[mask], expected[mask], rtol=1e-4, atol=1e-5)


def test_dropout_acts_in_training_only():
    model = RecurrentForecaster(LSTM(8), dropout=0.5)
    variables = start(model, WINDOWS)
    train = lambda seed: apply(model, variables, WINDOWS, train=True, rngs={"dropout": jax.random.key(seed)})
    assert not np.allclose(train(0), train(1))
    np.testing.assert_array_equal(apply(model, variables, WINDOWS), apply(model, variables, WINDOWS))


def test_embeddings_start_as_keras_does():
    keras = pytest.importorskip("keras")
    ours = Embedding(2000, 64).init(jax.random.key(0), TOKENS)["params"]["embedding"]
    theirs = keras.layers.Embedding(2000, 64)
    theirs.build()
    for table in (np.asarray(ours), np.asarray(theirs.embeddings)):
        assert table.shape == (2000, 64)
        assert np.abs(table).max() <= 0.05
        np.testing.assert_allclose(table.std(), 0.1 / np.sqrt(12), rtol=0.02)


def test_dense_starts_as_keras_does():
    keras = pytest.importorskip("keras")
    x = np.ones((1, 300), np.float32)
    ours = Dense(200).init(jax.random.key(0), x)["params"]["kernel"]
    theirs = keras.layers.Dense(200)
    theirs.build((None, 300))
    bound = np.sqrt(6 / 500)
    for kernel in (np.asarray(ours), np.asarray(theirs.kernel)):
        assert np.abs(kernel).max() <= bound * 1.0001
        np.testing.assert_allclose(kernel.std(), bound / np.sqrt(3), rtol=0.02)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2.0])
def test_a_senseless_dropout_rate_is_refused(rate):
    with pytest.raises(UserError, match=r"is not in \[0, 1\)"):
        Dropout(rate)


@pytest.mark.parametrize(
    ("model", "inputs", "name"),
    [
        (DenseForecaster(0), WINDOWS, "units"),
        (BagOfWordsClassifier(10, 0, 0.5), TOKENS, "units"),
        (RecurrentForecaster(LSTM(0)), WINDOWS, "units"),
        (RecurrentClassifier(10, 0, LSTM(2), 0.5), TOKENS, "embedding_size"),
        (ConvClassifier(10, 4, 0, 3, 0.5), TOKENS, "filters"),
        (ConvClassifier(10, 4, 3, 0, 0.5), TOKENS, "width"),
        (TransformerClassifier(10, 4, 5, 0, 3, 5, 0.5), TOKENS, "heads"),
        (TransformerClassifier(10, 4, 5, 2, 0, 5, 0.5), TOKENS, "head_size"),
        (TransformerClassifier(10, 4, 5, 2, 3, 0, 0.5), TOKENS, "units"),
    ],
)
def test_a_senseless_size_is_refused_by_name(model, inputs, name):
    with pytest.raises(UserError, match=f"{name} must be at least 1, not 0"):
        start(model, inputs)


def test_models_do_not_import_tensorflow():
    import subprocess
    import sys

    code = (
        "import sys, seqjax.models.classifiers, seqjax.models.forecasters, seqjax.layers.composite\n"
        "assert 'tensorflow' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_the_conv_forecaster_equals_keras():
    keras = pytest.importorskip("keras")
    layers = keras.layers
    theirs = keras.Sequential(
        [
            keras.Input((70, 3)),
            layers.Conv1D(4, 24, activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(4, 12, activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(4, 6, activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1),
        ]
    )
    model = ConvForecaster(4)
    windows = np.random.default_rng(0).normal(size=(5, 70, 3)).astype(np.float32)
    names = ["Conv_0", "Conv_1", "Conv_2", "Dense_0"]
    weights = iter(theirs.get_weights())
    params = {name: {"kernel": next(weights), "bias": next(weights)} for name in names}
    shapes = jax.tree.map(np.shape, start(model, windows)["params"])
    assert jax.tree.map(np.shape, params) == shapes
    ours = apply(model, {"params": params}, windows)
    with jax.numpy_rank_promotion("allow"):  # Keras adds its biases so
        expected = theirs.predict(windows, verbose=0)[:, 0]
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)
