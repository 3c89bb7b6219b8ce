"""The score of the Numenta Anomaly Benchmark, written from its formulas (Lavin and Ahmad 2015, arXiv 1510.03336).

A detector gives every row of every file a score; from a threshold on it is an alarm, one threshold for all files. The
first rows of a file are its probation, where no alarm counts. Of each window around an anomaly the best alarm counts,
the earlier the more; alarms outside cost, the more the farther they are behind the last window:

    s(y) = 2 / (1 + e^(5 y)) - 1, and -1 for y > 3
    in a window of w rows whose last is r:   A_TP s(-(r - i + 1) / w) / s(-1)   the largest of its alarms, else -A_FN
    behind a window, r its last row:         A_FP s((i - r) / (w - 1))          each alarm
    before the first one:                   -A_FP                               each alarm

Score = 100 (raw - null) / (perfect - null): 0 is a detector without alarms, 100 one that has each window's first row
and no other. NAB takes the threshold that is best on the very files that are scored (`judge`); `left_out` takes for
each file the one that is best on the others.

Legend: N rows of a file, W windows, M rows of all files.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from seqjax.errors import UserError

Windows = Sequence[tuple[int, int]]
"""[W] the first and the last row of each, in order, without a row in common."""
PROBATION, MOST_PROBATION = 0.15, 750
"""Of a file's rows, and in rows at most."""


class Profile(NamedTuple):
    """What an application pays for: A_TP, A_FN, A_FP."""

    hit: float
    miss: float
    false_alarm: float


PROFILES = {
    "standard": Profile(1.0, 1.0, 0.11),
    "reward_low_FP_rate": Profile(1.0, 1.0, 0.22),
    "reward_low_FN_rate": Profile(1.0, 2.0, 0.11),
}


@dataclasses.dataclass(frozen=True)
class Scored:
    """A file as a detector has seen it.

    Raises:
      UserError: scores that are not finite, or windows that are no windows of it.
    """

    scores: np.ndarray
    """[N] of each row: the larger, the more of an anomaly."""
    windows: Windows
    name: str = "scores"
    skipped: int | None = None
    """Rows at the beginning that are not judged; None: NAB's probation."""

    @property
    def begin(self) -> int:
        """The first row that is judged."""
        return probation(len(self.scores)) if self.skipped is None else self.skipped

    def __post_init__(self):
        scores = np.asarray(self.scores)
        if scores.ndim != 1 or not np.isfinite(scores).all():
            wrong = f"have shape {scores.shape}" if scores.ndim != 1 else _first_wrong(scores)
            raise UserError(f"{self.name}: scores {wrong}; a finite number for each row is needed")
        before = -1
        for first, last in self.windows:
            if not before < first <= last < len(scores):
                raise UserError(
                    f"{self.name}: the window of rows {first} to {last} overlaps another, comes before it, or ends "
                    f"before it begins or behind the last of {len(scores)} rows"
                )
            before = last


class Judged(NamedTuple):
    """What a detector is worth."""

    score: float
    """100 at best, 0 of one without alarms; may be negative where the threshold is given."""
    threshold: float
    """Scores from this on are alarms; inf: none is."""
    raw: float


def probation(rows: int) -> int:
    """How many rows at the beginning of a file of so many rows are not judged."""
    return min(int(PROBATION * rows), MOST_PROBATION)


def rows_of(times: np.ndarray, labels: Sequence[tuple[np.datetime64, np.datetime64]], name: str) -> Windows:
    """The rows [W] of windows that are given as dates, both ends included.

    An end that is no row's date is moved inwards to one that is. (NAB itself never enters a window whose left end is
    no row's date, nor any after it; its own labels are all rows' dates.)

    Args:
      times: [N] of the rows, in their order; some may be doubled or go back, as in NAB's own files: of rows with the
        date of an end the first one counts.
      labels: of the windows.
      name: of the file, for messages.

    Raises:
      UserError: a window without a row.
    """
    found = []
    for left, right in sorted(labels):
        inside = np.flatnonzero((times >= left) & (times <= right))
        if not len(inside):
            raise UserError(f"{name}: the window from {left} to {right} holds no row")
        ends = np.flatnonzero(times == right)
        found.append((int(inside[0]), int(ends[0]) if len(ends) else int(inside[-1])))
    return found


def sigmoid(y: np.ndarray) -> np.ndarray:
    """s(y)."""
    return np.where(y > 3, -1.0, 2 / (1 + np.exp(5 * np.minimum(y, 3))) - 1)


def weights(rows: int, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """What an alarm in each row is worth without a profile's costs.

    Returns:
      s(y) [N], in a window as a share of s(-1); the number [N] of the window that a row is in, or -1.
    """
    worth, inside = np.full(rows, -1.0), np.full(rows, -1)
    for number, (first, last) in enumerate(windows):
        width = last - first + 1
        own, behind = np.arange(first, last + 1), np.arange(last + 1, rows)
        worth[own] = sigmoid(-(last - own + 1) / width) / sigmoid(np.array(-1.0))
        inside[own] = number
        worth[behind] = sigmoid((behind - last) / (width - 1)) if width > 1 else -1.0
    return worth, inside


def gains(scored: Scored, profile: Profile) -> np.ndarray:
    """[N] what the raw score changes by when the threshold, coming from above, reaches a row's score.

    Rows of equal scores come in their order, and only the sum of them all is reached. Rows in probation, which do not
    count, are for the caller to leave out.
    """
    worth, inside = weights(len(scored.scores), scored.windows)
    changes = np.where(inside < 0, worth * profile.false_alarm, 0.0)
    for number in range(len(scored.windows)):
        own = np.flatnonzero(inside == number)
        own = own[own >= scored.begin]
        own = own[np.argsort(-scored.scores[own], kind="stable")]
        best = np.maximum.accumulate(np.concatenate([[-profile.miss], profile.hit * worth[own]]))
        changes[own] = np.diff(best)
    return changes


@dataclasses.dataclass(frozen=True)
class Sweep:
    """The raw score of files at every threshold that makes a difference."""

    thresholds: np.ndarray
    """Descending, the first one inf: no alarm."""
    raw: np.ndarray
    """At each of them."""

    @staticmethod
    def of(files: Sequence[Scored], profile: Profile) -> "Sweep":
        """Through all different scores."""
        scores = np.concatenate([np.asarray(one.scores, np.float64)[one.begin :] for one in files])
        changes = np.concatenate([gains(one, profile)[one.begin :] for one in files])
        order = np.argsort(-scores, kind="stable")
        scores, changes = scores[order], changes[order]
        ends = np.flatnonzero(np.diff(scores, append=-np.inf))  # of rows of equal scores the last
        none = null(files, profile)
        return Sweep(np.append(np.inf, scores[ends]), np.append(none, none + np.cumsum(changes)[ends]))

    def at(self, thresholds: np.ndarray) -> np.ndarray:
        """The raw scores at any thresholds."""
        return self.raw[np.searchsorted(-self.thresholds, -thresholds, side="right") - 1]

    def best(self) -> int:
        """The place of the best threshold, the highest of equals (to what rounding leaves of equal ones)."""
        return int(np.argmax(self.raw >= self.raw.max() - 1e-9))


def count(files: Sequence[Scored]) -> int:
    """Windows that can be found: without those that end in probation."""
    return sum(last >= one.begin for one in files for _, last in one.windows)


def null(files: Sequence[Scored], profile: Profile) -> float:
    """The raw score of a detector without alarms."""
    return -profile.miss * count(files)


def normalised(raw: float, files: Sequence[Scored], profile: Profile) -> float:
    """Raw scores brought to 0 and 100; of files without a window a raw score has no measure, and stays."""
    windows = count(files)
    return 100 * (raw - null(files, profile)) / ((profile.hit + profile.miss) * windows) if windows else raw


def judge(files: Sequence[Scored], profile: Profile, threshold: float | None = None) -> Judged:
    """The score at a threshold; None: at the one that is best on these very files, as NAB does."""
    sweep = Sweep.of(files, profile)
    if threshold is None:
        place = sweep.best()
        threshold, raw = float(sweep.thresholds[place]), float(sweep.raw[place])
    else:
        raw = float(sweep.at(np.array([threshold]))[0])
    return Judged(normalised(raw, files, profile), threshold, raw)


def left_out(files: Sequence[Scored], profile: Profile) -> float:
    """The score where each file has the threshold that is best on the other files alone."""
    every = Sweep.of(files, profile)
    raw = 0.0
    for one in files:
        own = Sweep.of([one], profile)
        others = Sweep(every.thresholds, every.raw - own.at(every.thresholds))
        raw += float(own.at(others.thresholds[[others.best()]])[0])
    return normalised(raw, files, profile)


def by_profile(files: Sequence[Scored]) -> Mapping[str, Judged]:
    """`judge` by the name of each profile."""
    return {name: judge(files, profile) for name, profile in PROFILES.items()}


def _first_wrong(scores: np.ndarray) -> str:
    row = int(np.argmax(~np.isfinite(scores)))
    return f"hold {scores[row]} in row {row + 1}"
