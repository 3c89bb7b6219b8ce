"""Sentences to tokens and back."""

import re
import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqjax.data.text import sentences
from seqjax.errors import UserError


def shown(text, way="words"):
    return " ".join(sentences.split(text, way)).replace(sentences.JOINER, "_")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("A man's hat, blue.", "a man _'_ s hat _, blue _."),
        ("T-shirts (red)!?", "t _-_ shirts (_ red _) _! _?"),
        ("¿Qué  hora\tes?", "¿_ qué hora es _?"),
        ("3.5 % - ÄÖÜß", "3 _._ 5 % - äöüß"),
        ("...", ". _. _."),
        ("", ""),
        (" \u00a0\u3000 ", ""),
        ("e\u0301tude", "\u00e9tude"),
    ],
)
def test_words_and_marks_stand_apart(text, tokens):
    assert shown(text) == tokens


@given(st.text(max_size=40))
def test_words_join_to_what_they_were(text):
    """But for case, composition and the width of spaces."""
    joined = sentences.join(sentences.split(text))
    assert joined == sentences.standard(text)
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower()).replace(sentences.JOINER, " ")
    assert joined.split() == plain.split()
    assert sentences.split(joined) == sentences.split(text)


@given(st.text(max_size=40))
def test_characters_join_to_what_they_were(text):
    assert sentences.join(sentences.split(text, "characters"), "characters") == unicodedata.normalize("NFC", text)


def test_the_books_way_is_that_of_its_standardisation():
    """`strip_chars = string.punctuation + "¿"` without the brackets; lower case as TensorFlow's, of ASCII alone."""
    text = "¿Dónde [start] está, ÉL? d'Or_x\n¡sí!"
    deleted = string.punctuation.replace("[", "").replace("]", "") + "¿"
    lower = "".join(mark.lower() if mark.isascii() else mark for mark in text)
    assert sentences.split(text, "book") == re.sub(f"[{re.escape(deleted)}]", "", lower).split()
    assert shown(text, "book") == "dónde [start] está Él dorx ¡sí".replace("Él", "ÉL".replace("L", "l"))


def test_an_unknown_way_is_named():
    with pytest.raises(UserError, match="tokens='bpe': choose one of words, book, characters"):
        sentences.split("a", "bpe")
