"""seqjax.data.text.tokens against plain Python; test_encodings.py compares the whole with Keras."""

import importlib.util
import itertools
import re
import string
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqjax.data.text import numbering, tokens
from seqjax.data.text.tokens import Corpus, Tokenizer
from seqjax.errors import UserError

oddities = st.text(
    st.sampled_from("aAbBİıßÉé'’-–´½.<>/\\ \t\n\r\x0b\x0c\x00\x1c\x85\xa0\u2003\u2028\u3000\u200b日🎬"), max_size=40
)
# What a text may hold once it is UTF-8, words that have stems among it.
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(["Running runs", "“Films”"])
STEMS = [None] if importlib.util.find_spec("snowballstemmer") is None else [None, "english"]


def split(text, tokenizer):
    """The tokens of a text in plain Python; the library does it in NumPy."""
    if tokenizer.strip_special:
        text = "".join(c for c in text if c < "\x80" or unicodedata.category(c)[0] not in "PSC")
    if tokenizer.fold_accents:
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    if tokenizer.lower:
        text = "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)
    if tokenizer.strip_punctuation:
        text = "".join(c for c in text if c not in string.punctuation)
    singles = list(text) if tokenizer.split == "characters" else re.split("[ \t\n\v\f\r]+", text)
    singles = [token for token in singles if token]
    if tokenizer.stem:
        stem = pytest.importorskip("snowballstemmer").stemmer(tokenizer.stem).stemWord
        singles = [stem(token) or token for token in singles]
    starts = [range(len(singles) - width) for width in range(tokenizer.ngrams)]
    return [" ".join(singles[k : k + width + 1]) for width, some in enumerate(starts) for k in some]


# Beginnings in common, of every length about the pieces of 8 and 4 bytes that tokens are compared by.
long_words = st.builds(
    lambda head, size, tail: (head * 20)[:size] + tail,
    st.sampled_from(["a", "é", "\0", "ab\0"]),
    st.integers(0, 20),
    st.sampled_from(["", "a", "b", "\0", "é", "\x7f"]),
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    texts=st.lists(st.lists(long_words, max_size=30).map(" ".join) | oddities | anything, max_size=8),
    split_at=st.sampled_from(["words", "characters"]),
    ngrams=st.integers(1, 3),
    lower=st.booleans(),
    strip=st.booleans(),
    special=st.booleans(),
    fold=st.booleans(),
    stem=st.sampled_from(STEMS),
    chunk=st.sampled_from([1, 2, 100]),
)
def test_a_corpus_holds_the_tokens_of_its_texts(texts, split_at, ngrams, lower, strip, special, fold, stem, chunk):
    stem = stem if split_at == "words" else None
    tokenizer = Tokenizer(lower, strip, fold, special, split_at, ngrams, stem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "CHUNK", chunk)
        corpus = Corpus.of(iter(texts), tokenizer)
    expected = [split(text, tokenizer) for text in texts]
    assert corpus.lengths.tolist() == [len(tokens) for tokens in expected]
    assert [corpus.tokens[place].decode() for place in corpus.ids] == [t for tokens in expected for t in tokens]
    assert len(set(corpus.tokens)) == len(corpus.tokens) == len(set(corpus.ids.tolist()))


def test_keys_that_meet_in_the_hash_table_are_told_apart():
    """Many keys with all the same high bits of their product with the first factor, among few slots."""
    inverse = pow(numbering.GOLDEN, -1, 2**64)
    keys = np.array([inverse * k % 2**64 for k in range(40)] * 3 + [0, 2**64 - 2], np.uint64)
    numbers, firsts = numbering.Numbering()(0, keys)
    assert sorted(set(numbers.tolist())) == list(range(len(firsts))) == list(range(41))
    np.testing.assert_array_equal(keys[firsts][numbers], keys)


@pytest.mark.parametrize("integers", [1, 2])
@pytest.mark.parametrize("piece", [7, 1 << 16])
def test_numbers_are_those_of_a_dictionary_over_many_calls(integers, piece, monkeypatch):
    """Enough keys that the table grows several times; the first call brings none."""
    monkeypatch.setattr(numbering, "PIECE", piece)
    rng, number, known = np.random.default_rng(0), numbering.Numbering(integers), {}
    for size in (0, 1, 900, 30, 2000):
        keys = rng.integers(0, 40 if integers == 2 else 1500, (integers, size)).astype(np.uint64) << np.uint64(40)
        numbers, firsts = number(10 + len(known), *keys)
        fresh = []
        for place, key in enumerate(zip(*keys.tolist(), strict=True)):
            if key not in known and key not in {found for found, _ in fresh}:
                fresh.append((key, place))
        assert sorted(firsts.tolist()) == [place for _, place in fresh]
        for place in firsts.tolist():
            known[tuple(keys[:, place].tolist())] = 10 + len(known)
        assert numbers.tolist() == [known[key] for key in zip(*keys.tolist(), strict=True)]
    assert len(known) > 800


@pytest.mark.parametrize(
    ("text", "options", "tokens"),
    [
        ("Don't<br /><br />STOP", {}, ["dontbr", "br", "stop"]),
        ("Don't STOP", {"strip_punctuation": False}, ["don't", "stop"]),
        ("Don't STOP", {"lower": False}, ["Dont", "STOP"]),
        ("É a\u00a0b “c”", {}, ["É", "a\u00a0b", "“c”"]),
        ("Élan Naïve ﬁn", {"fold_accents": True}, ["elan", "naive", "fin"]),
        ("“Don’t”…STOP — £5\x96 \u200bnaïve", {"strip_special": True}, ["dontstop", "5", "naïve"]),
        ("“Don’t” (x)…", {"strip_special": True, "strip_punctuation": False}, ["dont", "(x)"]),
        ("don´t naïve ½", {"strip_special": True, "fold_accents": True}, ["dont", "naive", "1⁄2"]),
        ("a b c", {"ngrams": 3}, ["a", "b", "c", "a b", "b c", "a b c"]),
        ("a b", {"ngrams": 3}, ["a", "b", "a b"]),
        ("é B.", {"split": "characters"}, ["é", " ", "b"]),
        ("a \ud800 b\udcff", {}, ["a", "b"]),
        (" \t\n ", {}, []),
    ],
)
def test_tokens(text, options, tokens):
    assert [token.decode() for token in Tokenizer(**options)(text)] == tokens


def test_a_single_text_is_no_list_of_texts():
    with pytest.raises(UserError, match=r"^'a good film' is a single text: give a list of texts$"):
        Corpus.of("a good film", Tokenizer())


def test_every_token_becomes_its_stem_before_n_grams_are_made():
    snowballstemmer = pytest.importorskip("snowballstemmer")
    texts = ["He was running runs", "Generously, RUN!", "", "running running"]
    corpus = Corpus.of(texts, Tokenizer(stem="english", ngrams=2))
    stem = snowballstemmer.stemmer("english").stemWord
    plain = [re.sub("[,!]", "", text).lower().split() for text in texts]
    singles = [[stem(word) for word in words] for words in plain]
    expected = [words + [" ".join(pair) for pair in itertools.pairwise(words)] for words in singles]
    assert expected[0] == ["he", "was", "run", "run", "he was", "was run", "run run"]
    assert [corpus.tokens[place].decode() for place in corpus.ids] == [t for tokens in expected for t in tokens]
    assert len(set(corpus.tokens)) == len(corpus.tokens) == len(set(corpus.ids.tolist()))


def test_only_distinct_tokens_are_stemmed(monkeypatch):
    seen = []
    stemmer = lambda language: lambda words: seen.extend(words) or [word[:1] for word in words]
    monkeypatch.setattr(tokens, "_stemmer", stemmer)
    corpus = Corpus.of(["ab ac ab ab", "ac b"] * 9, Tokenizer(stem="english"))
    assert sorted(seen) == ["ab", "ac", "b"]
    assert [corpus.tokens[place] for place in corpus.ids[:6]] == [b"a", b"a", b"a", b"a", b"a", b"b"]


def test_without_the_stemmer_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "snowballstemmer", None)
    with pytest.raises(UserError, match=r"pip install 'seqjax\[stem\]'$"):
        Tokenizer(stem="english")


@pytest.mark.parametrize("options", [{"split": "word"}, {"ngrams": 0}, {"stem": "english", "split": "characters"}])
def test_unknown_options_are_errors(options):
    with pytest.raises(UserError, match=str(next(iter(options)))):
        Tokenizer(**options)


def test_digits_become_zeros():
    text = "Call 0800-129 or 7 NOW, é٣"
    assert Tokenizer(fold_digits=True)(text) == [b"call", b"0000000", b"or", b"0", b"now", "é٣".encode()]
    assert Tokenizer()(text)[1] == b"0800129"
    assert Tokenizer(fold_digits=True, split="characters")("7a8") == [b"0", b"a", b"0"]
