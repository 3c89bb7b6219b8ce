"""What visitors have clicked: in memory, and in a user's own table.

Legend: N visitors, T clicks.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from seqjax.data.series import dates
from seqjax.data.text import text_table
from seqjax.errors import UserError

COLUMNS = ("visitor", "time", "page")
LABEL = "label"


@dataclasses.dataclass(frozen=True)
class Visits:
    """Clicks of visitors, in order of time."""

    visitors: Sequence[str]
    """N names."""
    names: Sequence[str]
    """Of the pages."""
    pages: np.ndarray
    """[N, T] int32, numbers of `names`; -1 behind the end of a visit."""
    seconds: np.ndarray
    """[N, T] since the click before; 0 at the first one."""
    lengths: np.ndarray
    """[N] clicks, at least 1."""
    labels: np.ndarray | None = None
    """[N] int32, numbers of `classes`; None: not known."""
    classes: Sequence[str] = ()
    log_odds: np.ndarray | None = None
    """[N, T] of the second class after each click, as the best judge has them; None: not known."""


def moment(cell: str) -> float:
    """Seconds of a time: a number of them, or a date. Raises UserError: neither; it is the rest of a sentence."""
    try:
        found = float(cell)
    except ValueError:
        time = dates.read(cell, None).time
        return float(np.datetime64(time, "us").astype(np.int64)) / 1e6
    if not np.isfinite(found):
        raise UserError("is no time")
    return found


def read(data: bytes, name: str, labelled: bool) -> Visits:
    """Visitors from a table with the columns visitor, time, page and, if `labelled`, label; rows in order of time.

    Rows of different visitors may stand in any order. A visitor has one label.

    Raises:
      UserError: malformed, with the row.
    """
    cells = text_table.read(data, name, [*COLUMNS, LABEL] if labelled else COLUMNS)
    own: dict[str, list[tuple[float, str]]] = {}
    labels: dict[str, str] = {}
    for row, visitor, time, page, *label in zip(cells.lines, *cells.columns, strict=True):
        for column, cell in zip((*COLUMNS, LABEL), (visitor, time, page, *label), strict=False):
            if not cell:
                raise UserError(f"{name}: row {row}, column {column!r} is empty")
        try:
            at = moment(time)
        except UserError as error:
            raise UserError(f"{name}: row {row}, column 'time': {time[:60]!r} {error}") from error
        clicks = own.setdefault(visitor, [])
        if clicks and at < clicks[-1][0]:
            raise UserError(f"{name}: row {row}: a click of {visitor!r} is before its last one: sort the rows by time")
        clicks.append((at, page))
        if label and labels.setdefault(visitor, label[0]) != label[0]:
            raise UserError(f"{name}: row {row}: {visitor!r} is {label[0]!r}, and was {labels[visitor]!r} before")
    names = sorted({page for clicks in own.values() for _, page in clicks})
    places = {page: k for k, page in enumerate(names)}
    lengths = np.array([len(clicks) for clicks in own.values()])
    pages = np.full((len(own), lengths.max()), -1, np.int32)
    seconds = np.zeros(pages.shape)
    for row, clicks in enumerate(own.values()):
        pages[row, : len(clicks)] = [places[page] for _, page in clicks]
        seconds[row, 1 : len(clicks)] = np.diff([at for at, _ in clicks])
    classes = sorted(set(labels.values()))
    numbers = np.array([classes.index(labels[visitor]) for visitor in own], np.int32) if labelled else None
    return Visits(list(own), names, pages, seconds, lengths, numbers, classes)
