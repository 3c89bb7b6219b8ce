"""Words that are said of whole series, a region or a brand: a mark for each word that training has seen.

A series with a word that is new, or with none, is taken for an average one.

Legend: N rows, S series, W words of all columns.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.data.series.cells import Numbers, is_missing, series_name
from seqjax.data.series.form import Form, split_names
from seqjax.data.text import text_table
from seqjax.errors import UserError

MOST = 1000
"""Words in a column: with more it tells every series apart, which a vector of its own does better."""
Words = Mapping[str, Mapping[str, str]]
"""By column: by series its word, where it has one."""
Classes = tuple[tuple[str, tuple[str, ...]], ...]
"""Columns, and the words that training has seen in each."""


def read(data: bytes, name: str, form: Form, columns: Sequence[str], every: bool = False) -> Words:
    """What a table says of its series, in those of the columns that hold words rather than numbers.

    Args:
      data: of the file.
      name: what messages call it.
      form: how it is written.
      columns: their names.
      every: a column of numbers is one of words, too: training has taken it so.

    Raises:
      UserError: malformed, no such column, or a series with two words in one.
    """
    if not columns:
        return {}
    key, cells = _cells(data, name, form, columns)
    numbers = Numbers(form.decimal, form.thousands)
    found = {}
    for column, own in zip(columns, cells, strict=True):
        if every or not all(is_missing(cell) or numbers.is_number(cell) for cell in own):
            found[column] = _of_series(key, own, f"{name}: static={column}")
    return found


def _cells(data: bytes, name: str, form: Form, columns: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """-> (the series of each row, the cells of each column)."""
    keys = split_names(form.series, "+,") if form.series else []
    of = lambda keys: (
        text_table.read(data, name, [*keys, *columns], form.encoding, form.delimiter, comment=form.comment).columns
    )
    try:
        found = of(keys)
    except UserError:
        if len(keys) < 2:
            raise
        keys, found = [form.series], of([form.series])  # one name with a plus in it
    parts = zip(*found[: len(keys)], strict=True) if keys else [("",)] * len(found[0])
    return [series_name(own) for own in parts], found[len(keys) :]


def _of_series(key: Sequence[str], cells: Sequence[str], where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for series, cell in zip(key, cells, strict=True):
        if cell and found.setdefault(series, cell) != cell:
            which = f"the series {series!r}" if series else "the table"
            raise UserError(f"{where}: {which} has {found[series]!r} and {cell!r}: it is not static")
    return found


def classes_of(words: Words, name: str) -> Classes:
    """All words. Raises UserError: too many."""
    found = tuple((column, tuple(sorted(set(own.values())))) for column, own in words.items())
    for column, own in found:
        if len(own) > MOST:
            raise UserError(
                f"{name}: static={column}: {len(own):,} words: at most {MOST:,}; --set=embedding_size=8 gives each "
                "series a vector of its own"
            )
    return found


def marks(words: Words, classes: Classes, names: Sequence[str]) -> np.ndarray:
    """[S, W] 1 for the word of a series, 0 for others; NaN in all of a column where training has not seen its word."""
    found: list[Any] = [np.zeros((len(names), 0))]
    for column, known in classes:
        own = [words[column].get(series, "") for series in names]
        places = {word: k for k, word in enumerate(known)}
        found.append(np.full((len(names), len(known)), np.nan))
        for k, word in enumerate(own):
            if word in places:
                found[-1][k] = np.arange(len(known)) == places[word]
    return np.concatenate(found, axis=1)


def new(words: Words, classes: Classes) -> list[str]:
    """`region=east` of all words that training has not seen."""
    return [f"{column}={word}" for column, known in classes for word in sorted(set(words[column].values()) - {*known})]
