"""UCR's text files: a series a line, its class first, then its values; NaN at the end of one that is shorter.

Tabs, commas or blanks stand between them. Older copies write the class as 1.0000000e+00: it is `1`.

Legend: N series.
"""

import re

from seqjax.data.series.ragged import Ragged, numbers
from seqjax.errors import UserError


def parse(text: str, name: str) -> Ragged:
    """Read a file.

    Args:
      text: of the file.
      name: what messages call it.

    Raises:
      UserError: with the row: a value that is no number, or a class without values.
    """
    values, labels, rows = [], [], []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        if not line.strip():
            continue
        place = f"{name}: row {number}"
        label, *cells = split(line)
        if not cells:
            raise UserError(f"{place}: {line.strip()[:40]!r}: a class and values are expected, with tabs between")
        try:
            found = numbers(cells, place)
        except UserError as error:
            if values:
                raise
            advice = "a table of one value a row takes --set=series=COLUMN --set=label=COLUMN"
            if ":" in line:
                advice = "with colons, they need the header of a .ts file, at the least @data"
            raise UserError(f"{error} (a line is a class and its values; {advice})") from None
        values.append(found[:, None])
        labels.append(plain(label))
        rows.append(number)
    if not values:
        raise UserError(f"{name}: the file is empty")
    return Ragged(values, labels, ("",), rows, form="lines").trimmed()


def split(line: str) -> list[str]:
    """The cells of a line."""
    mark = mark_of(line)
    return [cell.strip() for cell in line.rstrip("\r\n").split(mark)] if mark.strip() or mark == "\t" else line.split()


def mark_of(line: str) -> str:
    """What stands between the cells of a line: a tab, a comma or blanks."""
    return next((mark for mark in "\t," if mark in line.strip()), " ")


def plain(label: str) -> str:
    """A class that is a whole number without what a float adds to it."""
    try:
        number = float(label)
    except ValueError:
        return label.strip("\"'")
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else label
