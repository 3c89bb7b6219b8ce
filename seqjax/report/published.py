"""Published accuracies as CSV: a data set a row, a method a column, an empty cell where there is no figure."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from seqjax.errors import UserError
from seqjax.files import shown

MISSING = ("", "-", "?", "na", "nan", "none", "null")


def read(paths: Sequence[Path], own: str) -> dict[str, dict[str, float]]:
    """Method -> data set -> accuracy, of several files together; own: a method's name that is taken already.

    Raises:
      UserError: a file that cannot be read, a cell that is no accuracy, a data set or a method twice.
    """
    found: dict[str, dict[str, float]] = {}
    for path in paths:
        for method, accuracies in _read(path).items():
            if method in found or method == own:
                raise UserError(f"{path}: there is a method {method!r} already; rename the column")
            found[method] = accuracies
    return found


def _read(path: Path) -> dict[str, dict[str, float]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"--published={shown(path)} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte 0x{error.object[error.start]:02x} is not UTF-8") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    head = [cell.strip() for cell in rows[0]] if rows else []
    if len(head) < 2:
        raise UserError(f"{path}: wanted is a header, data set and methods, not {first.strip()!r:.80}")
    for name in head[1:]:
        if not name or head.count(name) > 1:
            raise UserError(f"{path}: the header has {'an empty name' if not name else f'{name!r} twice'}")
    found: dict[str, dict[str, float]] = {method: {} for method in head[1:]}
    seen: set[str] = set()
    for number, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        name = row[0].strip()
        if len(row) != len(head):
            raise UserError(f"{path}, line {number}: {len(row)} cells under a header of {len(head)}")
        if not name or name in seen:
            raise UserError(f"{path}, line {number}: " + (f"{name} is there twice" if name else "no data set is named"))
        seen.add(name)
        for method, cell in zip(head[1:], row[1:], strict=True):
            if cell.strip().lower() not in MISSING:
                found[method][name] = _accuracy(cell.strip(), f"{path}, line {number}, {method}")
    return found


def _accuracy(cell: str, place: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise UserError(f"{place}: {cell!r} is no number; a cell without a figure is left empty") from None
    if not (math.isfinite(value) and 0 <= value <= 1):
        raise UserError(f"{place}: {cell} is no accuracy between 0 and 1")
    return value
