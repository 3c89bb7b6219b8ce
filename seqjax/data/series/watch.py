"""What a detector sees of a row: the rows up to some before it, the clock, the same time of yesterday and last week.

Each series is standardised by its own training rows. A row depends on rows before it alone (and on its own date): what
is gathered of it is the same when the series ends there.

Legend: N rows of all series, F columns, L rows in a window, C numbers of context, B batch.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqjax.data.dataset import Arrays
from seqjax.data.series import changes, windows
from seqjax.errors import UserError

DAY, WEEK = 86_400.0, 7 * 86_400.0
"""Seconds."""
FARTHEST = 2_100
"""Rows: a day or a week of more is not looked back for. A stream has to keep so many."""
SLACK = 0.5
"""By which share the step of rows to be judged may be another one than training's: events come when they come."""
CLOCK = 4
"""Sine and cosine of the time of day, and of the time in the week."""


class Seen(NamedTuple):
    """Of a row to be judged; standardised."""

    values: Any
    """[B, L, F] of the window."""
    context: Any
    """[B, L, C] of the window's rows: the clock; values a day and a week before [2 F], 0 where there are none; and
    whether there are [2]."""
    now: Any
    """[B, C] the same of the row itself."""


class Actual(NamedTuple):
    """What is compared with what was expected."""

    values: Any
    """[B, F] standardised."""
    weight: Any
    """[B] 1 where the row counts for the loss, else 0."""


@dataclasses.dataclass(frozen=True)
class Watched:
    """A series under watch."""

    name: str
    times: np.ndarray
    """[N] datetime64[us]."""
    values: np.ndarray
    """[N, F] float64, what is missing `filled`."""
    mean: np.ndarray
    """[F] of the training rows, and ..."""
    std: np.ndarray
    """... their deviation, or the size of a constant column's value."""
    trained: int
    """How many rows at the beginning are trained on, the last fifth of them validated on: the probation."""
    day: int
    """Rows of one, or 0 where the training rows are fewer than two, or it is more than FARTHEST."""
    week: int
    labels: np.ndarray | None = None
    """[N] int, in the rows of an anomaly its number from 1, else 0; None: nothing is known of any."""
    missing: np.ndarray | None = None
    """[N, F] bool, what was filled."""
    known: int = 0
    """The first row up to which every column has had a value; those before it are not trained on."""
    tuned: bool = True
    """Whether the validation part has it."""

    @property
    def validated(self) -> int:
        """The first row of those validated on."""
        return int(0.8 * self.trained)

    def unit(self, scaled: np.ndarray) -> np.ndarray:
        """[..., F] brought back to the columns' own units."""
        return self.mean + self.std * np.asarray(scaled, np.float64)


def watched(
    name: str, times: np.ndarray, values: np.ndarray, trained: int, columns: Sequence[str] = (), known: int = 0
) -> Watched:
    """A series with what its first rows tell; arguments are fields of `Watched`, and the columns' names for messages.

    Raises:
      UserError: a column without a value in the training rows, or whose numbers are beyond float32.
    """
    if known >= max(trained, 1):
        raise UserError(f"{name}: a column has no value in the {trained} rows to be trained on: leave it out")
    train = values[known : max(trained, 1)]
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = windows.statistics(train)
    flat = train.min(axis=0) == train.max(axis=0)
    std = np.where(flat, np.where(mean == 0, 1.0, np.abs(mean)), std)
    for place in np.flatnonzero(~((std > changes.LEAST) & (std < 1 / changes.LEAST))):
        column = columns[int(place)] if columns else "value"
        raise UserError(f"{name}: column {column!r} has the deviation {std[place]:.3g}: give it in another unit")
    day, week = lags(times, trained)
    return Watched(name, times, values, mean, std, trained, day, week, known=known)


def filled(values: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """[N, F] of a series with NaN where missing: the last value seen; before there was one, the training rows' mean."""
    below = np.concatenate([mean[None], values])
    there = np.where(np.isnan(below), 0, np.arange(len(below))[:, None])
    return np.take_along_axis(below, np.maximum.accumulate(there, axis=0), axis=0)[1:]


def lags(times: np.ndarray, trained: int) -> tuple[int, int]:
    """Rows of a day and of a week, told from the dates [N] of the training rows; 0 where there are not two of them."""
    apart = np.diff(times[: max(trained, 2)]) / np.timedelta64(1, "s")
    apart = float(np.median(apart)) if len(apart) else 0.0
    if apart <= 0:
        return 0, 0
    found = (round(DAY / apart), round(WEEK / apart))
    return tuple(rows if 1 < rows <= min(FARTHEST, trained // 2) else 0 for rows in found)  # type: ignore[return-value]


def clock(times: np.ndarray, week: int) -> np.ndarray:
    """[N, CLOCK] float32; the time in the week is 0, 0 where no week is known."""
    seconds = (times - times.astype("datetime64[D]")) / np.timedelta64(1, "s")
    days = (times.astype("datetime64[D]").astype(np.int64) + 3) % 7  # 1970 began on a Thursday
    in_week = (days + seconds / DAY) / 7
    angles = 2 * math.pi * np.stack([seconds / DAY, in_week])
    weekly = np.stack([np.sin(angles[1]), np.cos(angles[1])]) * (week > 0)
    return np.stack([np.sin(angles[0]), np.cos(angles[0]), *weekly], axis=1).astype(np.float32)


def arrays_of(series: Sequence[Watched]) -> dict[str, np.ndarray]:
    """What goes to the device, of all series one behind the other."""
    stops = np.cumsum([len(one.times) for one in series])
    of = np.repeat(np.arange(len(series)), [len(one.times) for one in series])
    weights = [np.arange(len(one.times)) >= one.validated for one in series]
    weights = [own & (np.arange(len(own)) < one.trained) for one, own in zip(series, weights, strict=True)]
    with np.errstate(over="ignore"):
        scaled = np.concatenate([((one.values - one.mean) / one.std).astype(np.float32) for one in series])
    return {
        "series": np.clip(scaled, -1e30, 1e30),
        "clock": np.concatenate([clock(one.times, one.week) for one in series]),
        "first": np.concatenate([[0], stops[:-1]]).astype(np.int32)[of],
        "day": np.array([one.day for one in series], np.int32)[of],
        "week": np.array([one.week for one in series], np.int32)[of],
        "validated": np.concatenate(weights).astype(np.float32),
    }


@dataclasses.dataclass(frozen=True)
class Watch:
    """`Dataset.gather`: a row's id is its place among the N rows of all series, or as one to be trained on N more."""

    rows: int
    """L."""
    horizon: int
    """From a window's last row to the row itself; 0: it is in the window."""
    series: tuple[Watched, ...] = dataclasses.field(default=(), repr=False, compare=False)
    """What the ids are of."""

    @property
    def reach(self) -> int:
        """Rows before the one to be judged that are looked at, without those of a day or a week ago."""
        return self.rows - 1 + self.horizon

    def __call__(self, arrays: Arrays, ids: Any) -> tuple[Seen, Actual]:
        """Of the rows `ids` [B]."""
        count = arrays["series"].shape[0]
        rows, train = ids % count, ids >= count
        weight = train + (1 - train) * arrays["validated"][rows]
        return self.seen(arrays, rows), Actual(arrays["series"][rows], weight.astype(np.float32))

    def seen(self, arrays: Arrays, ids: Any) -> Seen:
        """What is before rows [B]; before a series' first row, that one."""
        back = np.arange(-self.reach, 1 - self.horizon, dtype=np.int32)[None, :]
        rows = ids[:, None] + back
        first = arrays["first"][ids][:, None]
        rows = rows + (first - rows) * (rows < first)
        every = lambda places: self._context(arrays, places, ids)
        return Seen(arrays["series"][rows], every(rows), every(ids[:, None])[:, 0])

    def _context(self, arrays: Arrays, rows: Any, ids: Any) -> Any:
        """[B, T, C] of the rows [B, T]."""
        xp = np
        if not isinstance(rows, np.ndarray):
            import jax.numpy as xp  # type: ignore[no-redef]
        parts, flags = [arrays["clock"][rows]], []
        for name in ("day", "week"):
            lag = arrays[name][ids][:, None]
            there = (lag > 0) & (rows - lag >= arrays["first"][ids][:, None])
            parts.append(arrays["series"][xp.where(there, rows - lag, rows)] * there[..., None])
            flags.append(there)
        return xp.concatenate([*parts, xp.stack(flags, axis=-1).astype(xp.float32)], axis=-1).astype(xp.float32)


def last_row(gather: Watch, one: Watched) -> Seen:
    """What is seen of the last row of a series, without an axis of batch."""
    seen = gather.seen(arrays_of([one]), np.array([len(one.times) - 1], np.int32))
    return Seen(seen.values[0], seen.context[0], seen.now[0])


def parts_of(series: Sequence[Watched]) -> dict[str, np.ndarray]:
    """The ids of each part: the training rows; all rows of the series for validation; all rows of all series.

    A detector is judged from a series' beginning, or it knows of no past. The loss of the last two parts is that of the
    last fifth of the training rows.
    """
    starts = np.cumsum([0, *(len(one.times) for one in series)])
    every = np.arange(starts[-1])
    own = np.split(every, starts[1:-1])
    train = [rows[one.known + 1 : one.validated] + starts[-1] for rows, one in zip(own, series, strict=True)]
    tuned = [rows for rows, one in zip(own, series, strict=True) if one.tuned] or own
    found = {"train": np.concatenate(train), "validation": np.concatenate(tuned), "test": every}
    return {part: ids.astype(np.int32) for part, ids in found.items()}
