"""A user's own CSV as a table in time: any columns, any of the usual dates, with an exact error for what is malformed.

Legend: N rows in time, F columns. Rows are counted as lines of the file, from 1: the header is row 1.
"""

import csv
import dataclasses
import gzip
import io
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from seqjax.data.series.table import Table
from seqjax.errors import UserError

EMPTY = ("", "na", "n/a", "nan", "null", "none", "?")
"""What files write, in any case of letters, where there is no value."""
USUAL = ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d")
"""Besides ISO 8601. Not 01/02/2014, which is two dates."""
UNIX = "unix"
"""The `format` of seconds since 1970."""


@dataclasses.dataclass(frozen=True)
class Form:
    """How to read a file."""

    time: str = ""
    """The column of the dates; by default the first."""
    format: str | None = None
    """Of the dates, as in `strptime`, or `unix`; by default ISO 8601 or one of `USUAL`."""
    missing: float | None = None
    """A number that stands for a missing value, besides `EMPTY`."""
    encoding: str = ""
    """Of the text, such as latin-1; by default UTF-8, or what a byte order mark says."""
    decimal: str = "."
    """Point or comma."""
    thousands: str = ""
    """What lies between groups of three digits: `,`, `.`, an apostrophe, a space; by default nothing."""
    comment: str = ""
    """What begins a line that is skipped, such as `#`."""
    delimiter: str = ""
    """Between cells; by default a comma, semicolon, tab or bar, whichever the header has most of. `space`: any blanks."""
    sort: bool = False
    """Sort the rows by time (within a series); otherwise unsorted ones are refused."""
    series: str = ""
    """The column that tells several series apart."""
    doubled: str = ""
    """Which of several rows with one time is kept: `first`, `last` or their `mean`; by default different ones are
    refused, and equal ones left out."""


OLD = ("time", "format", "missing")
"""The fields that have always been written."""


def as_options(form: Form) -> dict[str, Any]:
    """The fields of `form` as JSON takes them, later ones only where they are set: what was written before them stays.

    `Form(**as_options(form)) == form`.
    """
    default = Form()
    options = dataclasses.asdict(form)
    return {key: value for key, value in options.items() if key in OLD or value != getattr(default, key)}


def read(path: Path, form: Form, columns: Sequence[str] = ()) -> Table:
    """As `parse`, from a file.

    Raises:
      UserError: as `parse`, or unreadable.
    """
    try:
        return parse(path.read_bytes(), str(path), form, columns)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error


def parse(data: bytes, name: str, form: Form, columns: Sequence[str] = ()) -> Table:
    """Read a table: text with a header, packed (gzip, zip) or not, or Parquet, whichever the content is.

    Args:
      data: of the file.
      name: what messages call it.
      form: of its dates and cells.
      columns: which to keep, in this order; by default all whose first cells are numbers.

    Returns:
      the table, NaN where a value is missing.

    Raises:
      UserError: with the row and column of the first malformed cell.
    """
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    text = data.decode()
    header, rows = _cells(text.removeprefix("\ufeff"), name)
    time = form.time or header[0]
    wanted = list(columns) or [column for column in header if column != time and _numeric(rows, header.index(column))]
    for column in (time, *wanted):
        if column not in header:
            raise UserError(f"{name}: row 1: there is no column {column!r}; columns: {', '.join(header)}")
    if not wanted:
        raise UserError(f"{name}: no column besides {time!r} holds numbers; columns: {', '.join(header)}")
    moment, place = _moments(form.format), header.index(time)
    times = [_cell(moment, cells[place], number, time, name) for number, cells in rows]
    places = [(header.index(column), column) for column in wanted]
    values = np.array([[_cell(_number, cells[k], number, c, name) for k, c in places] for number, cells in rows])
    if form.missing is not None:
        values[values == form.missing] = math.nan
    return Table(tuple(wanted), np.array(times, "datetime64[us]"), values)


def _cells(text: str, name: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """-> (header, [(row number, cells)])."""
    first = text.partition("\n")[0]
    if not first.strip():
        raise UserError(f"{name}: the file is empty" if not text.strip() else f"{name}: row 1: no header")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    header = [column.strip() for column in next(reader)]
    if len(set(header)) < len(header):
        twice = next(column for k, column in enumerate(header) if column in header[:k])
        raise UserError(f"{name}: row 1: column {twice!r} is there twice")
    rows = [(reader.line_num, cells) for cells in reader if cells]
    for number, cells in rows:
        if len(cells) != len(header):
            raise UserError(f"{name}: row {number} has {len(cells)} cells instead of {len(header)}: {str(cells)[:60]}")
    if not rows:
        raise UserError(f"{name}: too few rows: the file ends after its header, row 1")
    return header, rows


def _cell(read_cell: Callable, text: str, number: int, column: str, name: str):
    try:
        return read_cell(text.strip())
    except (ValueError, OverflowError, OSError) as error:
        said = str(error) if isinstance(error, UserError) else "is not a finite number"
        raise UserError(f"{name}: row {number}, column {column!r}: {text.strip()!r} {said}") from None


def _number(text: str) -> float:
    """NaN for a missing value."""
    if text.lower() in EMPTY:
        return math.nan
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _numeric(rows: Sequence[tuple[int, list[str]]], place: int) -> bool:
    """Whether the first cell that is not missing is a number."""
    first = next((cells[place].strip() for _, cells in rows if cells[place].strip().lower() not in EMPTY), "")
    try:
        return math.isfinite(float(first))
    except ValueError:
        return False


def _moments(form: str | None) -> Callable[[str], datetime]:
    """A reader of dates; times of a zone become UTC's, without a zone."""

    def read_moment(text: str) -> datetime:
        try:
            if form == UNIX:
                moment = datetime.fromtimestamp(float(text), UTC)
            else:
                moment = datetime.strptime(text, form) if form else _usual(text)
        except (ValueError, OverflowError, OSError):
            asked = f"not a date of the form {form}" if form else "not a date that is known: set format"
            raise UserError(f"is {asked} (such as --set='format=%m/%d/%Y %H:%M', or unix)") from None
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment

    return read_moment


def _usual(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        for form in USUAL:
            try:
                return datetime.strptime(text, form)
            except ValueError:
                continue
    raise ValueError(text)


def split_names(text: str) -> list[str]:
    """Column names with commas between; quotes as in CSV."""
    return [name.strip() for name in next(csv.reader([text], skipinitialspace=True), []) if name.strip()]
