"""The slow road through a CSV, cell by cell: it names the first malformed cell, and reads what is odd but right.

Legend: N rows, F columns.
"""

from collections.abc import Sequence
from typing import NoReturn

import numpy as np

from seqjax.data.series import dates
from seqjax.data.series.cells import Numbers, is_missing, series_name
from seqjax.data.series.csv_columns import NUMBER, kind
from seqjax.data.series.csv_text import Text
from seqjax.data.series.rows import Rows
from seqjax.errors import UserError


def read(text: Text, times: Sequence[int], series: Sequence[int], asked: Sequence[int]) -> Rows:
    """See `csv_columns.read`.

    Raises:
      UserError: with the row and column of the first malformed cell.
    """
    rows = list(text.rows())
    numbers = Numbers(text.form.decimal, text.form.thousands)
    kinds = dict.fromkeys(asked, NUMBER) or _kinds(text, rows, {*times, *series}, numbers)
    kept = [k for k, found in kinds.items() if found == NUMBER]
    time = "+".join(text.header[k] for k in times)
    if not kept:
        shown = "" if len(text.header) > 1 else " (no delimiter in row 1: --set=delimiter=space, or another)"
        raise UserError(f"{text.name}: no column besides {time!r} holds numbers; columns: {_listed(text)}{shown}")
    filled = [row for row in rows if not all(is_missing(row[1][k]) for k in (*times, *kept))]
    if not filled:
        raise UserError(f"{text.name}: too few rows: all {len(rows)} are empty")
    reader = _Reader(text, numbers)
    moments = [reader.moment(number, cells, times, time) for number, cells in filled]
    values = np.array([[reader.number(number, cells, k) for k in kept] for number, cells in filled])
    named = [reader.series(number, cells, series) for number, cells in filled] if series else []
    names = list(dict.fromkeys(named))
    places = {name: place for place, name in enumerate(names)}
    return Rows(
        time=time,
        columns=[text.header[k] for k in kept],
        times=np.array([moment.time for moment in moments], "datetime64[us]"),
        values=values,
        line=lambda row: filled[row][0],
        series=np.array([places[name] for name in named], np.int32) if series else None,
        names=names,
        left_out=[(text.header[k], found) for k, found in kinds.items() if found != NUMBER],
        zoned=moments[0].zoned,
        cut=any(moment.cut for moment in moments),
        empty=len(rows) - len(filled),
    )


def _listed(text: Text) -> str:
    return ", ".join(text.header)


def _kinds(text: Text, rows: list[tuple[int, list[str]]], taken: set[int], numbers: Numbers) -> dict[int, str]:
    """By the first cell of each column that is not missing.

    Raises:
      UserError: a number but for its comma.
    """
    found = {}
    for k, column in enumerate(text.header):
        if k in taken:
            continue
        number, cell = next(((n, cells[k]) for n, cells in rows if not is_missing(cells[k])), (0, None))
        known = kind(cell, numbers)
        if known is None:
            shown = (cell or "").strip()
            said = f"{shown[:60]!r} is not a number; {numbers.advice(shown)} reads it"
            raise UserError(f"{text.name}: row {number}, column {column!r}: {said}")
        found[k] = known
    return found


class _Reader:
    """Reads cells, or says where one is malformed."""

    def __init__(self, text: Text, numbers: Numbers):
        self.text, self.numbers = text, numbers
        self.zoned: bool | None = None

    def moment(self, number: int, cells: list[str], places: Sequence[int], column: str) -> dates.Moment:
        cell = " ".join(cells[k].strip() for k in places)
        try:
            found = dates.read(cell, self.text.form.format)
        except UserError as error:
            hint = "" if self.text.form.time else "; are the dates in another column? --set=time=COLUMN"
            self.fail(number, column, cell, f"{error}{hint}")
        if self.zoned not in (None, found.zoned):
            self.fail(number, column, cell, f"has {'a' if found.zoned else 'no'} zone, unlike the rows before")
        self.zoned = found.zoned
        return found

    def number(self, number: int, cells: list[str], place: int) -> float:
        try:
            return self.numbers.read(cells[place])
        except ValueError:
            advice = self.numbers.advice(cells[place])
            said = "is not a finite number" + (f"; {advice} reads it" if advice else "")
            self.fail(number, self.text.header[place], cells[place], said)

    def series(self, number: int, cells: list[str], places: Sequence[int]) -> str:
        name = series_name([cells[k] for k in places])
        if not name:
            self.fail(number, "+".join(self.text.header[k] for k in places), name, "names no series")
        return name

    def fail(self, number: int, column: str, cell: str, said: str) -> NoReturn:
        raise UserError(f"{self.text.name}: row {number}, column {column!r}: {cell.strip()[:60]!r} {said}")
