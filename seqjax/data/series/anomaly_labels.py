"""Where the anomalies of a user's own table are: a column of 0 and 1, or a JSON file of windows.

Legend: N rows.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from seqjax.data.series import windows
from seqjax.data.series.table import Table
from seqjax.errors import UserError
from seqjax.scoring import nab, ranges

FORM = 'a list of ["from", "to"], or such lists by the names of series or files'


def find(labels: str, table: Path) -> Path | None:
    """The JSON file that `labels` names, here or beside the table; None: it is a column.

    Raises:
      UserError: there is no such file.
    """
    if not labels.lower().endswith(".json"):
        return None
    for path in (Path(labels).expanduser(), table.parent / labels):
        if path.is_file():
            return path
    raise UserError(f"labels={labels} is neither here nor in {table.parent}")


def of_column(table: Table, column: str, name: str) -> tuple[Table, np.ndarray]:
    """The table without the column, and the number [N] of the anomaly that a row is in, 0 where in none.

    Raises:
      UserError: there is no such column, it holds something else than 0 and 1, or it is the only one.
    """
    if column not in table.columns:
        known = ", ".join(table.columns)
        raise UserError(f"{name}: labels={column} is no column of 0 and 1 (not True and False); choices: {known}")
    place = table.columns.index(column)
    marks = table.values[:, place]
    wrong = marks[~np.isin(marks, (0, 1)) & ~np.isnan(marks)]
    if len(wrong):
        raise UserError(f"{name}: column {column!r} holds {wrong[0]:g}: labels are 0 or 1 (or nothing, for 0)")
    others = [k for k in range(len(table.columns)) if k != place]
    if not others:
        raise UserError(f"{name}: there is no column to watch beside labels={column}")
    labels, number = np.zeros(len(marks), np.int64), 0
    for start, stop in windows.pieces(table):
        for first, last in ranges.ranges_of(marks[start:stop] == 1):
            number += 1
            labels[start + first : start + last] = number
    columns = tuple(table.columns[k] for k in others)
    return dataclasses.replace(table, columns=columns, values=table.values[:, others]), labels


def of_file(path: Path, table: Table, name: Path) -> np.ndarray:
    """The number [N] of the window that a row is in, 0 where in none.

    Args:
      path: of the JSON: FORM.
      table: whose rows are labelled.
      name: of the table's file.

    Raises:
      UserError: it cannot be read, is of another form, or has a window without a row, or that overlaps another.
    """
    try:
        content: Any = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: {error}") from error
    labels, number = np.zeros(len(table.times), np.int64), 0
    for k, (start, stop) in enumerate(windows.pieces(table)):
        called = table.names[k] if table.names else name.name
        for first, last in nab.rows_of(table.times[start:stop], _windows(content, called, path), f"{path}: {called}"):
            number += 1
            if labels[start + first : start + last + 1].any():
                raise UserError(f"{path}: {called}: two windows overlap at {table.times[start + first]}")
            labels[start + first : start + last + 1] = number
    return labels


def _windows(content: Any, called: str, path: Path) -> list[tuple[np.datetime64, np.datetime64]]:
    """The windows of a series or a file."""
    if isinstance(content, dict):
        packed = [called.removesuffix(end) for end in (".gz", ".xz", ".zip")]
        keys = [key for key in content if key in packed or Path(key).name in packed]
        if len(keys) != 1:
            some = ", ".join(list(content)[:5])
            raise UserError(f"{path}: {len(keys)} of its entries are of {called!r}; it has: {some or 'none'}")
        content = content[keys[0]]
    try:
        pairs = [(np.datetime64(left.strip(), "us"), np.datetime64(right.strip(), "us")) for left, right in content]
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: windows of {called!r}: {error}; expected is {FORM}") from error
    for left, right in pairs:
        if not left <= right:
            raise UserError(f"{path}: {called}: a window ends at {right}, before it begins at {left}")
    return pairs
