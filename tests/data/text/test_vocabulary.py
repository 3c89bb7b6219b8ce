"""seqjax.data.text.encodings.Vocabulary: what is learned, saved, loaded and decoded."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odd_texts import texts
from seqjax.data.text.encodings import (
    UNKNOWN,
    Corpus,
    Tokenizer,
    Vocabulary,
    encode_int,
    encode_multi_hot,
)
from seqjax.errors import UserError


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
    for few in [], [""]:
        corpus = Corpus.of(few, Tokenizer())
        assert encode_int(corpus, vocabulary, 3).tolist() == [[0, 0, 0]] * len(few)
        assert encode_multi_hot(corpus, Vocabulary(("a",), mask=False), 9).tolist() == [[9]] * len(few)
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


def test_further_words_stand_behind_the_learned_ones():
    tokenizer = Tokenizer()
    learned = Vocabulary.fit(Corpus.of(["a b b"], tokenizer))
    offered = ["b", "dog", "New", "new york", "don't", "cat", "dog", "", UNKNOWN, "cow"]
    assert learned.with_words(offered, None, tokenizer).tokens == ("b", "a", "dog", "cat", "cow")
    assert learned.with_words(offered, 6, tokenizer).tokens == ("b", "a", "dog", "cat")
    assert learned.with_words(offered, 4, tokenizer) == learned.with_words([], None, tokenizer) == learned
