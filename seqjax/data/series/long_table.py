"""Series in a long table: a row is one step of one series, with the series' id, its label, and a value a dimension.

    patient,time,pulse,pressure,label
    7,0,61,120,healthy
    7,1,62,,healthy
    8,0,80,140,ill

Rows are put in the order of the column of time, if there is one (numbers or dates), else taken as they come; those of
one series need not lie together.

Legend: N series, R rows of the table, D dimensions.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from seqjax.data.decoding import utf8
from seqjax.data.series import dates, parquet_table
from seqjax.data.series.cells import Numbers, is_missing
from seqjax.data.series.csv_text import text_of
from seqjax.data.series.form import Form, split_names
from seqjax.data.series.ragged import Ragged, numbers
from seqjax.data.text import text_table
from seqjax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Columns:
    """Which columns are what."""

    series: str
    """The id; several with commas between are joined."""
    label: str = ""
    time: str = ""
    values: str = ""
    """Names with commas between; by default all the others."""


def parse(data: bytes, name: str, columns: Columns, encoding: str = "", *, labelled: bool = True) -> Ragged:
    """Read a table.

    Args:
      data: of the file, unpacked.
      name: what messages call it.
      columns: of the table.
      encoding: as in `text_table.read`.
      labelled: False: the column of the labels may be missing, and then there are none.

    Raises:
      UserError: malformed, a column that is not there, or a series with two labels.
    """
    header = _header(data, name, encoding, columns)
    labelled = bool(columns.label) and (labelled or columns.label in header)
    wanted = [column for column in (columns.series, columns.time, columns.label if labelled else "") if column]
    taken = {part for column in wanted for part in (column, *split_names(column))}
    dimensions = split_names(columns.values) or [column for column in header if column not in taken]
    if not dimensions:
        raise UserError(f"{name}: no column is left for the values; columns: {', '.join(header)}")
    cells = text_table.read(data, name, [*wanted, *dimensions], encoding)
    found = dict(zip([*wanted, *dimensions], cells.columns, strict=True))
    ids = found[columns.series]
    if "" in ids:
        raise UserError(f"{name}: row {cells.lines[ids.index('')]}, column {columns.series!r}: no series is named")
    names = list(dict.fromkeys(ids))
    numbered = {own: number for number, own in enumerate(names)}
    members: list[list[int]] = [[] for _ in names]
    for row, own in enumerate(ids):
        members[numbered[own]].append(row)
    notes = ()
    if columns.time:
        times = _times(found[columns.time], cells.lines, name, columns.time)
        members = [sorted(rows, key=lambda row: times[row]) for rows in members]
        twice = sum(len(rows) - len({times[row] for row in rows}) for rows in members)
        notes = (f"{twice:,} rows repeat a time of their series",) if twice else ()
    read = np.stack([_column(found[column], cells.lines, name, column) for column in dimensions], axis=1)  # [R, D]
    labels = None
    if labelled:
        labels = [_label(found[columns.label], rows, own, name) for own, rows in zip(names, members, strict=True)]
    first = [cells.lines[min(rows)] for rows in members]
    made = Ragged([read[rows] for rows in members], labels, tuple(dimensions), first, names, notes=notes)
    return made.trimmed()


def _header(data: bytes, name: str, encoding: str, columns: Columns) -> list[str]:
    """The names of all columns; of Parquet and JSON those that are named."""
    if parquet_table.is_parquet(data) or text_table.is_json(text := utf8(data, name, encoding)):
        if not columns.values:
            raise UserError(f"{name}: which columns hold the values? --set=values=COLUMN,COLUMN")
        return [columns.label]
    return text_of(text, name, Form(), dated=False).header


def _column(cells: Sequence[str], lines: Sequence[int], name: str, column: str) -> np.ndarray:
    try:
        return numbers(cells, "")
    except UserError:
        for line, cell in zip(lines, cells, strict=True):
            try:
                numbers([cell], "")
            except UserError:
                said = f"{cell[:40]!r} is not a finite number (--set=values=COLUMN,COLUMN: which are values)"
                raise UserError(f"{name}: row {line}, column {column!r}: {said}") from None
        raise


def _times(cells: Sequence[str], lines: Sequence[int], place: str, column: str) -> list[float]:
    """Numbers as they are, dates in seconds."""
    for line, cell in zip(lines, cells, strict=True):
        if is_missing(cell):
            raise UserError(f"{place}: row {line}, column {column!r}: the time is missing")
    if Numbers().is_number(cells[0]):
        return _column(cells, lines, place, column).tolist()
    found = []
    for line, cell in zip(lines, cells, strict=True):
        try:
            moment = dates.read(cell, None)
        except UserError as error:
            raise UserError(f"{place}: row {line}, column {column!r}: {cell[:40]!r} {error}") from None
        found.append((moment.time - np.datetime64(0, "s").astype(object)).total_seconds())
    return found


def _label(labels: Sequence[str], rows: Sequence[int], series: str, name: str) -> str:
    found = dict.fromkeys(labels[row] for row in rows if labels[row])
    if len(found) != 1:
        said = f"has the labels {', '.join(found)[:80]}" if found else "has no label"
        raise UserError(f"{name}: series {series!r} {said}: one is expected")
    return next(iter(found))
