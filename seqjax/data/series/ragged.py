"""Labelled series of unlike length: the one value that every reader of `series_files` returns.

Legend: N series, T_n steps of series n, D dimensions.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from seqjax.data.series.cells import is_missing
from seqjax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Ragged:
    """N series of D dimensions each."""

    values: Sequence[np.ndarray]
    """N of [T_n, D] float64; NaN where a value is missing."""
    labels: Sequence[str] | None
    """[N], as the file writes them; None: it has none."""
    dimensions: tuple[str, ...]
    """[D] names; empty strings where there are none."""
    rows: Sequence[int]
    """[N] where each begins in its file, for messages: lines from 1 on."""
    ids: Sequence[str] = ()
    """[N] the names of the series, if they have any."""
    form: str = ""
    """`lines` where a class and values stand in a line of their own (UCR's)."""
    notes: tuple[str, ...] = ()
    """What the user must know of how they were read."""

    @property
    def lengths(self) -> np.ndarray:
        """[N]: T_n."""
        return np.array([len(values) for values in self.values], np.int64)

    @property
    def missing(self) -> int:
        """How many values are missing."""
        return int(sum(np.isnan(values).sum() for values in self.values))

    def trimmed(self) -> "Ragged":
        """Without the steps at the end of a series that hold no value: it is that much shorter, but for one step.

        UCR's files fill up short series with NaN, ARFF's with `?`.
        """
        known = [np.asarray(~np.isnan(values).all(axis=1)) for values in self.values]
        ends = [max(1, len(steps) - int(np.argmax(steps[::-1]))) if steps.any() else 1 for steps in known]
        return dataclasses.replace(self, values=[v[:end] for v, end in zip(self.values, ends, strict=True)])


def numbers(cells: Sequence[str], place: str) -> np.ndarray:
    """The values of a list of cells, NaN for a missing one (`cells.EMPTY`).

    Args:
      cells: text; white space around them does not count.
      place: of the list, for messages: `FILE: row 3`.

    Raises:
      UserError: a cell that is no finite number.
    """
    try:
        found = np.array(cells, np.float64)
        if np.isfinite(found).all() and not any("_" in cell for cell in cells):  # 1_000 is a number to Python
            return found
    except ValueError:
        pass
    return np.array([_number(cell.strip(), f"{place}, value {k}") for k, cell in enumerate(cells, 1)])


def _number(cell: str, place: str) -> float:
    if is_missing(cell):
        return np.nan
    try:
        found = float(cell) if "_" not in cell else np.inf
    except ValueError:
        found = np.inf
    if not np.isfinite(found):
        raise UserError(f"{place}: {cell[:40]!r} is not a finite number")
    return found


def joined(channels: Sequence[np.ndarray], place: str) -> np.ndarray:
    """Values of each dimension, [T] each -> [T, D].

    Raises:
      UserError: they are of unlike length.
    """
    for number, channel in enumerate(channels, 1):
        if len(channel) != len(channels[0]):
            said = f"dimension {number} has {len(channel)} steps, the first {len(channels[0])}"
            raise UserError(f"{place}: {said}: those of one series must be as long as each other (fill up with ?)")
    return np.stack(channels, axis=1)
