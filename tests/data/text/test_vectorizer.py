"""seqjax.data.text.vectorizer: fit, encode, save, load, decode."""

import importlib.util
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqjax.data.text.encodings import UNKNOWN, Tokenizer
from seqjax.data.text.vectorizer import ENCODINGS, Vectorizer
from seqjax.errors import UserError

TEXTS = ["the film was good, good film", "a BAD film", "", "the end"]
words = st.sampled_from(["running", "runs", "“séance”", "film…", "½"])
unicode = st.lists(st.text(max_size=30) | st.lists(words, max_size=6).map(" ".join), min_size=1, max_size=6)
STEMS = [None] if importlib.util.find_spec("snowballstemmer") is None else [None, "english"]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    texts=unicode,
    others=unicode,
    encoding=st.sampled_from(ENCODINGS),
    split=st.sampled_from(["words", "characters"]),
    ngrams=st.integers(1, 3),
    size=st.sampled_from([None, 3, 7]),
    fold=st.booleans(),
    special=st.booleans(),
    stem=st.sampled_from(STEMS),
)
def test_what_was_saved_encodes_and_decodes_any_text_alike(
    tmp_path_factory, texts, others, encoding, split, ngrams, size, fold, special, stem
):
    stem = stem if split == "words" else None
    tokenizer = Tokenizer(True, False, fold, special, split, ngrams, stem)
    fitted, encoded = Vectorizer.fit_encode(texts, tokenizer=tokenizer, encoding=encoding, vocabulary_size=size)
    folder = tmp_path_factory.mktemp("saved")
    fitted.save(str(folder))
    loaded = Vectorizer.load(str(folder))
    assert (loaded.tokenizer, loaded.length, loaded.padding) == (tokenizer, fitted.length, fitted.padding)
    for some in (texts, others):
        mine, theirs = fitted.encode(some), loaded.encode(some)
        assert mine.keys() == theirs.keys()
        for name, array in mine.items():
            np.testing.assert_array_equal(array, theirs[name])
            assert array.dtype == theirs[name].dtype
    for name, array in fitted.encode(texts).items():
        np.testing.assert_array_equal(array, encoded[name])
    known = {token.encode() for token in fitted.vocabulary.tokens}
    for text, row in zip(texts, encoded["tokens"], strict=True):
        wanted = [token if token in known else UNKNOWN.encode() for token in tokenizer(text)]
        found = [token.encode() for token in loaded.decode(row)]
        assert found == wanted if encoding in ("int", "one_hot") else sorted(found) == sorted(set(wanted))


def test_files_of_before_a_switch_came_are_read(tmp_path):
    fitted = Vectorizer.fit(TEXTS)
    fitted.save(tmp_path)
    options = json.loads((tmp_path / "text.json").read_text())
    del options["tokenizer"]["strip_special"]
    (tmp_path / "text.json").write_text(json.dumps(options))
    assert Vectorizer.load(tmp_path).tokenizer == fitted.tokenizer


def test_one_string_is_refused():
    fitted = Vectorizer.fit(TEXTS)
    for use in (Vectorizer.fit, fitted, fitted.encode):
        with pytest.raises(UserError, match=r"^'the film' is a single text: give a list of texts$"):
            use("the film")


def test_each_encoding_of_a_small_corpus():
    encode = lambda encoding, **options: Vectorizer.fit(TEXTS, encoding=encoding, vocabulary_size=5, **options)(TEXTS)
    # film 3; the 2, good 2, then was, end, bad, a once each: room for 3 words, or 4 where there is no mask
    ids = encode("int", length=4)
    assert ids.dtype == np.int32
    assert ids.tolist() == [[3, 2, 1, 4], [1, 1, 2, 0], [0, 0, 0, 0], [3, 1, 0, 0]]
    np.testing.assert_array_equal(encode("one_hot", length=4), ids)
    columns = [[1, 2, 3, 4], [0, 1, 5, 5], [5, 5, 5, 5], [0, 2, 5, 5]]
    assert encode("multi_hot").tolist() == columns
    found, counts = encode("count")
    assert (found.tolist(), counts.dtype) == (columns, np.float32)
    assert counts.tolist() == [[2, 1, 2, 1], [2, 1, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]]
    found, weights = encode("tf_idf")
    film, the, good, was = np.log(1 + 4 / np.array([3, 3, 2, 2]))
    mean = (film + the + good + was) / 4
    expected = [[2 * film, the, 2 * good, was], [2 * mean, film, 0, 0], [0, 0, 0, 0], [mean, the, 0, 0]]
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_the_default_length_cuts_nothing():
    long = [*TEXTS, "word " * 17]
    assert Vectorizer.fit(TEXTS)(TEXTS).shape == (4, 16)
    assert Vectorizer.fit(long)(long).shape == (5, 32)


def test_only_the_chosen_texts_teach():
    fitted, encoded = Vectorizer.fit_encode(TEXTS, encoding="tf_idf", learn_from=np.array([1, 3]))
    alone = Vectorizer.fit([TEXTS[1], TEXTS[3]], encoding="tf_idf")
    assert fitted.vocabulary == alone.vocabulary
    np.testing.assert_array_equal(fitted.idf, alone.idf)
    np.testing.assert_array_equal(encoded["tokens"], alone.encode(TEXTS)["tokens"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoding": "bag"}, "encoding='bag': choose 'int', 'one_hot', 'multi_hot', 'count', 'tf_idf'"),
        ({"encoding": "count", "length": 3}, "length=3: only encoding='int' or 'one_hot' has a length"),
        ({"length": 0}, "length=0: must be 1 or more"),
        ({"vocabulary_size": 2}, "vocabulary size 2"),
    ],
)
def test_unfit_options_are_errors(options, message):
    with pytest.raises(UserError, match=f"^{message}"):
        Vectorizer.fit(TEXTS, **options)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "idf.txt: No such file"),
        ("1.0\n2.0\n", "idf.txt: 2 weights for 8 ids"),
        ("1.0\nmany\n", "idf.txt is damaged: .*many"),
    ],
)
def test_damaged_weights_name_the_file(tmp_path, content, message):
    Vectorizer.fit(TEXTS, encoding="tf_idf").save(tmp_path)
    (tmp_path / "idf.txt").unlink()
    if content is not None:
        (tmp_path / "idf.txt").write_text(content)
    with pytest.raises(UserError, match=f"^{re.escape(str(tmp_path))}/{message}"):
        Vectorizer.load(tmp_path)


def test_needs_neither_tensorflow_nor_jax():
    code = "import sys, seqjax.data.text.vectorizer; print(*{'tensorflow', 'jax', 'keras', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["numpy"]
