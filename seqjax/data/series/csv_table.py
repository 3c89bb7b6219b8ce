"""A user's own table in time: CSV of any usual form, packed or not, or Parquet; an exact error for what is malformed.

pyarrow reads (`csv_columns`); where it refuses, or finds something odd, the file is looked at a second time cell by
cell (`csv_cells`), which finds the culprit. Rows are counted as lines of the file, from 1: the header is row 1.

Legend: N rows in time, F columns.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from seqjax.data import packed
from seqjax.data.series import csv_cells, csv_columns, parquet_table
from seqjax.data.series.csv_text import Text, text_of
from seqjax.data.series.form import NAMELESS, Form, as_options, resolve, split_names
from seqjax.data.series.rows import Rows, table
from seqjax.data.series.table import Table
from seqjax.errors import UserError

__all__ = ["Form", "as_options", "bytes_of", "content", "parse", "read", "split_names"]


def read(path: Path, form: Form, columns: Sequence[str] = ()) -> Table:
    """As `parse`, from a file.

    Raises:
      UserError: as `parse`, or unreadable.
    """
    return parse(bytes_of(path), str(path), form, columns)


def bytes_of(path: Path) -> bytes:
    """Of a file. Raises UserError: unreadable."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error


def parse(data: bytes, name: str, form: Form, columns: Sequence[str] = (), time: str = "") -> Table:
    """Read a table: text with a header, packed or not, or Parquet, whichever the content is.

    Args:
      data: of the file.
      name: what messages call it.
      form: how it is written.
      columns: which to keep, in this order, each a name or several with commas between (a name that has a comma itself
        is found as it is, and in a list stands in quotes); by default all whose first cells are numbers.
      time: the column of the dates in a table like this one, which is taken if there is one of exactly that name and
        `form` names none.

    Returns:
      the table, NaN where a value is missing.

    Raises:
      UserError: with the row and column of the first malformed cell.
    """
    data = packed.unpacked(data, name)
    if parquet_table.is_parquet(data):
        rows = parquet_table.read(data, name, form, columns, time)
    elif data.lstrip()[:200].replace(b" ", b"").startswith((b'{"', b'[{"')):
        raise UserError(f"{name}: this is JSON, not a table of text: save it as CSV or Parquet")
    else:
        rows = _csv(text_of(data, name, form, time), columns)
    if form.missing is not None:
        rows.values[rows.values == form.missing] = np.nan
    if not columns:
        rows = _without_row_numbers(rows)
    return table(rows, form, name)


def content(stream: TextIO) -> bytes:
    """The bytes behind a stream of text, for `parse`; of one that has none, its text as UTF-8."""
    buffer = getattr(stream, "buffer", None)
    return stream.read().encode() if buffer is None else buffer.read()


def _csv(text: Text, columns: Sequence[str]) -> Rows:
    times, series = text.times, text.series
    asked = [place for column in columns for place in resolve(column, text.header, text.name)]
    asked = list(dict.fromkeys(asked))
    rows = csv_columns.read(text, times, series, asked) or csv_cells.read(text, times, series, asked)
    return dataclasses.replace(rows, texts=lambda: csv_columns.texts(text, {*times, *series}))


def _without_row_numbers(rows: Rows) -> Rows:
    """Without the first column if it has no name and counts the rows, as pandas writes its index."""
    if len(rows.columns) < 2 or rows.columns[0] != NAMELESS:
        return rows
    numbers = rows.values[:, 0] - rows.values[0, 0]
    if rows.values[0, 0] not in (0, 1) or not np.array_equal(numbers, np.arange(len(numbers))):
        return rows
    left_out = [(rows.columns[0], "the number of the row"), *rows.left_out]
    return dataclasses.replace(rows, columns=rows.columns[1:], values=rows.values[:, 1:], left_out=left_out)
