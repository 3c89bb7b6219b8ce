"""What may be given as texts: strings, one a text, in whatever holds them in an order. Needs NumPy only.

A list, a tuple, a generator, an array of strings or objects, a column of a table. Containers that go through something
else when they are iterated (a table its column names, a dictionary its keys, a string its characters) are refused, and
so is the first thing in any of them that is no string, by its position.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from seqjax.errors import UserError

WANTED = "give a list of texts, a string each"


def chunks(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    """The texts, `size` at a time.

    Raises:
      UserError: they are something else; of an element the message names the position, counted from 0.
    """
    check(texts)
    iterator, position = iter(texts), 0
    while chunk := list(itertools.islice(iterator, size)):
        if not all(isinstance(text, str) for text in chunk):
            place = next(place for place, text in enumerate(chunk) if not isinstance(text, str))
            raise UserError(f"texts[{position + place}] is {_said(chunk[place])}: {WANTED}{_advice(chunk[place])}")
        yield chunk
        position += len(chunk)


def check(texts: Any) -> None:
    """Raise UserError for what is no list of texts as a whole; its elements are not looked at."""
    if isinstance(texts, str):
        raise UserError(f"{texts[:40]!r} is a single text: give a list of texts")
    shape = getattr(texts, "shape", None)
    if isinstance(texts, bytes | bytearray | memoryview):
        raise UserError(f"texts are {type(texts).__name__}: {WANTED}, decoded")
    if isinstance(texts, Mapping):
        raise UserError(
            f"texts are a {type(texts).__name__}, which goes through its keys: {WANTED}, such as its values"
        )
    if shape is not None and hasattr(texts, "columns"):
        raise UserError(f"texts are a table ({type(texts).__name__}) of columns {_names(texts)}: {WANTED}: one column")
    if shape is not None and len(shape) != 1:
        raise UserError(f"texts are an array of shape {tuple(shape)}, not (N,): {WANTED}, such as array.ravel()")
    if not isinstance(texts, Iterable):
        raise UserError(f"texts are {_said(texts)}: {WANTED}")


def _names(table: Any) -> str:
    names = list(map(str, getattr(table, "column_names", table.columns)))  # pyarrow's columns are the arrays
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")


def _said(value: Any) -> str:
    """`nan (float)`, `b'a film' (bytes)`; None is itself."""
    if value is None:
        return "None"
    said = " ".join(repr(value).split())
    return f"{said[:40]}{'...' if len(said) > 40 else ''} ({type(value).__name__})"


def _advice(value: Any) -> str:
    if isinstance(value, bytes):
        return ", decoded: text.decode('utf-8')"
    if value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value):
        return "; drop what is missing, or fill it with ''"
    if hasattr(value, "numpy"):
        return "; of a tensor [text.decode() for text in tensor.numpy()]"
    if hasattr(value, "as_py"):
        return "; of an Arrow array its to_pylist()"
    if isinstance(value, list | tuple) or getattr(value, "shape", ()):
        return "; of tokens ' '.join(tokens)"
    return ""
