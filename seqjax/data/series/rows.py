"""Rows as a file has them, and the table that is made of them: sorted or refused, doubled ones told, series apart.

Legend: N rows, F columns.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from seqjax.data.series.form import NAMELESS, Form
from seqjax.data.series.table import UTC, Table
from seqjax.errors import UserError

SHOWN = 8
"""Columns that are named in a note."""
MANY = 0.05
"""Of the rows: more that have the time of another one with other values are no accident, such as the end of summer time
is (where both are right: they are kept, and counted)."""


@dataclasses.dataclass(frozen=True)
class Rows:
    """What was read, in the file's order."""

    time: str
    """The column of the dates, for messages."""
    columns: list[str]
    times: np.ndarray
    """[N] datetime64[us]."""
    values: np.ndarray
    """[N, F] float64, NaN where missing."""
    line: Callable[[int], int]
    """The line of the file for a row from 0 on; may be slow."""
    series: np.ndarray | None = None
    """[N] int32, of `names`."""
    names: list[str] = dataclasses.field(default_factory=list)
    left_out: Sequence[tuple[str, str]] = ()
    """Columns that were not read, and what they hold."""
    texts: Callable[[], list[str]] = list
    """Columns of text, read or not: one may tell series apart."""
    zoned: bool = False
    cut: bool = False
    empty: int = 0
    """Rows without a date and without a value."""


class Place(NamedTuple):
    """A row that is out of place."""

    row: int
    """In the file, from 0 on."""
    before: int
    """The one that is before it in time's order, or has its time."""


def table(rows: Rows, form: Form, name: str) -> Table:
    """The table of rows.

    Raises:
      UserError: rows that are not sorted, or different ones of one time, unless `form` says what becomes of them.
    """
    notes = _notes(rows)
    order = _order(rows, form)
    if order is not None:
        times, values = rows.times[order], rows.values[order]
        series = None if rows.series is None else rows.series[order]
    else:
        order, times, values, series = None, rows.times, rows.values, rows.series
    same = True if series is None else series[1:] == series[:-1]
    back = np.flatnonzero(same & (times[1:] < times[:-1]))
    if len(back):
        if not form.sort:
            raise _unsorted(rows, _place(order, back[0] + 1, back[0]), name)
        again = np.lexsort((times,) if series is None else (times, series))
        order = again if order is None else order[again]
        times, values = times[again], values[again]
        notes.append("rows sorted by time")
    doubled = same & (times[1:] == times[:-1])
    if doubled.any():
        keep, values, more = _undoubled(rows, values, doubled, order, form, name)
        times, values = times[keep], values[keep]
        series = None if series is None else series[keep]
        notes += more
    return Table(tuple(rows.columns), times, values, series, tuple(rows.names), tuple(notes), rows.time)


def _place(order: np.ndarray | None, row: int, before: int) -> Place:
    return Place(row, before) if order is None else Place(int(order[row]), int(order[before]))


def _notes(rows: Rows) -> list[str]:
    notes = []
    left_out = [(column, why) for column, why in rows.left_out if not column.startswith(NAMELESS) or why != "empty"]
    if left_out:  # empty ones without a name are what delimiters at the ends of rows make
        shown = [f"{column} ({why})" for column, why in left_out[:SHOWN]]
        more = len(left_out) - len(shown)
        notes.append("columns left out: " + ", ".join(shown + [f"and {more} more"] * (more > 0)))
    if rows.empty:
        notes.append(f"{rows.empty} empty rows left out" if rows.empty > 1 else "1 empty row left out")
    if rows.zoned:
        notes.append(UTC)
    if rows.cut:
        notes.append("times cut to microseconds")
    return notes


def _order(rows: Rows, form: Form) -> np.ndarray | None:
    """The rows of each series in one piece, if they are not."""
    if rows.series is None or (np.diff(rows.series) >= 0).all():
        return None
    return np.argsort(rows.series, kind="stable")


def _date(time: np.datetime64) -> str:
    return str(time).replace("T", " ").removesuffix(".000000")


def _unsorted(rows: Rows, place: Place, name: str) -> UserError:
    other = "" if rows.series is not None else f"; of several series? {_series_knob(rows)}"
    return UserError(
        f"{name}: row {rows.line(place.row)}, column {rows.time!r}: {_date(rows.times[place.row])} comes after "
        f"{_date(rows.times[place.before])}: unsorted? --set=sort=true sorts the rows{other}"
    )


def _series_knob(rows: Rows) -> str:
    texts = rows.texts()
    return f"--set=series={texts[0]}" if texts else "--set=series=COLUMN tells them apart"


def _undoubled(
    rows: Rows, values: np.ndarray, doubled: np.ndarray, order: np.ndarray | None, form: Form, name: str
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """-> (which rows are kept [N], the values with those of kept ones [N, F], notes).

    Args:
      doubled: [N - 1] whether a row has the time of the one before.
    """
    starts = np.flatnonzero(np.concatenate([[True], ~doubled]))  # of runs of one time
    if not form.doubled:
        return _equal_left_out(rows, values, np.flatnonzero(doubled) + 1, order, name)
    keep, count = np.zeros(len(values), bool), int(doubled.sum())
    keep[np.append(starts[1:], len(values)) - 1 if form.doubled == "last" else starts] = True
    if form.doubled == "mean":
        known = np.add.reduceat((~np.isnan(values)).astype(float), starts, axis=0)
        total = np.add.reduceat(np.nan_to_num(values, nan=0.0), starts, axis=0)
        values = values.copy()
        values[starts] = np.divide(total, known, out=np.full_like(total, np.nan), where=known > 0)
    said = "merged into the mean" if form.doubled == "mean" else f"left out, the {form.doubled} of a time kept"
    return keep, values, [f"{_count(count)} {said}"]


def _equal_left_out(
    rows: Rows, values: np.ndarray, later: np.ndarray, order: np.ndarray | None, name: str
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """See `_undoubled`; `later` are the rows with the time of the one before."""
    first, second = values[later - 1], values[later]
    equal = ((first == second) | (np.isnan(first) & np.isnan(second))).all(axis=1)
    different, keep, notes = later[~equal], np.ones(len(values), bool), []
    if len(different) > MANY * len(values):
        raise _different(rows, _place(order, different[0], different[0] - 1), name)
    if equal.any():
        keep[later[equal]] = False
        notes.append(f"{_count(int(equal.sum()))} left out")
    if len(different):
        place = _place(order, different[0], different[0] - 1)
        which = f"row {rows.line(place.row)}" + (" first" if len(different) > 1 else "")
        notes.append(f"{_count(len(different))} with other values kept ({which}; --set=doubled=first, last or mean)")
    return keep, values, notes


def _count(doubled: int) -> str:
    return f"{doubled} doubled row{'s' * (doubled > 1)}"


def _different(rows: Rows, place: Place, name: str) -> UserError:
    row, before = rows.line(place.row), rows.line(place.before)
    other = "" if rows.series is not None else f" Several series? {_series_knob(rows)}."
    return UserError(
        f"{name}: row {row}, column {rows.time!r}: {_date(rows.times[place.row])} is in row {before}, too, with "
        f"other values, and there are many such rows.{other} Which one to keep: --set=doubled=first, last or mean"
    )
