"""A table from Parquet, whose columns have types. Rows are counted from 1: there is no header.

Legend: N rows, F columns.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from seqjax.data.series import arrays, date_columns, dates
from seqjax.data.series.cells import Numbers, is_missing
from seqjax.data.series.csv_columns import NOTHING, NUMBER, TEXT, joined, kind, number_names, parsed
from seqjax.data.series.form import Form, resolve
from seqjax.data.series.rows import Rows
from seqjax.errors import UserError

MARKS = (b"PAR1", b"PARE")
"""The second one begins an encrypted file."""
LEVEL = re.compile(r"__index_level_\d+__")
"""What pandas calls an index that has no name."""


def is_parquet(data: bytes) -> bool:
    """Whether a file's content is."""
    return data.startswith(MARKS)


def read(data: bytes, name: str, form: Form, columns: Sequence[str], time: str = "") -> Rows:
    """The columns asked for, or all that hold numbers.

    Args:
      data: of the file.
      name: what messages call it.
      form: text in columns is read as a CSV's.
      columns: names, as for `csv_table.parse`.
      time: as there.

    Raises:
      UserError: damaged, no such column, or a value that is none.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        file = parquet.ParquetFile(pa.BufferReader(data))
        times, series, asked = _places(file.schema_arrow, name, form, columns, time)
        wanted = list(dict.fromkeys([*times, *series, *asked])) if asked else None
        table = file.read(columns=wanted, use_threads=False)
        table.validate(full=True)
    except UserError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        said = (str(error).splitlines() or ["?"])[0][:200]
        raise UserError(f"{name}: the Parquet file is damaged, truncated or encrypted ({said})") from error
    if not table.num_rows:
        raise UserError(f"{name}: too few rows: the table has none")
    table = pa.table({column: plain(table.column(column)) for column in table.column_names})
    return _Reader(table, name, form, _indexes(file.schema_arrow)).rows(times, series, asked)


def _places(
    schema: Any, name: str, form: Form, columns: Sequence[str], time: str
) -> tuple[list[str], list[str], list[str]]:
    """-> the columns of the dates, of the names of series, and those asked for."""
    import pyarrow as pa

    header = list(schema.names)
    twice = next((column for k, column in enumerate(header) if column in header[:k]), None)
    if twice is not None or not header:
        raise UserError(f"{name}: " + (f"column {twice!r} is there twice" if twice else "the table has no columns"))
    found = lambda asked, marks: [header[place] for place in resolve(asked, header, name, marks, "")]
    dated = [field.name for field in schema if pa.types.is_timestamp(field.type) or pa.types.is_date(field.type)]
    series = found(form.series, "+,") if form.series else []
    numbered = [field.name for field in schema if LEVEL.fullmatch(field.name) and pa.types.is_integer(field.type)]
    others = [column for column in header if column not in (*series, *numbered)] or header
    known = [time] if time in header else (dated or others)[:1]
    times = found(form.time, "+,") if form.time else known
    return times, series, list(dict.fromkeys(column for asked in columns for column in found(asked, ",")))


def _indexes(schema: Any) -> list[str]:
    """The columns that pandas has made of an index."""
    try:
        said = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
        named = [column for column in said["index_columns"] if isinstance(column, str)]
    except (ValueError, LookupError, TypeError):
        named = []
    return [column for column in schema.names if column in named or LEVEL.fullmatch(column)]


def plain(column: Any) -> Any:
    """A column in one piece, without a dictionary, text of the plain kind, dates as times."""
    import pyarrow as pa

    types = pa.types
    column = column.combine_chunks()
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_large_string(column.type) or types.is_string_view(column.type):
        return column.cast(pa.string())
    return column.cast(pa.timestamp("us")) if types.is_date(column.type) else column


class _Reader:
    """Reads columns, or says where one is malformed."""

    def __init__(self, table: Any, name: str, form: Form, indexes: Sequence[str] = ()):
        self.table, self.name, self.form, self.indexes = table, name, form, indexes
        self.numbers = Numbers(form.decimal, form.thousands)

    def rows(self, times: list[str], series: list[str], asked: list[str]) -> Rows:
        """The columns called so."""
        others = [column for column in self.table.column_names if column not in (*times, *series)]
        kinds = {column: self.kind(column) for column in asked} or {
            column: self.index(column) or self.kind(column) for column in others
        }
        kept, wrong = asked, next((column for column in asked if kinds[column] not in (NUMBER, NOTHING)), None)
        if wrong is not None:
            raise UserError(f"{self.name}: column {wrong!r} holds no numbers but {kinds[wrong]}")
        if not asked:
            kept = [column for column, found in kinds.items() if found == NUMBER]
        if not kept:
            listed = ", ".join(self.table.column_names)
            raise UserError(f"{self.name}: no column besides {'+'.join(times)!r} holds numbers; columns: {listed}")
        values = np.stack([self.number(column) for column in kept], axis=1)
        dated = self.dated(times)
        here = ~(np.isnan(values).all(axis=1) & arrays.nulls(dated))
        lines = np.flatnonzero(here) + 1
        if not len(lines):
            raise UserError(f"{self.name}: too few rows: all {len(here)} are empty")
        moments = self.moments(dated.filter(here), lines, "+".join(times))
        codes, names = self.series(series, here, lines)
        return Rows(
            time="+".join(times),
            columns=list(kept),
            times=moments.times,
            values=values[here],
            line=lambda row: int(lines[row]),
            series=codes,
            names=names,
            left_out=[(column, found) for column, found in kinds.items() if column not in kept],
            zoned=moments.zoned,
            cut=moments.cut,
            empty=int((~here).sum()),
        )

    def index(self, column: str) -> str:
        """What pandas's index that a column was made of counts; empty if it is none, or may be a feature."""
        if column not in self.indexes:
            return ""
        import pyarrow as pa

        cells = self.table.column(column).combine_chunks()
        if pa.types.is_integer(cells.type) and not cells.null_count and (np.diff(arrays.numbers(cells)) == 1).all():
            return "the number of the row"
        return "the index of pandas" if LEVEL.fullmatch(column) else ""

    def kind(self, column: str) -> str:
        """What a column holds."""
        import pyarrow as pa

        cells, types = self.table.column(column), pa.types
        if cells.null_count == len(cells):
            return NOTHING
        if types.is_integer(cells.type) or types.is_floating(cells.type) or types.is_decimal(cells.type):
            return NUMBER
        if not types.is_string(cells.type):
            return TEXT if types.is_binary(cells.type) else str(cells.type)
        row, first = next(((k, c) for k, c in enumerate(cells.to_pylist()) if not is_missing(c or "")), (0, None))
        known = kind(first, self.numbers)
        if known is None:
            self.fail(row + 1, column, first or "", f"is not a number; {self.numbers.advice(first or '')} reads it")
        return known

    def number(self, column: str) -> np.ndarray:
        """float64 [N], NaN where missing."""
        import pyarrow as pa

        cells: Any = self.table.column(column).combine_chunks()
        if pa.types.is_null(cells.type):
            return np.full(len(cells), np.nan)
        if not pa.types.is_string(cells.type):
            values = cells.cast(pa.float64(), safe=False)
        else:
            cells = cells.fill_null("")
            values = parsed(cells, self.numbers)
        if values is None:
            values = np.empty(0)
            odd = np.array([not (is_missing(cell) or self.numbers.is_number(cell)) for cell in cells.to_pylist()])
        else:
            values = arrays.numbers(values)
            odd = np.isinf(values)
        if odd.any():
            row = int(odd.argmax())
            self.fail(row + 1, column, str(cells[row]), "is not a finite number")
        return values

    def dated(self, columns: list[str]) -> Any:
        """The dates, as times or as text."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if len(columns) == 1:
            cells = self.table.column(columns[0]).combine_chunks()
            return cells if pa.types.is_timestamp(cells.type) else self.text(cells)
        texts = [self.text(self.table.column(column).combine_chunks()) for column in columns]
        compute: Any = pc
        midnight = r" 00:00:00(\.0+)?$"  # of a date that has become a time
        return joined([compute.replace_substring_regex(text, midnight, "") for text in texts])

    def text(self, cells: Any) -> Any:
        """A column as text."""
        import pyarrow as pa

        try:
            return cells.cast(pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise UserError(f"{self.name}: a column of {cells.type} holds no dates") from error

    def moments(self, cells: Any, lines: np.ndarray, column: str) -> date_columns.Moments:
        """The dates of rows with these numbers."""
        import pyarrow as pa

        if cells.null_count:
            row = int(np.flatnonzero(arrays.nulls(cells))[0])
            self.fail(lines[row], column, "null", "is not a date")
        if pa.types.is_timestamp(cells.type):
            try:
                whole = cells.cast(pa.timestamp("us", cells.type.tz), safe=cells.type.unit != "ns")
            except pa.ArrowInvalid as error:
                raise UserError(f"{self.name}: column {column!r}: a date is beyond all years ({error})") from error
            finer = cells.type.unit == "ns" and bool((arrays.numbers(cells.cast(pa.int64())) % 1000).any())
            times = arrays.numbers(whole.cast(pa.int64())).view("datetime64[us]")
            return date_columns.Moments(times, bool(cells.type.tz), finer)
        found = date_columns.read(cells, self.form.format)
        if found is not None:
            return found
        read = [self.moment(cell, line, column) for cell, line in zip(cells.to_pylist(), lines, strict=True)]
        zoned = [moment.zoned for moment in read]
        if any(zoned) and not all(zoned):
            row = zoned.index(not zoned[0])
            which = "a" if zoned[row] else "no"
            self.fail(lines[row], column, str(cells[row]), f"has {which} zone, unlike the rows before")
        times = np.array([moment.time for moment in read], "datetime64[us]")
        return date_columns.Moments(times, zoned[0], any(moment.cut for moment in read))

    def moment(self, cell: str, line: int, column: str) -> dates.Moment:
        """A date in text."""
        try:
            return dates.read(cell.strip(), self.form.format)
        except UserError as error:
            self.fail(line, column, cell, str(error))

    def series(self, columns: list[str], here: np.ndarray, lines: np.ndarray) -> tuple[np.ndarray | None, list[str]]:
        """-> (each row's series, their names)."""
        if not columns:
            return None, []
        cells = [self.text(self.table.column(column).combine_chunks()).fill_null("") for column in columns]
        codes, names = np.empty(len(lines), np.int32), {}
        if not number_names([column.filter(here) for column in cells], codes, names):
            row = int((codes == names[""]).argmax())
            self.fail(lines[row], "+".join(columns), "null", "names no series")
        return codes, list(names)

    def fail(self, line: int, column: str, cell: str, said: str) -> NoReturn:
        """Raises UserError."""
        raise UserError(f"{self.name}: row {line}, column {column!r}: {cell.strip()[:60]!r} {said}")
