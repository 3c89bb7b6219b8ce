"""How a table is written, and how its columns are named."""

import csv
import dataclasses
from collections.abc import Sequence
from typing import Any

from seqjax.data.series import dates
from seqjax.errors import UserError

WORDS = {"space": " ", "tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|", "none": ""}
"""What a character may be called."""
CHOICES = {"decimal": (".", ","), "thousands": ("", ",", ".", "'", " "), "doubled": ("", "first", "last", "mean")}
NAMELESS = "unnamed"
"""What a column without a name is called."""
OLD = ("time", "format", "missing")
"""The fields that have always been written."""


@dataclasses.dataclass(frozen=True)
class Form:
    """How to read a file."""

    time: str = ""
    """The column of the dates; by default the first. Two, such as `date+time`, are joined."""
    format: str | None = None
    """Of the dates, as in `strptime`, or `unix`, `unix_ms`, `unix_us`, `unix_ns`; by default ISO 8601 or one of
    `dates.USUAL`."""
    missing: float | None = None
    """A number that stands for a missing value, besides `cells.EMPTY`."""
    encoding: str = ""
    """Of the text, such as latin-1; by default UTF-8. A byte order mark is believed."""
    decimal: str = "."
    """Point or comma."""
    thousands: str = ""
    """Between groups of digits: `,`, `.`, `'` or `space`; by default nothing."""
    comment: str = ""
    """What begins a line that is skipped, such as `#`."""
    delimiter: str = ""
    """Between cells; by default a comma, semicolon, tab or bar, of which the header has most. `space`: any blanks."""
    sort: bool = False
    """Sort the rows by time; otherwise unsorted ones are refused."""
    series: str = ""
    """The column that tells several series apart; two, such as `shop+item`, are joined (`cells.series_name`)."""
    doubled: str = ""
    """Which of several rows of one time is kept: `first`, `last` or their `mean`. By default equal ones are left out,
    and different ones kept and counted, if they are few: as at the end of summer time."""

    def __post_init__(self):
        for option in ("decimal", "thousands", "delimiter"):
            object.__setattr__(self, option, WORDS.get(getattr(self, option), getattr(self, option)))
        for option, choices in CHOICES.items():
            if getattr(self, option) not in choices:
                shown = [choice.replace(" ", "space") or "none" for choice in choices]
                raise UserError(f"{option}={getattr(self, option)}: choose {', '.join(shown[:-1])} or {shown[-1]}")
        if self.decimal == self.thousands:
            raise UserError(f"decimal={self.decimal} and thousands={self.thousands} are the same")
        if len(self.delimiter) > 1 or self.delimiter in ('"', "\n", "\r") or not self.delimiter.isascii():
            raise UserError(f"delimiter={self.delimiter}: a single character is expected, or tab or space")
        dates.check(self.format)


def as_options(form: Form) -> dict[str, Any]:
    """The fields as JSON takes them, later ones only where they are set: what was written before them stays.

    `Form(**as_options(form)) == form`.
    """
    default = Form()
    options = dataclasses.asdict(form)
    return {key: value for key, value in options.items() if key in OLD or value != getattr(default, key)}


def split_names(text: str, marks: str = ",") -> list[str]:
    """The names in a list with commas (or one of the `marks`) between; one that has a comma itself stands in quotes."""
    mark = next((mark for mark in marks if mark in text), ",")
    row = next(csv.reader([text], delimiter=mark, skipinitialspace=True), [])
    return [name.strip() for name in row if name.strip()]


def resolve(asked: str, header: Sequence[str], name: str, marks: str = ",", place: str = "row 1: ") -> list[int]:
    """Where the column that is asked for lies in a header, or the columns if no single one has that name.

    Args:
      asked: a name, or several with one of the `marks` between.
      header: all names.
      name: of the file, for messages.
      marks: characters.
      place: of the header, for messages.

    Raises:
      UserError: there is none.
    """
    asked = asked or NAMELESS  # what runs have written before it had a name
    names = [asked] if asked in header else split_names(asked, marks) or [asked]
    absent = [column for column in names if column not in header]
    if absent:
        said = asked if len(absent) == len(names) else absent[0]
        raise UserError(f"{name}: {place}there is no column {said!r}; columns: {', '.join(header)}")
    return [header.index(column) for column in names]
