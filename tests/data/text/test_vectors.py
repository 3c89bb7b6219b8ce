"""seqjax.data.text.vectors: every form of file, streamed, and every way to be malformed."""

import gzip
import resource
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from places import DATA
from seqjax.data.text import vectors
from seqjax.data.text.encodings import Vocabulary
from seqjax.data.text.vectors import Vectors, read, write_text
from seqjax.errors import UserError

GLOVE = DATA / "glove" / "glove.6B.100d.top50k.txt.gz"

WORDS = ["the", "né", "日本", "a.b", "x"]
TABLE = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def glove_text(words, table):
    return b"".join(f"{w} {' '.join(map(str, row))}\n".encode() for w, row in zip(words, table, strict=True))


def word2vec_text(words, table):
    return f"{len(words)} {table.shape[1]}\n".encode() + glove_text(words, table)


def word2vec_binary(words, table, end=b"\n"):
    records = (w.encode() + b" " + row.astype("<f4").tobytes() + end for w, row in zip(words, table, strict=True))
    return f"{len(words)} {table.shape[1]}\n".encode() + b"".join(records)


FORMS = {
    "glove": glove_text,
    "word2vec text": word2vec_text,
    "word2vec binary": word2vec_binary,
    "binary without line breaks": lambda words, table: word2vec_binary(words, table, b""),
}


def write(path, content, zipped=False):
    path.write_bytes(gzip.compress(content) if zipped else content)
    return path


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_bits(tmp_path, form, zipped):
    path = write(tmp_path / "v", FORMS[form](WORDS, TABLE), zipped)
    found = read(path)
    assert found.words == WORDS
    np.testing.assert_array_equal(found.table, TABLE)
    some = read(path, ["x", "missing", "né"])
    assert some.words == ["né", "x"]
    np.testing.assert_array_equal(some.table, TABLE[[1, 4]])
    none = read(path, ["missing"])
    assert (none.words, none.table.shape) == ([], (0, 3))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    form=st.sampled_from(sorted(FORMS)),
    words=st.lists(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1), min_size=1, unique=True),
    size=st.integers(2, 9),
    block=st.sampled_from([1, 7, 1 << 20]),
    data=st.data(),
)
def test_any_words_and_numbers_come_back(tmp_path_factory, form, words, size, block, data):
    numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
    rows = data.draw(
        st.lists(st.lists(numbers, min_size=size, max_size=size), min_size=len(words), max_size=len(words))
    )
    table = np.array(rows, np.float32)
    with pytest.MonkeyPatch.context() as patch:
        if "binary" in form:
            patch.setattr(vectors, "_is_binary", lambda beginning, size: True)  # tiny random bytes may look like text
            patch.setattr(vectors, "BLOCK", max(block, 20))
        found = read(write(tmp_path_factory.mktemp("v") / "v", FORMS[form](words, table)))
    assert found.words == words
    np.testing.assert_array_equal(found.table, table)


def test_what_is_written_is_read_back_bit_for_bit(tmp_path):
    write_text(tmp_path / "v.txt", Vectors(WORDS, TABLE))
    found = read(tmp_path / "v.txt")
    assert found.words == WORDS
    np.testing.assert_array_equal(found.table, TABLE)


def test_a_word_may_hold_blanks_and_the_first_of_two_counts(tmp_path):
    path = write(tmp_path / "v", b"the 1 2 3\n. . . 4 5 6\nthe 7 8 9\n")
    found = read(path)
    assert found.words == ["the", ". . ."]
    assert found.table.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_what_a_line_has_too_much_is_a_word_unless_it_is_numbers(tmp_path):
    lines = b"at me@x.com 4 5 6\na 1 2 3\nb 1 2 3\nc 1 2 3\nthe 39 steps 7 8 9\n"
    assert read(write(tmp_path / "v", lines)).words == ["at me@x.com", "a", "b", "c", "the 39 steps"]
    with pytest.raises(UserError, match=r"v, line 6: 4 numbers instead of 3$"):
        read(write(tmp_path / "v", lines + b"route 66 7 8 9\n"), ["a"])


def test_rows_of_a_vocabulary():
    found = Vectors(["b", "z", "a"], np.array([[1, 2], [3, 4], [5, 6]], np.float32))
    vocabulary = Vocabulary(("a", "missing", "b"))
    assert found.for_vocabulary(vocabulary).tolist() == [[0, 0], [0, 0], [5, 6], [0, 0], [1, 2]]
    assert found.for_vocabulary(vocabulary, 7)[5:].tolist() == [[0, 0], [0, 0]]
    bags = Vocabulary(("a", "missing", "b"), mask=False)
    assert found.for_vocabulary(bags).tolist() == [[0, 0], [5, 6], [0, 0], [1, 2]]
    assert found.coverage(vocabulary) == "vectors for 2 of 3 words"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"the 1 2 3\na 1 2\nb 1 2 3\n", "v, line 2: 2 numbers instead of 3"),
        (b"the 1 2 3\na 1 2 x\n", "v, line 2: could not convert .*x"),
        (b"the 1 2 3\na 1 2 nan\n", "v, line 2: a number is not finite"),
        (b"2 3\nthe 1 2 3\na 1 2\n", "v, line 3: 2 numbers instead of 3"),
        (b"the 1 2 3 4\na 1 2 3\nb 1 2 3\n", "v, line 1: 4 numbers instead of 3"),
        (b"the 1 2 3\na 1 2 3 4 5\n", "v, line 2: 5 numbers instead of 3"),
        (b"2 3\nthe 1 2 3\na 1 2 3 4\n", "v, line 3: 4 numbers instead of 3"),
        (b"the\t1\t2\t3\na\t1\t2\t3\n", "v, line 1: a tab: only blanks may stand between a word and its numbers"),
        (b"the\t1 2 3\na\t1 2 3\n", "v, line 1: a tab"),
        (b"2 3\nthe\t1\t2\t3\na\t1\t2\t3\n", "v, line 2: a tab"),
        (b"2 3\nthe 1 2 x\na 1 2 3\n", "v, line 2: could not convert .*x"),
        (b"3 3\nthe 1 2 3\na 1 2 3\n", "v, line 4: 2 words instead of the 3 of line 1"),
        (b"1 3\nthe 1 2 3\na 1 2 3\n", "v, line 4: 2 words instead of the 1 of line 1"),
        (word2vec_binary(WORDS, TABLE)[:-9], "v, word 5 of 5: the file ends within it"),
        (word2vec_binary(WORDS, TABLE * np.inf), "v, word 1 of 5: a number is not finite"),
        (b"", "v holds no vectors"),
        (b"word\n", "v, line 1: 0 numbers instead of some"),
        (gzip.compress(glove_text(WORDS, TABLE))[:-12], "v: "),
    ],
)
def test_malformed_files_name_the_line(tmp_path, content, message):
    path = write(tmp_path / "v", content)
    with pytest.raises(UserError, match=f"^{tmp_path}/{message}"):
        read(path)


NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False).map(str)
BAD = ["x", "nan", "inf", "1.2.3", "--1.5", "1-2.5", "1.5-", "1.5e", "1.5e-05.3", "0.5x", "1,5"]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(good=st.lists(NUMBERS, min_size=2, max_size=2), bad=st.sampled_from(BAD), data=st.data())
def test_a_line_that_is_not_wanted_must_be_sound_too(tmp_path_factory, good, bad, data):
    form = lambda word, numbers: f"{word} {' '.join(numbers)}\n".encode()
    lines = [form("the", good), form("a", good), form("b", good)]
    path = tmp_path_factory.mktemp("v") / "v"
    assert read(write(path, b"".join(lines)), ["b"]).words == ["b"]
    place = data.draw(st.integers(0, 1))
    wrong = data.draw(st.sampled_from([good[:1], [*good, "0.5"], [good[0], bad], [bad, good[1]]]))
    lines[place] = form("w", wrong)
    with pytest.raises(UserError, match=f"v, line {place + 1}: "):
        read(write(path, b"".join(lines)), ["b"])


@pytest.mark.parametrize("wanted", [None, ["king"]])
def test_an_empty_file_is_named(tmp_path, wanted):
    (tmp_path / "v.txt").write_text("")
    with pytest.raises(UserError, match=r"v\.txt holds no vectors"):
        read(tmp_path / "v.txt", wanted)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=f"^{tmp_path}/none: No such file"):
        read(tmp_path / "none")


@pytest.mark.parametrize("form", ["glove", "word2vec binary"])
def test_only_the_wanted_rows_are_in_memory(tmp_path, form):
    """A file of 60 MB (text: 160 MB), read in a process that grows by a few."""
    words, table = [f"w{k}" for k in range(15_000)], np.zeros((15_000, 1000), np.float32)
    table[:] = np.random.default_rng(0).normal(size=1000)
    if form == "glove":
        line = " ".join(map(str, table[0])).encode()
        content = b"".join(word.encode() + b" " + line + b"\n" for word in words)
    else:
        content = word2vec_binary(words, table)
    path = write(tmp_path / "v", content)
    code = f"""if True:
        import resource, pathlib
        from seqjax.data.text.vectors import read
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = read(pathlib.Path({str(path)!r}), ["w3", "w14999"])
        assert found.words == ["w3", "w14999"], found.words
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 15e6
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit > 60e6  # the file itself would have shown


@pytest.mark.skipif(not GLOVE.is_file(), reason=f"no GloVe at {GLOVE}")
def test_the_real_glove():
    found = read(GLOVE, ["the", "king", "notaword"])
    assert found.words == ["the", "king"]
    np.testing.assert_allclose(found.table[0, :4], [-0.038194, -0.24487, 0.72812, -0.39961])  # as published
