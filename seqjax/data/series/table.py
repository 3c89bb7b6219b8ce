"""A table in time, as a file has it: what is missing is missing, and what was done to the rows is said.

Legend: N rows, F columns.
"""

import dataclasses

import numpy as np

UTC = "times in UTC"
"""The note of a file that names a zone."""


@dataclasses.dataclass(frozen=True)
class Table:
    """Measurements in time, of one series or of several."""

    columns: tuple[str, ...]
    """The F features' names."""
    times: np.ndarray
    """[N] datetime64[us], in UTC if the file names a zone; ascending within a series, but a few may be doubled."""
    values: np.ndarray
    """[N, F] float64, NaN where missing."""
    series: np.ndarray | None = None
    """[N] int32: which of `names` a row belongs to, rows of one series in one piece; None: there is but one series."""
    names: tuple[str, ...] = ()
    """Of the series, in the order in which the file first has them."""
    notes: tuple[str, ...] = ()
    """What the user must know, each a short phrase: `2 doubled rows left out`."""
    time: str = ""
    """The column of the dates; of two, `date+clock`."""

    @property
    def zone(self) -> str:
        """What belongs behind a date in text: `+00:00` where the file names a zone."""
        return "+00:00" if UTC in self.notes else ""
