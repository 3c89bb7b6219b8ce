"""seqjax.data.text.encodings against the real keras.layers.TextVectorization."""

import os
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odd_texts import texts
from places import DATA
from seqjax.data.text.encodings import (
    Corpus,
    Tokenizer,
    Vocabulary,
    encode_count,
    encode_int,
    encode_multi_hot,
    inverse_document_frequencies,
)

PREPARED = DATA / "tensorflow_datasets/imdb_reviews/plain_text/1.0.0"


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("keras")


def layer(keras, texts, mode, tokenizer, size=None, length=None):
    """A TextVectorization adapted to texts."""
    import tensorflow as tf

    standardize = {(True, True): "lower_and_strip_punctuation", (True, False): "lower"}
    standardize |= {(False, True): "strip_punctuation", (False, False): None}
    vectorization = keras.layers.TextVectorization(
        max_tokens=size,
        standardize=standardize[tokenizer.lower, tokenizer.strip_punctuation],
        split={"words": "whitespace", "characters": "character"}[tokenizer.split],
        ngrams=tokenizer.ngrams if tokenizer.ngrams > 1 else None,
        output_mode=mode,
        output_sequence_length=length,
    )
    vectorization.adapt(tf.constant(texts))
    return vectorization


def names(vectorization):
    """The learned tokens as a layer lists them: without a NUL at the end, though its lookup keeps it."""
    return vectorization.get_vocabulary(include_special_tokens=False)


def listed(vocabulary):
    """Our tokens as Keras would list them."""
    return [token.rstrip("\0") for token in vocabulary.tokens]


def transform(vectorization, texts):
    """A layer's output."""
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # with JAX as Keras's backend, that the int64 become int32
        batches = [vectorization(tf.constant(texts[k : k + 1000])) for k in range(0, len(texts), 1000)]
        return np.concatenate([np.asarray(batch) for batch in batches])


def dense(columns, width):
    """[N, K] padded columns as [N, width] of 0 and 1."""
    rows = np.zeros((len(columns), width + 1), np.float32)
    np.put_along_axis(rows, columns.astype(np.int64), 1, axis=1)
    return rows[:, :width]


def weighted(columns, weights, width):
    """[N, K] padded columns and what stands in them as [N, width]."""
    rows = np.zeros((len(columns), width + 1), np.float32)
    np.put_along_axis(rows, columns.astype(np.int64), weights.astype(np.float32), axis=1)
    return rows[:, :width]


def weights_equal_to_keras(keras, texts, tokenizer, size=None):
    """Counts and TF-IDF weights of texts are Keras's, or none of the texts has a token."""
    corpus = Corpus.of(texts, tokenizer)
    columns = Vocabulary.fit(corpus, size, mask=False)
    if not columns.tokens:
        return
    encoded, counts = encode_count(corpus, columns, columns.size)
    np.testing.assert_array_equal(encoded, encode_multi_hot(corpus, columns, columns.size))
    assert ((counts == 0) == (encoded == columns.size)).all()
    reference = transform(layer(keras, texts, "count", tokenizer, size), texts)[:, : columns.size]
    np.testing.assert_array_equal(weighted(encoded, counts, columns.size), reference)
    idf = np.append(inverse_document_frequencies(encoded, columns), np.float32(0))
    reference = transform(layer(keras, texts, "tf_idf", tokenizer, size), texts)[:, : columns.size]
    np.testing.assert_allclose(weighted(encoded, counts * idf[encoded], columns.size), reference, rtol=2e-6)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    texts=texts,
    ngrams=st.integers(1, 3),
    split=st.sampled_from(["words", "characters"]),
    size=st.sampled_from([None, 3, 6, 11]),
)
def test_any_unicode_text_is_counted_and_weighed_as_by_keras(keras, texts, ngrams, split, size):
    weights_equal_to_keras(keras, texts, Tokenizer(split=split, ngrams=ngrams), size)


def test_counts_above_255_do_not_wrap():
    corpus = Corpus.of(["a " * 300 + "b", "b", ""], Tokenizer())
    columns, counts = encode_count(corpus, Vocabulary(("b", "a"), mask=False), 3)
    assert columns.tolist() == [[1, 2], [1, 3], [3, 3]]
    assert counts.tolist() == [[1, 300], [1, 0], [0, 0]]


def test_more_cells_than_32_bits_hold():
    """Rows times columns above 2^32: the wide sort gives what the narrow one gives."""
    corpus = Corpus.of(["b a b", "", "x a"] * 3, Tokenizer())
    vocabulary = Vocabulary(("a", "b"), mask=False)
    narrow, wide = (encode_count(corpus, vocabulary, padding) for padding in (3, 1 << 30))
    np.testing.assert_array_equal(narrow[1], wide[1])
    np.testing.assert_array_equal(narrow[0], np.where(wide[0] == 1 << 30, 3, wide[0]))


def equal_to_keras(keras, texts, tokenizer, size=None, length=7):
    """Vocabulary, ids and multi-hot rows of texts are Keras's, or none of the texts has a token."""
    corpus = Corpus.of(texts, tokenizer)
    vocabulary = Vocabulary.fit(corpus, size)
    columns = Vocabulary.fit(corpus, size, mask=False)
    reference = layer(keras, texts, "int", tokenizer, size, length)
    if not vocabulary.tokens:
        assert reference.vocabulary_size() <= 2
        return
    assert listed(vocabulary) == names(reference)
    np.testing.assert_array_equal(encode_int(corpus, vocabulary, length), transform(reference, texts))
    reference = layer(keras, texts, "multi_hot", tokenizer, size)
    assert listed(columns) == names(reference)
    encoded = encode_multi_hot(corpus, columns, columns.size + 3)
    rows = dense(np.minimum(encoded, columns.size), columns.size)
    np.testing.assert_array_equal(rows, transform(reference, texts)[:, : columns.size])
    assert all(row[row < columns.size].tolist() == sorted(set(row) - {columns.size + 3}) for row in encoded)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    texts=texts,
    ngrams=st.integers(1, 3),
    split=st.sampled_from(["words", "characters"]),
    lower=st.booleans(),
    strip=st.booleans(),
    size=st.sampled_from([None, 3, 4, 6, 11]),
    length=st.sampled_from([1, 7, 30]),
)
def test_any_unicode_text_is_vectorised_as_by_keras(keras, texts, ngrams, split, lower, strip, size, length):
    equal_to_keras(keras, texts, Tokenizer(lower, strip, split=split, ngrams=ngrams), size, length)


def test_order_is_count_then_reverse_lexicographic(keras):
    texts = ["b a a c", "c b d", "e É ß"]
    vocabulary = Vocabulary.fit(Corpus.of(texts, Tokenizer()))
    assert vocabulary.tokens == ("c", "b", "a", "ß", "É", "e", "d")
    equal_to_keras(keras, texts, Tokenizer())


def test_special_names_in_the_text_are_not_learned(keras):
    plain = Tokenizer(lower=False, strip_punctuation=False)
    texts = ["[UNK] [UNK] [UNK] a a b", "[UNK] c"]
    assert Vocabulary.fit(Corpus.of(texts, plain), 4).tokens == ("a", "c")
    equal_to_keras(keras, texts, plain, 4)
    equal_to_keras(keras, texts, plain)


def imdb_training_texts():
    if not PREPARED.is_dir():
        pytest.skip(f"no IMDB reviews at {PREPARED}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow_datasets as tfds

        dataset = tfds.load("imdb_reviews", split="train", data_dir=PREPARED.parents[2], download=False)
        return [example["text"].decode() for example in tfds.as_numpy(dataset)]


@pytest.mark.slow
@pytest.mark.parametrize("ngrams", [1, 2, 3])
def test_the_whole_imdb_training_set_is_vectorised_as_by_keras(keras, ngrams):
    texts = imdb_training_texts()
    tokenizer = Tokenizer(ngrams=ngrams)
    corpus = Corpus.of(texts, tokenizer)
    assert len(corpus.lengths) == 25_000

    reference = layer(keras, texts, "int", tokenizer, None if ngrams == 1 else 20_000, 600)
    vocabulary = Vocabulary.fit(corpus, None if ngrams == 1 else 20_000)
    assert listed(vocabulary) == names(reference)
    assert Vocabulary.from_text(vocabulary.to_text()) == vocabulary
    np.testing.assert_array_equal(encode_int(corpus, vocabulary, 600), transform(reference, texts))

    reference = layer(keras, texts, "multi_hot", tokenizer, 20_000)
    columns = Vocabulary.fit(corpus, 20_000, mask=False)
    assert listed(columns) == names(reference)
    assert columns.size == 20_000
    encoded = encode_multi_hot(corpus, columns, 20_000)
    for start in range(0, 25_000, 1000):
        rows = slice(start, start + 1000)
        np.testing.assert_array_equal(dense(encoded[rows], 20_000), transform(reference, texts[rows]))

    encoded, counts = encode_count(corpus, columns, 20_000)
    idf = np.append(inverse_document_frequencies(encoded, columns), np.float32(0))
    for mode, weights in ("count", counts), ("tf_idf", counts * idf[encoded]):
        reference = layer(keras, texts, mode, tokenizer, 20_000)
        for start in range(0, 25_000, 1000):
            rows = slice(start, start + 1000)
            found = weighted(encoded[rows], weights[rows], 20_000)
            np.testing.assert_allclose(found, transform(reference, texts[rows]), rtol=0 if mode == "count" else 2e-6)
