"""Bytes of text in any encoding -> UTF-8, or an error that shows how the likely encodings would read the culprit.

Text that must be UTF-8, and what a user writes line by line: `not_utf8` and `lines`.
"""

import codecs
import re
from typing import TextIO

from seqjax.errors import UserError

MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",  # before the two bytes of UTF-16 that it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
LINE_END = re.compile(rb"\r\n|\r|\n")
LIKELY = ("cp1252", "gb18030", "shift_jis", "euc_kr", "big5", "cp1251")
"""What text that is not UTF-8 is most often in. All of the file must be readable in one for it to be named."""
ODD = re.compile("[\x80-\x9f\ue000-\uf8ff]")
"""Control characters and private ones: what a wrong encoding makes of text."""
SHOWN = 12
"""Characters around the culprit."""


def utf8(data: bytes, name: str, encoding: str = "") -> bytes:
    """The text in UTF-8, without a byte order mark.

    Args:
      data: of the file; a byte order mark in it is believed.
      name: what messages call it.
      encoding: such as latin-1; by default UTF-8.

    Raises:
      UserError: it is in another encoding, or there is none of that name.
    """
    marked = next((encoding for mark, encoding in MARKS.items() if data.startswith(mark)), "")
    assumed = marked or encoding or "utf-8"
    try:
        if codecs.lookup(assumed).name in ("utf-8", "utf-8-sig"):
            if not data.isascii():
                data.decode()
            return data.removeprefix(codecs.BOM_UTF8)
        return data.decode(assumed).removeprefix("\ufeff").encode()
    except UnicodeDecodeError as error:
        row, byte = len(LINE_END.findall(data, 0, error.start)) + 1, data[error.start]
        said = "UTF-8" if assumed == "utf-8" else assumed
        advice = "" if encoding else advised(data, error.start)
        raise UserError(f"{name}: row {row} is not {said} text (byte 0x{byte:02x}){advice}") from error
    except UnicodeError as error:  # UTF-16 with half a character, or surrogates
        raise UserError(f"{name}: not {assumed} text ({str(error).splitlines()[0]})") from error
    except LookupError as error:
        raise UserError(f"encoding={assumed} is not known; choices: utf-8, utf-16, latin-1, cp1252, ...") from error


def not_utf8(name: str, error: UnicodeDecodeError) -> UserError:
    """What to raise of text called `name` that is to be UTF-8 and is not."""
    line = error.object.count(b"\n", 0, error.start) + 1
    return UserError(f"{name}, line {line}: byte 0x{error.object[error.start]:02x} is not UTF-8")


def lines(text: TextIO, name: str) -> list[str]:
    """The lines of a user's text (called `name` in messages), divided by newlines alone; the last may lack its own.

    A byte order mark is no part of them.

    Raises:
      UserError: it is not UTF-8.
    """
    try:
        found = text.read().removeprefix("\ufeff").split("\n")
    except UnicodeDecodeError as error:
        raise not_utf8(name, error) from error
    return found[:-1] if found[-1] == "" else found


def advised(data: bytes, place: int) -> str:
    """`: --set=encoding=latin-1 reads 'café', gb18030 reads 'caf茅' (...)`: how others read what is around a byte."""
    whole = [encoding for encoding in LIKELY if _reads(data, encoding)] or ["latin-1"]  # which reads anything
    start = max(place - SHOWN, *(data.rfind(end, 0, place) + 1 for end in (b"\n", b"\r")))
    around = LINE_END.split(data[start : place + 2 * SHOWN])[0]
    shown = [f"{encoding} reads {around.decode(encoding, 'ignore')!r}" for encoding in whole]
    return f": --set=encoding={', '.join(shown)}"


def _reads(data: bytes, encoding: str) -> bool:
    try:
        return not ODD.search(data.decode(encoding))
    except UnicodeError:
        return False
