"""seqjax.data.text.encodings against the real keras.layers.TextVectorization."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from places import DATA
from seqjax.data.text.encodings import (
    UNKNOWN,
    Corpus,
    Tokenizer,
    Vocabulary,
    encode_count,
    encode_int,
    encode_multi_hot,
    inverse_document_frequencies,
)
from seqjax.errors import UserError

PREPARED = DATA / "tensorflow_datasets/imdb_reviews/plain_text/1.0.0"

# Every kind of space, dash, quote, case and mark that could part us from Keras; few letters, so words repeat.
ODD = "aAbBİıßÉéé'’-–_.<>/\\ \t\n\r\x0b\x0c\x00\x1c\x1f\x85\xa0\u2003\u2028\u3000\u200b\ufeff日🎬"
oddities = st.text(st.sampled_from(ODD), max_size=40)
texts = st.lists(st.one_of(oddities, st.text(max_size=30)), min_size=1, max_size=8)


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


def test_unknown_words_padding_and_cut():
    vocabulary = Vocabulary.fit(Corpus.of(["a a a b b c"], Tokenizer()), 4)
    corpus = Corpus.of(["b x a", "", "a b c a b"], Tokenizer())
    encoded = encode_int(corpus, vocabulary, 4)
    assert encoded.dtype == np.uint16
    assert encoded.tolist() == [[3, 1, 2, 0], [0, 0, 0, 0], [2, 3, 1, 2]]
    columns = Vocabulary.fit(Corpus.of(["a a a b b c"], Tokenizer()), 3, mask=False)
    assert encode_multi_hot(corpus, columns, 20).tolist() == [[0, 1, 2], [20, 20, 20], [0, 1, 2]]


def test_no_texts_and_empty_texts():
    vocabulary = Vocabulary(("a",))
    for texts in [], [""]:
        corpus = Corpus.of(texts, Tokenizer())
        assert encode_int(corpus, vocabulary, 3).tolist() == [[0, 0, 0]] * len(texts)
        assert encode_multi_hot(corpus, Vocabulary(("a",), mask=False), 9).tolist() == [[9]] * len(texts)
        assert Vocabulary.fit(corpus).tokens == ()


def test_ids_above_65535_do_not_wrap():
    vocabulary = Vocabulary(tuple(f"w{number}" for number in range(65_540)))
    encoded = encode_int(Corpus.of(["w65539 w0"], Tokenizer()), vocabulary, 2)
    assert encoded.tolist() == [[65_541, 2]]
    full = Vocabulary(tuple(f"w{number}" for number in range(65_534)))
    assert encode_int(Corpus.of(["w65533"], Tokenizer()), full, 1).tolist() == [[65_535]]
    columns = Vocabulary(vocabulary.tokens, mask=False)
    encoded = encode_multi_hot(Corpus.of(["w65539 w0"], Tokenizer()), columns, columns.size)
    assert encoded.tolist() == [[1, 65_540]]


def test_only_the_chosen_texts_are_counted():
    corpus = Corpus.of(["a b b", "c c c", "a d"], Tokenizer())
    assert Vocabulary.fit(corpus, texts=np.array([0, 2])).tokens == ("b", "a", "d")
    assert Vocabulary.fit(corpus, texts=np.array([], int)).tokens == ()


@settings(deadline=None, derandomize=True)
@given(texts=texts, size=st.integers(3, 9))
def test_a_limit_keeps_the_head_of_the_unlimited_vocabulary(texts, size):
    corpus = Corpus.of(texts, Tokenizer())
    every = Vocabulary.fit(corpus).tokens
    assert Vocabulary.fit(corpus, size).tokens == every[: size - 2]
    assert Vocabulary.fit(corpus, size, mask=False).tokens == every[: size - 1]


@settings(deadline=None, derandomize=True)
@given(texts=texts, split=st.sampled_from(["words", "characters"]), strip=st.booleans(), mask=st.booleans())
def test_saved_and_loaded_vocabulary_is_the_same(texts, split, strip, mask):
    corpus = Corpus.of(texts, Tokenizer(strip_punctuation=strip, split=split, ngrams=2))
    vocabulary = Vocabulary.fit(corpus, mask=mask)
    text = vocabulary.to_text()
    assert "\r" not in text
    assert text.count("\n") == len(vocabulary.tokens)
    assert Vocabulary.from_text(text, mask=mask) == vocabulary


def test_the_file_of_an_awkward_vocabulary():
    vocabulary = Vocabulary(("\\", "\n", "\\n", "\\\n", "\r", "a\u2028b"))
    assert vocabulary.to_text() == "\\\\\n\\n\n\\\\n\n\\\\\\n\n\\r\na\u2028b\n"
    assert Vocabulary.from_text(vocabulary.to_text()) == vocabulary


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n\nb\n", "^words.txt, line 2: '' is no token"),
        ("a\nb\na\n", "^words.txt, line 3: 'a' is repeated"),
        ("a\nb", "^words.txt is cut off"),
    ],
)
def test_a_damaged_vocabulary_names_the_line(text, message):
    with pytest.raises(UserError, match=message):
        Vocabulary.from_text(text, name="words.txt")


@settings(deadline=None, derandomize=True)
@given(texts=texts)
def test_decoding_gives_the_tokens_back(texts):
    corpus = Corpus.of(texts, Tokenizer())
    vocabulary = Vocabulary.fit(corpus)
    longest = int(corpus.lengths.max())
    for text, ids in zip(texts, encode_int(corpus, vocabulary, longest + 2), strict=True):
        assert [token.encode() for token in vocabulary.decode(ids)] == Tokenizer()(text)


def test_decoding_special_and_wrong_ids():
    assert Vocabulary(("a", "b")).decode(iter([2, 1, 3, 0])) == ["a", UNKNOWN, "b"]
    assert Vocabulary(("a", "b"), mask=False).decode([2, 1, 0]) == ["b", "a", UNKNOWN]
    for wrong in 4, -1:
        with pytest.raises(IndexError):
            Vocabulary(("a", "b")).decode([wrong])


def test_a_vocabulary_without_room_is_an_error():
    corpus = Corpus.of(["a"], Tokenizer())
    assert Vocabulary.fit(corpus, 2, mask=False).tokens == ("a",)
    with pytest.raises(UserError, match="vocabulary size 2"):
        Vocabulary.fit(corpus, 2)


def test_needs_neither_tensorflow_nor_jax():
    code = "import sys, seqjax.data.text.encodings; print(*{'tensorflow', 'jax', 'keras', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["numpy"]


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
