"""Windows of a series as changes from their last row, of numbers kept in two parts: no digit is lost to float32.

A series that wanders a million deviations from its training rows still changes by thousandths of one from row to row.
float32 has 24 bits: of the standardised value it takes the first ones, of what is left the next, and the difference of
two rows is the sum of the differences of both.

Legend: N rows, F features, L samples in a window, B batch, S series.
"""

from typing import Any, NamedTuple

import numpy as np

from seqjax.data.dataset import Arrays
from seqjax.data.series import steps, windows
from seqjax.data.series.table import Table
from seqjax.errors import UserError

LEAST = 1e-30
"""Smaller deviations, and larger ones than one over it, are beyond float32 when they are squared or multiplied."""


class Window(NamedTuple):
    """Standardised."""

    changes: Any
    """[B, L, F] from the last row, which is 0."""
    level: Any
    """[B, F] of the last row."""


class Target(NamedTuple):
    """What is to be forecast of each window."""

    value: Any
    """[B] standardised: the change since the window's last row."""
    unit: Any
    """[B] of one standard deviation, in the column's own unit."""


def arrays_of(
    table: Table, values: np.ndarray, mean: np.ndarray, std: np.ndarray, bounds: windows.Bounds, name: str
) -> dict[str, np.ndarray]:
    """What goes to the device: the series standardised and what float32 leaves of it [N, F], and the target's unit [N].

    Raises:
      UserError: numbers beyond float32.
    """
    whole, unit = np.empty(values.shape), np.empty(len(values), np.float32)
    for column in np.flatnonzero(((std < LEAST) | (std > 1 / LEAST)).any(axis=0)):
        size = std[:, column][np.argmax((std[:, column] < LEAST) | (std[:, column] > 1 / LEAST))]
        raise UserError(
            f"{name}: column {table.columns[column]!r} has the deviation {size:.3g}: give it in another unit, "
            f"{LEAST:g} to {1 / LEAST:g} are computed with"
        )
    for k, (start, stop) in enumerate(bounds):
        whole[start:stop] = (values[start:stop] - mean[k][None]) / std[k][None]
        unit[start:stop] = std[k, 0]
    far = np.argwhere(~(np.abs(whole) < 1 / LEAST))
    if len(far):
        row, column = far[0]
        value, date = values[row, column], steps.texts(table.times[[row]])[0]
        raise UserError(
            f"{name}: column {table.columns[column]!r}: {value:g} at {date} is too far from the training rows to be "
            "computed with"
        )
    series = whole.astype(np.float32)
    return {"series": series, "rest": (whole - series).astype(np.float32), "unit": unit}


def minus(arrays: Arrays, at: Any, before: Any) -> Any:
    """The series at some places less those at others."""
    series, rest = arrays["series"], arrays["rest"]
    return (series[at] - series[before]) + (rest[at] - rest[before])


def inputs(span: windows.Span, arrays: Arrays, ids: Any) -> Window:
    """The windows that start at the rows `ids` [B]."""
    offsets = np.arange(span.sequence_length, dtype=np.int32) * np.int32(span.sampling_rate)
    rows, last = ids[:, None] + offsets[None, :], ids + span.reach
    return Window(minus(arrays, rows, last[:, None]), arrays["series"][last])
