"""A CSV as text: its encoding, delimiter and header, and its rows by the standard library, with exact errors.

Rows are counted as lines of the file, from 1: the header is row 1, unless comments come before it. A row whose quoted
cells go over several lines has the number of its first.
"""

import csv
import dataclasses
import re
from collections.abc import Iterator

from seqjax.data.decoding import LINE_END, utf8
from seqjax.data.series import dates
from seqjax.data.series.cells import Numbers
from seqjax.data.series.form import NAMELESS, Form, resolve
from seqjax.errors import UserError

DELIMITERS = ",;\t|"
LINE = re.compile(rb"([^\r\n]*)(?:\r\n|\r|\n|\Z)")
"""All of a file and an empty one at its end, by which an open quote has taken more than one line."""
EDGES = re.compile(rb"(?:\A|(?<=[\r\n]))[ \t]+|[ \t]+(?=[\r\n]|\Z)")
SEPARATOR = re.compile(rb"sep=(.)(\r\n|\r|\n)")
"""A first line for Excel."""
HEADER_LINES = 100
csv.field_size_limit(1 << 30)  # a cell may be a book; the standard library ends at 131,072 characters
HEAD = 1 << 14
"""Bytes from which columns are told: the first rows."""


@dataclasses.dataclass(frozen=True)
class Text:
    """A table's text."""

    data: bytes
    """UTF-8, without a byte order mark; blanks as delimiters have become tabs."""
    name: str
    form: Form
    delimiter: str
    header: list[str]
    """Names; those without one are called `unnamed`."""
    body: int
    """Where the first row begins in `data`, in bytes."""
    first: int
    """The number of the first line behind the header."""
    longer: bool = False
    """Every row has a delimiter more than the header, with nothing behind it."""
    dated: bool = True
    """Rows have dates, by which those that a quote has swallowed are told."""

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Every row that is not blank: (its line, its cells), as many as there are names.

        Raises:
          UserError: an open quote, too many or too few cells.
        """
        yield from _rows(self)

    @property
    def times(self) -> list[int]:
        """Where the dates are among the cells. Raises UserError: nowhere."""
        if self.form.time:
            return resolve(self.form.time, self.header, self.name, "+,")
        return [next((k for k in range(len(self.header)) if k not in self.series), 0)]

    @property
    def series(self) -> list[int]:
        """Where the names of the series are. Raises UserError: nowhere."""
        return resolve(self.form.series, self.header, self.name, "+,") if self.form.series else []

    def head(self) -> list[list[str]]:
        """The cells of the first rows, malformed ones aside."""
        return [cells for cells in self.head_rows() if len(cells) == len(self.header)]

    def head_rows(self) -> list[list[str]]:
        """As `head`, with malformed ones."""
        end = max(self.body + HEAD, _line(self.data, self.body)[1])
        lines = LINE_END.sub(b"\n", self.data[self.body : end]).decode(errors="replace").split("\n")
        if len(self.data) > end:
            lines.pop()  # it is cut
        lines = [line for line in lines if not _comment(line, self.form.comment)]
        try:
            return list(csv.reader(lines, delimiter=self.delimiter, skipinitialspace=True))
        except csv.Error:
            return []

    def line(self, row: int) -> int:
        """Of the row that is number `row` from 0 on, for messages."""
        return next(line for k, (line, _) in enumerate(self.rows()) if k == row)


def text_of(data: bytes, name: str, form: Form, time: str = "", *, dated: bool = True) -> Text:
    """Decode a file and read its header.

    Args:
      data: of the file.
      name: what messages call it.
      form: how it is written.
      time: the column of the dates if it is there and `form` names none.
      dated: rows have dates.

    Raises:
      UserError: another encoding, nothing in it, no header, or a name that is there twice.
    """
    data = utf8(data, name, form.encoding)
    if not data or data.isspace():
        raise UserError(f"{name}: the file is empty")
    if (place := data.find(b"\0")) >= 0:
        row = len(LINE_END.findall(data, 0, place)) + 1
        raise UserError(f"{name}: row {row} holds a NUL byte: no text, or in another encoding (--set=encoding=utf-16)")
    said = SEPARATOR.match(data)
    if form.delimiter == " ":
        data = _tabbed(data)
    start, number = (said.end(), 2) if said else (0, 1)
    while start < len(data) and _comment(_line(data, start)[0], form.comment):
        start, number = _line(data, start)[1], number + 1
    given = said[1].decode(errors="replace") if said else ""
    delimiter = form.delimiter.replace(" ", "\t") or given or _most(_line(data, start)[0], form.decimal)
    header, body, first = _header(data, start, number, delimiter, name)
    text = Text(data, name, form, delimiter, header, body, first, dated=dated)
    row = next((cells for cells in text.head_rows() if "".join(cells).strip()), [])
    longer = len(row) == len(header) + 1 and header[-1] != "" and not row[-1].strip()
    header = _named([*header, ""] if longer else header)
    if time in header and not form.time:
        form = dataclasses.replace(form, time=time)
    text = dataclasses.replace(text, form=form, header=header, longer=longer)
    if dated and _is_data(text):
        said = f"{_line(data, start)[0].strip()[:60]!r} looks like data, not like a header"
        raise UserError(f"{name}: row {number}: {said}: put a row with the columns' names above it")
    if len(set(header)) < len(header):
        twice = next(column for k, column in enumerate(header) if column in header[:k])
        raise UserError(f"{name}: row {number}: column {twice!r} is there twice")
    return text


def _comment(line: str, mark: str) -> bool:
    return bool(mark) and line.lstrip().startswith(mark)


def _tabbed(data: bytes) -> bytes:
    """Runs of blanks outside of quotes become a tab; none at the ends of a line."""
    return re.sub(rb'("[^"]*")|[ \t]+', lambda found: found[1] or b"\t", EDGES.sub(b"", data))


def _line(data: bytes, start: int) -> tuple[str, int]:
    """-> (the line that begins there, where the next one begins)."""
    found = LINE.match(data, start)
    assert found is not None
    return found[1].decode(), found.end()


def _header(data: bytes, start: int, number: int, delimiter: str, name: str) -> tuple[list[str], int, int]:
    """-> (names, where the next line begins, its number); names in quotes may go over lines."""
    lines: list[str] = []
    for _ in range(HEADER_LINES):
        line, start = _line(data, start)
        lines.append(line + "\n")
        if not lines[0].strip():
            raise UserError(f"{name}: row {number}: no header")
        try:
            list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True))
        except csv.Error as error:
            if "end of data" in str(error):
                continue  # a quote is open
        try:
            cells = next(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
        except csv.Error as error:
            raise UserError(f"{name}: row {number}: {error}") from error
        return [column.strip().replace("\n", " ") for column in cells], start, number + len(lines)
    raise UserError(f"{name}: row {number}: a quote is left open: {lines[0].strip()[:60]!r}")


def _is_data(text: Text) -> bool:
    """Whether the header is a row of data: a date where dates are, and a number besides."""
    cells = text.header
    try:
        times = text.times
    except UserError:
        times = [0]  # no column has such a name: in a row of data none has
    if cells in ([str(k) for k in range(start, start + len(cells))] for start in (0, 1)):
        return False  # numbers in place of names, which might be seconds, too
    try:
        dates.read(" ".join(cells[place] for place in times), text.form.format)
    except UserError:
        return False
    numbers = Numbers(text.form.decimal, text.form.thousands)
    return any(numbers.is_number(cell) or numbers.advice(cell) for k, cell in enumerate(cells) if k not in times)


def _most(header: str, decimal: str) -> str:
    """The delimiter of which there are most outside of quotes."""
    return max(DELIMITERS if decimal == "." else ";\t|,", key=re.sub(r'"[^"]*"', "", header).count)


def _named(header: list[str]) -> list[str]:
    """Those without a name are called `unnamed`, `unnamed 2`, ..."""
    nameless = [k for k, column in enumerate(header) if not column]
    made = {k: NAMELESS if place == 1 else f"{NAMELESS} {place}" for place, k in enumerate(nameless, 1)}
    return [made.get(k, column) for k, column in enumerate(header)]


class _Lines:
    """The lines of a text, comments aside, and those that the row at hand was made of."""

    def __init__(self, text: Text):
        self.text, self.number = text, text.first - 1
        self.taken: list[str] = []
        self.first = text.first

    def __iter__(self) -> Iterator[str]:
        for found in LINE.finditer(self.text.data, self.text.body):
            self.number += 1
            line = found[1].decode() + "\n"
            if self.taken or not _comment(line, self.text.form.comment):
                if not self.taken:
                    self.first = self.number
                self.taken.append(line)
                yield line

    def row(self) -> tuple[int, list[str]]:
        """-> (the first line's number, the lines) since the last call."""
        taken, self.taken = self.taken, []
        return self.first, taken


def _rows(text: Text) -> Iterator[tuple[int, list[str]]]:
    lines = _Lines(text)
    reader, width = csv.reader(lines, delimiter=text.delimiter, skipinitialspace=True), len(text.header)
    begun = 0
    try:
        for cells in reader:
            number, taken = lines.row()
            if len(taken) > 1:
                _check_quotes(text, number, taken)
            if not "".join(cells).strip() and len(cells) < max(width, 2):
                continue  # a blank line
            if len(cells) != width:
                if text.longer and begun:  # its first row was the odd one
                    number, cells, width = begun, [*cells, ""], width - 1
                shown = f": {str(cells)[:60]}"
                raise UserError(f"{text.name}: row {number} has {len(cells)} cells instead of {width}{shown}")
            begun = begun or number
            yield number, cells
    except csv.Error as error:
        raise UserError(f"{text.name}: row {lines.first}: {error}") from error
    if not begun:
        raise UserError(f"{text.name}: too few rows: the file ends after its header, row {max(1, text.first - 1)}")


def _check_quotes(text: Text, number: int, lines: list[str]) -> None:
    """Raise UserError: a quote is left open, so that a cell holds what may be other rows, or the rest of the file."""
    said = f"{text.name}: row {number}: a quote is left open"
    try:
        list(csv.reader(lines, strict=True, delimiter=text.delimiter, skipinitialspace=True))
    except csv.Error as error:
        if len(lines) == 1 and "end of data" not in str(error):
            return  # such as `"5" pipe`: odd, but all in one line
        raise UserError(f"{said}: {lines[0].strip()[:60]!r}") from error
    for k, line in enumerate(lines):
        # inside the quotes: all but what is before them in the first line, and behind them in the last one
        start = line.rfind('"') + 1 if k == 0 else 0
        end = line.rfind('"') if k == len(lines) - 1 else len(line)
        if text.dated and len(lines) > 1 and _is_row(text, line, start, end):
            raise UserError(f"{said}: its cell goes on to row {number + len(lines) - 1}: {lines[0].strip()[:60]!r}")


def _is_row(text: Text, line: str, start: int, end: int) -> bool:
    """Whether a line, so much of it in a quoted cell, looks like a row: as many cells, a date where dates are."""
    cells = line.split(text.delimiter)
    before, inside = line[:start].count(text.delimiter), line[:end].count(text.delimiter)
    if len(cells) != len(text.header) or min(text.times) < before + (start > 0) or max(text.times) > inside:
        return False
    try:
        dates.read(" ".join(cells[place].strip().strip('"') for place in text.times), text.form.format)
    except UserError:
        return False
    return True
