"""A run's vocabulary.txt after editors, Git and accidents: read right, or refused in one line."""

import numpy as np
import pytest

from seqjax.data.text.encodings import Vocabulary
from seqjax.data.text.vectorizer import Vectorizer
from seqjax.errors import UserError

TEXTS = ["the film was good, good film", "a BAD film", "back\\slash", "the end"]


@pytest.fixture(params=["int", "tf_idf"])
def saved(request, tmp_path):
    fitted = Vectorizer.fit(TEXTS, encoding=request.param)
    fitted.save(tmp_path)
    return fitted, tmp_path


def edit(path, change):
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"\n", b"\r"),
        lambda text: text.replace(b"\n", b"\r\n", 3),
    ],
    ids=["windows", "notepad", "old mac", "some"],
)
def test_other_line_ends_are_the_same_words(saved, change):
    fitted, folder = saved
    for name in ("vocabulary.txt", "text.json", "idf.txt"):
        if (folder / name).exists() and name != "text.json":
            edit(folder / name, change if name == "vocabulary.txt" else lambda text: text.replace(b"\n", b"\r\n"))
    loaded = Vectorizer.load(folder)
    assert loaded.vocabulary == fitted.vocabulary
    for mine, theirs in zip(loaded.encode(TEXTS).values(), fitted.encode(TEXTS).values(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: b"", "vocabulary.txt is empty"),
        (lambda text: b"\n", "line 1: '' is no token"),
        (lambda text: text.replace(b"\n", b"\n\n", 1), "line 2: '' is no token"),
        (lambda text: text + b"\n", "line 9: '' is no token"),
        (lambda text: text + text[:5], r"line 9: 'film' is repeated"),
        (lambda text: text[:-1], "is cut off: its last line does not end"),
        (lambda text: text[text.index(b"\n") + 1 :], "7 words instead of the 8 that were written"),
        (lambda text: text.replace(b"film", b"flim"), "has been changed: its 8 words are not those"),
        (lambda text: b"\n".join([*text.split(b"\n")[1::-1], *text.split(b"\n")[2:]]), "has been changed"),
        (lambda text: b"\xff" + text, "vocabulary.txt is damaged: .*utf-8"),
    ],
)
def test_a_damaged_vocabulary_is_refused_in_one_line(saved, change, message):
    _, folder = saved
    edit(folder / "vocabulary.txt", change)
    with pytest.raises(UserError, match=message) as caught:
        Vectorizer.load(folder)
    assert "\n" not in str(caught.value)


def test_a_run_of_before_the_count_was_kept_is_read(saved):
    fitted, folder = saved
    edit(folder / "text.json", lambda text: text[: text.index(b',\n "words"')] + b"\n}\n")
    edit(folder / "vocabulary.txt", lambda text: text.replace(b"\n", b"\r\n"))
    assert Vectorizer.load(folder).vocabulary == fitted.vocabulary
    edit(folder / "vocabulary.txt", lambda text: b"")
    with pytest.raises(UserError, match="is empty"):
        Vectorizer.load(folder)


def test_words_that_hold_line_ends_and_marks_come_back():
    words = Vocabulary(("\ufeffa", "b\r\n", "\r", "c\x85", "\\r", "d\u2028e"))
    assert Vocabulary.from_text(words.to_text()) == words


@pytest.mark.parametrize("content", ["[" * 100_000, "3", '{"encoding": "int"', "\xff"])
def test_damaged_options_are_one_line(saved, content):
    _, folder = saved
    (folder / "text.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match=r"text\.json is damaged"):
        Vectorizer.load(folder)
