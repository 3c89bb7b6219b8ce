"""Texts to be classified by a run: lines, or a table as its own was; and the line that is printed of each.

Legend: N texts, K classes.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from seqjax.data import packed
from seqjax.data.dataset import Requests
from seqjax.data.decoding import utf8
from seqjax.data.series.csv_table import content
from seqjax.data.series.sources import read_facts
from seqjax.data.text import text_table, vectorizer
from seqjax.data.text.vectorizer import Vectorizer

ASSET = "classes.json"
"""The names of the classes, and how a table is read."""


def requests(assets: Path, text: TextIO, name: str) -> Requests:
    r"""See `Source.requests`: one text a line, or a table (`text_table`) with the column that the run has learned from.

    An empty line or cell is an empty text. A line of output is the likeliest class and the probability of each class,
    with tabs between; the header names them.

    Raises:
      UserError: as `text_table.read`.
    """
    facts = read_facts(assets / ASSET, ("classes", "column", "encoding", "delimiter", "quotes"))
    fitted, names = Vectorizer.load(assets), facts["classes"]
    data = content(text)
    encoding = "" if _is_utf8(data) else facts["encoding"]
    if text_table.is_table(data, name, facts["column"], encoding):
        written = (encoding, facts["delimiter"], facts["quotes"] == "double")
        (texts,) = text_table.read(data, name, [facts["column"]], *written).columns
    else:
        *texts, last = map(str.strip, utf8(packed.unpacked(data, name), name, encoding).decode().split("\n"))
        texts += [last] * bool(last)
    return Requests(
        arrays=fitted.encode(texts),
        gather=vectorizer.inputs,
        ids=np.arange(len(texts), dtype=np.int32),
        line=line_of(names),
        header="\t".join(["class", *names]),
    )


def probabilities(output: Any) -> np.ndarray:
    """Of the classes, [K], by a model's output: K logits, or one for the second of two."""
    logits = np.atleast_1d(np.asarray(output, np.float64))
    if len(logits) == 1:
        second = (1 + math.tanh(logits[0] / 2)) / 2  # the sigmoid, without overflow
        return np.array([1 - second, second])
    shares = np.exp(logits - logits.max())
    return shares / shares.sum()


def line_of(names: Sequence[str]) -> Callable[[int, Any], str]:
    """What prints the output for a text."""

    def line(position: int, output: Any) -> str:
        found = probabilities(output)
        return "\t".join([names[int(found.argmax())], *(f"{share:.4f}" for share in found)])

    return line


def _is_utf8(data: bytes) -> bool:
    """Whether it is beyond doubt: in another encoding, text that is not ASCII hardly ever is."""
    try:
        return not data.isascii() and bool(data.decode()) and b"\0" not in data
    except UnicodeDecodeError:
        return False
