"""Sentences as tokens and back: what a translator reads and writes. Standard library only.

Three ways:

* `words`: words and marks apart, in lower case: `A man's hat, blue.` -> `a man ￭'￭ s hat ￭, blue ￭.`
  A joiner says on which side of a mark no space stood, so that `join` undoes `split` but for case and the width of
  spaces, and a score is one of the text, not of its tokens.
* `book`: as chapter 11 of *Deep Learning with Python* (2nd edition): ASCII's capitals made small, its marks and ¿
  deleted but for [ and ], tokens between spaces. The marks are lost.
* `characters`: each code point is a token.
"""

import re
import string
import unicodedata
from collections.abc import Iterable
from typing import Literal

from seqjax.errors import UserError

Way = Literal["words", "book", "characters"]
WAYS = ("words", "book", "characters")
JOINER = "\uffed"
PIECES = re.compile(r"\w+|[^\w\s]")
DELETED = "".join(sorted(set(string.punctuation) - set("[]"))) + "¿"
BOOK = str.maketrans(string.ascii_uppercase, string.ascii_lowercase, DELETED)


def standard(text: str, way: str = "words") -> str:
    """All of a sentence that `join` can give back: what a translation is scored against.

    Raises:
      UserError: an unknown way.
    """
    if way not in WAYS:
        raise UserError(f"tokens={way!r}: choose one of {', '.join(WAYS)}")
    if way == "book":
        return " ".join(text.translate(BOOK).split())
    text = unicodedata.normalize("NFC", text)
    if way == "characters":
        return text
    lower = unicodedata.normalize("NFC", text.lower())
    return " ".join(lower.replace(JOINER, " ").split())


def split(text: str, way: str = "words") -> list[str]:
    """The tokens of a sentence. Raises UserError: an unknown way."""
    text = standard(text, way)
    if way == "words":
        return [_piece(text, *found.span()) for found in PIECES.finditer(text)]
    return text.split() if way == "book" else list(text)


def join(tokens: Iterable[str], way: str = "words") -> str:
    """The sentence of some tokens."""
    text = ("" if way == "characters" else " ").join(tokens)
    return re.sub(f" ?{JOINER} ?", "", text) if way == "words" else text


def _piece(text: str, start: int, end: int) -> str:
    """A word, or a mark with its joiners."""
    if _in_word(text[start]):
        return text[start:end]
    before = start > 0 and text[start - 1] != " "
    after = end < len(text) and _in_word(text[end])
    return JOINER * before + text[start:end] + JOINER * after


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"
