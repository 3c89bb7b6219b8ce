"""Windows over a series in time: their shape in rows, the three parts, the scaling. No files here.

Splits, normalisation and targets are those of *Deep Learning with Python* (2nd ed., chapter 10); windows are
counted as Keras has done since 2023. As in the book, the targets of the last training windows lie in the
validation part, `delay` rows behind the window's start, unless they are purged.

Legend: N rows, F feature columns, L samples in a window, B batch.
"""

import dataclasses
from typing import Any

import numpy as np

from seqjax.data.dataset import Arrays
from seqjax.data.series.table import Table
from seqjax.errors import UserError

Bounds = list[tuple[int, int]]
"""Of each series its first row, and the row behind its last."""

SAMPLES = 120
HOUR, DAY = 3600, 86400


@dataclasses.dataclass(frozen=True)
class Span:
    """The shape of a window, in rows."""

    sampling_rate: int
    sequence_length: int
    delay: int
    """From the window's first row to the target's."""

    @property
    def reach(self) -> int:
        """From the window's first row to its last."""
        return (self.sequence_length - 1) * self.sampling_rate

    def inputs(self, arrays: Arrays, ids: Any) -> Any:
        """The windows that start at the rows `ids` [B]: [B, L, F]."""
        offsets = np.arange(self.sequence_length, dtype=np.int32) * np.int32(self.sampling_rate)
        return arrays["series"][ids[:, None] + offsets[None, :]]

    def examples(self, arrays: Arrays, ids: Any) -> tuple[Any, Any]:
        """The windows [B, L, F] and their targets [B] in degrees Celsius."""
        return self.inputs(arrays, ids), arrays["target"][ids + self.delay]


def resolve(
    sampling_rate: int | None,
    sequence_length: int | None,
    delay: int | None,
    horizon: float | None = None,
    *,
    step: float,
    name: str,
) -> Span:
    """The options in rows that are `step` seconds apart; by default 120 hourly samples and a day.

    Args:
      sampling_rate: rows from one sample to the next.
      sequence_length: samples in a window.
      delay: rows from a window's start to its target.
      horizon: seconds from a window's end to its target, where no delay is given.
      step: seconds from one row to the next.
      name: of the data, for messages.

    Raises:
      UserError: no whole number of rows makes an hour or a day, or the target would lie inside the window.
    """
    rate, length = sampling_rate, sequence_length or SAMPLES
    apart = f"{name}: rows {duration(step)} apart do not divide"
    if rate is None:
        if HOUR % step:
            raise UserError(f"{apart} an hour: set sampling_rate, the rows from one sample to the next")
        rate = int(HOUR / step)
    if delay is None:
        seconds = DAY if horizon is None else horizon
        if seconds % step:
            ahead = "a day" if seconds == DAY else duration(seconds)
            raise UserError(f"{apart} {ahead}: set delay, the rows from a window's start to its target")
        delay = (length - 1) * rate + int(seconds / step)
    span = Span(rate, length, delay)
    if span.delay <= span.reach:
        raise UserError(
            f"delay={delay}: the target would lie inside its window, which ends {span.reach} rows after its "
            f"start: choose a delay of at least {span.reach + 1}"
        )
    return span


def duration(seconds: float) -> str:
    """For messages and descriptions: `10 min`, or `45 s` if minutes do not suffice."""
    return f"{seconds:g} s" if seconds % 60 else f"{seconds / 60:g} min"


def train_rows(rows: int) -> int:
    """The first half."""
    return int(0.5 * rows)


def split(rows: int, span: Span, name: str, *, purge: bool = False) -> dict[str, np.ndarray]:
    """The first rows of the windows inside each part: 50, 25 and 25 % of the rows in time.

    A window belongs to the part that holds all its samples; the test part stops `delay` rows before the end. With
    `purge` training and validation keep only windows whose target lies in the part, too.

    Raises:
      UserError: a part holds no window.
    """
    validation, test = train_rows(rows), train_rows(rows) + int(0.25 * rows)
    bounds = {"train": (0, validation), "validation": (validation, test), "test": (test, rows - span.delay)}
    parts = {}
    for part, (start, end) in bounds.items():
        inside = span.delay if purge and part != "test" else span.reach
        if end - start <= inside:
            raise UserError(
                f"{name}: too few rows for {span}: of {rows} rows the {part} part has {max(end - start, 0)} "
                f"to start from, and a window takes {inside + 1}: shorten sequence_length or delay"
            )
        parts[part] = np.arange(start, end - inside, dtype=np.int32)
    return parts


def split_by_target(
    bounds: Bounds, span: Span, usable: np.ndarray, known: np.ndarray, name: str
) -> tuple[dict[str, np.ndarray], int]:
    """The first rows of the windows whose target lies in each part: 50, 25 and 25 % of each series' rows in time.

    A window may begin before the part that its target lies in.

    Args:
      bounds: of each series.
      span: of a window.
      usable: [N] bool, whether there is a target in a row.
      known: as for `starts`.
      name: of the data, for messages.

    Returns:
      the parts, and how many series have no window.

    Raises:
      UserError: a part holds no window.
    """
    ids: dict[str, list[np.ndarray]] = {"train": [], "validation": [], "test": []}
    without = 0
    for k, (start, stop) in enumerate(bounds):
        validation = start + train_rows(stop - start)
        edges = (start, validation, validation + int(0.25 * (stop - start)), stop)
        least = max(start + span.delay, int(known[k]) - span.reach + span.delay)
        for part, first, last in zip(ids, edges[:-1], edges[1:], strict=True):
            rows = np.arange(max(first, least), last)
            ids[part].append(rows[usable[rows]] - span.delay)
        without += sum(len(own[-1]) for own in ids.values()) == 0
    parts = {part: np.concatenate(own).astype(np.int32) for part, own in ids.items()}
    for part, own in parts.items():
        if not len(own):
            rows = max(stop - start for start, stop in bounds)
            raise UserError(
                f"{name}: too few rows for {span}: of {rows} rows none in the {part} part is a target that has a whole "
                f"window before it, which takes {span.delay} rows: shorten sequence_length, sampling or horizon"
            )
    return parts, without


def pieces(table: Table) -> Bounds:
    """Of each series of a table."""
    if table.series is None:
        return [(0, len(table.times))]
    edges = np.flatnonzero(np.diff(table.series, prepend=-1, append=-1))
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def starts(bounds: Bounds, span: Span, known: np.ndarray) -> np.ndarray:
    """The first rows of all whole windows, targets or not: int32.

    Args:
      bounds: of each series.
      span: of a window.
      known: [S] the first row up to which every column has had a value; a window that ends before knows nothing.
    """
    firsts = [max(start, int(first) - span.reach) for (start, _), first in zip(bounds, known, strict=True)]
    stops = [stop - span.reach for _, stop in bounds]
    return np.concatenate([np.arange(*pair) for pair in zip(firsts, stops, strict=True)]).astype(np.int32)


def filled(table: Table, bounds: Bounds, name: str) -> tuple[np.ndarray, int, np.ndarray]:
    """The last valid value laid over missing ones; before the first valid one of a series, that one.

    Returns:
      the values [N, F], how many were missing, and `known` [S] as for `starts`: of a series without any value in some
      column (one of several; its values are 0) the row behind its last.

    Raises:
      UserError: a column holds no value at all.
    """
    values, missing = table.values.copy(), np.isnan(table.values)
    known = np.array([start for start, _ in bounds])
    for column in np.flatnonzero(missing.all(axis=0)):
        raise UserError(f"{name}: column {table.columns[column]!r} holds nothing but missing values")
    for k, (start, stop) in enumerate(bounds):
        for column in np.flatnonzero(missing[start:stop].any(axis=0)):
            valid = ~missing[start:stop, column]
            if not valid.any():
                values[start:stop, column], known[k] = 0, stop
                continue
            values[start:stop, column] = values[start + last_valid(valid), column]
            known[k] = max(known[k], start + valid.argmax())
    return values, int(missing.sum()), known


def last_valid(valid: np.ndarray) -> np.ndarray:
    """[N] the place of the last valid value up to each; before the first, of which there must be one, that one's."""
    return np.maximum.accumulate(np.where(valid, np.arange(len(valid)), valid.argmax()))


def statistics_of(values: np.ndarray, bounds: Bounds) -> tuple[np.ndarray, np.ndarray]:
    """`statistics` of each series' training rows: [S, F] each.

    A column that is constant there has the deviation of all its rows, or the size of its value: no unit is preferred.
    """
    means, deviations = [], []
    with np.errstate(over="ignore"):  # of numbers around 1e200, which are refused later
        for start, stop in bounds:
            mean, std = _scale(values[start:stop])
            means.append(mean)
            deviations.append(std)
    return np.array(means), np.array(deviations)


def _scale(own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    train = own[: max(train_rows(len(own)), 1)]
    mean, std = statistics(train)
    flat = train.min(axis=0) == train.max(axis=0)
    size = np.where(own.min(axis=0) == own.max(axis=0), np.abs(mean), own.std(axis=0))
    return mean, np.where(flat, np.where(size > 0, size, 1.0), std)


def statistics(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (ddof 0) of each column [F]; 1 instead of a constant column's 0."""
    constant = values.min(axis=0) == values.max(axis=0)  # its computed deviation may be 1e-17
    return values.mean(axis=0), np.where(constant, 1.0, values.std(axis=0))


def scaled(values: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """float32 [N, F]: the one place that scales, so that training and predicting agree to the bit."""
    return ((values - mean[None, :]) / std[None, :]).astype(np.float32)
