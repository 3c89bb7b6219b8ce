"""Columns of text from a user's own table: CSV of any usual form, Parquet or JSON lines, packed or not.

Which of them it is, the content says. A cell is what the file holds, without white space at its ends; empty is missing,
and nothing else is: `NA`, `None` and `null` are words like others.

Legend: N rows.
"""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seqjax.data import packed
from seqjax.data.decoding import LINE_END, utf8
from seqjax.data.series import parquet_table
from seqjax.data.series.csv_text import text_of
from seqjax.data.series.form import Form, resolve
from seqjax.errors import UserError

BLANKS = " \t\n\v\f\r"
"""What is no part of a cell at its ends: a no-break space is, as it is part of a word."""
MARK = "\ufdd0".encode()
"""A code point that is no character, in the place of a quote that is one."""
Row = tuple[int, list[str]]
"""Its number and its cells."""


@dataclasses.dataclass(frozen=True)
class Cells:
    """The columns that were asked for."""

    columns: list[list[str]]
    """[N] each, in the order asked."""
    lines: list[int]
    """[N]: the row of the file for messages: a line from 1 on, or of Parquet and of a JSON array the element."""


def read(
    data: bytes,
    name: str,
    columns: Sequence[str],
    encoding: str = "",
    delimiter: str = "",
    quotes: bool = True,
    comment: str = "",
) -> Cells:
    """Read a table.

    Args:
      data: of the file.
      name: what messages call it.
      columns: each a name, or several with commas between, whose cells are joined by a space.
      encoding: of text that has no byte order mark; by default UTF-8.
      delimiter: of a CSV, as in `Form`; by default what the header has most.
      quotes: of a CSV: they stand around cells, which may hold delimiters and line breaks. False: they are characters
        like others.
      comment: of a CSV: what begins a line that is skipped.

    Raises:
      UserError: malformed, with the row; in another encoding; without rows, or without such a column.
    """
    data = packed.unpacked(data, name)
    if parquet_table.is_parquet(data):
        header, rows = _parquet(data, name, columns)
    elif is_json(data := utf8(data, name, encoding)):
        header, rows = _json(data, name, columns)
    else:
        form = Form(delimiter=delimiter, comment=comment)
        text = text_of(data if quotes else data.replace(b'"', MARK), name, form, dated=False)
        header, rows = [column.replace(MARK.decode(), '"') for column in text.header], text.rows()
    places = [resolve(column, header, name, place="") for column in columns]
    lines, found = [], [[] for _ in columns]
    for line, cells in rows:
        lines.append(line)
        for own, where in zip(found, places, strict=True):
            cell = " ".join(filter(None, (cells[place].strip(BLANKS) for place in where)))
            own.append(cell if quotes else cell.replace(MARK.decode(), '"'))
    if not lines:
        raise UserError(f"{name}: too few rows: the table has none")
    return Cells(found, lines)


def is_table(data: bytes, name: str, column: str, encoding: str = "") -> bool:
    """Whether content is a table, by what it is, is called, or has in its first row, rather than lines of text."""
    if Path(name.removesuffix(".gz").removesuffix(".xz")).suffix.lower() in (".csv", ".tsv", ".parquet"):
        return True
    data = packed.unpacked(data, name)
    if parquet_table.is_parquet(data) or is_json(data := utf8(data, name, encoding)):
        return True
    try:
        resolve(column, text_of(data, name, Form(), dated=False).header, name)
    except UserError:
        return False
    return True


def is_json(data: bytes) -> bool:
    """Whether text is a JSON object a line, or an array of them."""
    first = b"".join(data[:200].split())
    return first.startswith((b'{"', b"{}", b"[{"))


def _json(data: bytes, name: str, columns: Sequence[str]) -> tuple[list[str], Iterator[Row]]:
    """-> (the keys asked for, the rows)."""
    if data.lstrip().startswith(b"["):
        found = list(enumerate(_parsed(data, name, 1), 1))
    else:
        lines = enumerate(LINE_END.split(data), 1)
        found = [(number, _parsed(line, name, number)) for number, line in lines if line.strip()]
    wrong = next((number for number, row in found if not isinstance(row, dict)), None)
    if wrong is not None:
        raise UserError(f"{name}: row {wrong} is no JSON object")
    header = list(dict.fromkeys(key for _, row in found for key in row))
    wanted = _wanted(columns, header, name)
    return wanted, ((number, [_plain(row.get(key), name, number, key) for key in wanted]) for number, row in found)


def _wanted(columns: Sequence[str], header: list[str], name: str) -> list[str]:
    return [header[k] for k in sorted({k for column in columns for k in resolve(column, header, name, place="")})]


def _parsed(text: bytes, name: str, number: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{name}: row {number} is no JSON ({error})") from error


def _plain(value: Any, name: str, number: int, key: str) -> str:
    """A value of JSON as a cell."""
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, list | dict):
        raise UserError(f"{name}: row {number}, column {key!r}: {str(value)[:40]!r} is no text")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a whole number becomes 1.0 in a column of pandas where another one is missing
    return value if isinstance(value, str) else json.dumps(value)


def _parquet(data: bytes, name: str, columns: Sequence[str]) -> tuple[list[str], Iterator[Row]]:
    """-> (the names of the columns asked for, the rows)."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        file = parquet.ParquetFile(pa.BufferReader(data))
        wanted = _wanted(columns, list(file.schema_arrow.names), name)
        table = file.read(columns=wanted, use_threads=False)
        table.validate(full=True)
        texts = [_texts(table.column(column), column, name) for column in wanted]
    except UserError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        said = (str(error).splitlines() or ["?"])[0][:200]
        raise UserError(f"{name}: the Parquet file is damaged, truncated or encrypted ({said})") from error
    return wanted, ((number, list(cells)) for number, cells in enumerate(zip(*texts, strict=True), 1))


def _texts(column: Any, name: str, file: str) -> list[str]:
    """Raises UserError: a column of lists, or of what else is no text."""
    import pyarrow as pa

    column = parquet_table.plain(column)
    try:
        cells = column.cast(pa.string()).fill_null("").to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(f"{file}: column {name!r} of {column.type} holds no text") from error
    return ["" if cell == "nan" else cell for cell in cells] if pa.types.is_floating(column.type) else cells
