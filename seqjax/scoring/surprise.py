"""How surprising a row is: its residual beside those of the past, row by row, in one pass.

The mean of the last few residuals is compared with all such means before it. Its `likelihood`, as Numenta's detector
has it (Ahmad et al. 2017, "Unsupervised real-time anomaly detection for streaming data"), is the probability Q of a
larger one under a Gaussian, whose mean and variance are followed as they come; by `conformal` it is the share of them
that were as large, with no distribution assumed (Laxhammar 2014). The score is -log10 of that, and more where a value
lies outside all that was seen before.

Nothing here looks ahead, and there is but one implementation: a whole series and a stream give the same bits.

Legend: N rows, F columns.
"""

import bisect
import collections
import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqjax.errors import UserError, check_least

CALIBRATIONS = ("likelihood", "conformal")
FAR = 37.0
"""Deviations behind which Q is below the smallest float."""
LEAST = 1e-6
"""The smallest deviation, as a share of the mean (or of 1): of residuals that have all been the same."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How residuals become a score, and scores alarms."""

    short: int = 16
    """Rows in the short-term mean."""
    long: int = 3000
    """Rows after which the past begins to fade (likelihood), or is forgotten (conformal)."""
    calibration: str = "likelihood"
    most: float = 8.0
    """Of the residuals' score."""
    outside: float = 6.0
    """What a value adds to it that is outside the range that was seen before; ..."""
    tolerance: float = 0.02
    """... by more than this share of the range."""
    level: float = 6.0
    """From this score on a row is an alarm, unless there was one shortly before: ..."""
    quiet: int = 100
    """... so many rows are silent after one; ..."""
    warm: int = 100
    """... and before there were so many rows there is none: nothing is known yet."""

    still: bool = False
    """A column that has never changed in so many rows, and does, is an alarm by itself."""

    def __post_init__(self):
        if self.calibration not in CALIBRATIONS:
            raise UserError(f"calibration={self.calibration} is unknown; choices: {', '.join(CALIBRATIONS)}")
        for knob, least in (("short", 1), ("long", 2), ("quiet", 0), ("warm", 0)):
            check_least(knob, getattr(self, knob), least)
        if not self.level > 0:
            raise UserError(f"level={self.level}: must be above 0, or every row is an alarm")


class Surprise:
    """What is remembered of a series."""

    def __init__(self, recipe: Recipe):
        self.recipe = recipe
        self.recent: collections.deque[float] = collections.deque(maxlen=recipe.short)
        self.count, self.mean, self.variance = 0, 0.0, 0.0
        """Of the short-term means so far."""
        self.order: collections.deque[float] = collections.deque()
        """The means themselves, for `conformal`, as they came; ..."""
        self.sorted: list[float] = []
        """... and ascending."""
        self.low: list[float] = []
        self.high: list[float] = []
        self.since: int | None = None
        """Rows since the last alarm; None: there was none."""

    def score(self, residual: float, values: Sequence[float]) -> float:
        """Of the next row, from its residual, of which the size counts, and its values [F].

        A row with a residual or a value that is no finite number is not judged: 0, and nothing is remembered of it.
        """
        if not all(map(math.isfinite, (residual, *values))):
            return 0.0
        self.recent.append(abs(residual))
        mean = sum(self.recent) / len(self.recent)
        found = self._conformal(mean) if self.recipe.calibration == "conformal" else self._likelihood(mean)
        self.count += 1
        found = min(found, self.recipe.most)
        if self.recipe.still and self.count > self.recipe.warm and self._has_begun(values):
            found += self.recipe.level
        return found + self.recipe.outside * self._is_outside(values)

    def _likelihood(self, mean: float) -> float:
        change = mean - self.mean
        deviation = max(math.sqrt(self.variance), LEAST * max(1.0, abs(self.mean)))
        z = change / deviation if self.count else 0.0
        share = 1 / min(self.count + 1, self.recipe.long)
        self.mean += share * change
        self.variance = (1 - share) * (self.variance + share * change * change)
        return -math.log10(0.5 * math.erfc(min(z, FAR) / math.sqrt(2)))

    def _conformal(self, mean: float) -> float:
        larger = len(self.sorted) - bisect.bisect_left(self.sorted, mean)
        found = -math.log10((1 + larger) / (1 + len(self.sorted)))
        bisect.insort(self.sorted, mean)
        self.order.append(mean)
        if len(self.order) > self.recipe.long:
            self.sorted.pop(bisect.bisect_left(self.sorted, self.order.popleft()))
        return found

    def _has_begun(self, values: Sequence[float]) -> bool:
        """Whether a column has another value than in all rows before."""
        return any(low == high != value for low, high, value in zip(self.low, self.high, values, strict=True))

    def _is_outside(self, values: Sequence[float]) -> bool:
        if not self.low:
            self.low, self.high = list(values), list(values)
        found = False
        for k, value in enumerate(values):
            margin = self.recipe.tolerance * (self.high[k] - self.low[k])
            found |= margin > 0 and not self.low[k] - margin <= value <= self.high[k] + margin
            self.low[k], self.high[k] = min(self.low[k], value), max(self.high[k], value)
        return found

    def is_alarm(self, score: float) -> bool:
        """Whether the row of this score is one. To be called for every row, in order."""
        silent = self.count <= self.recipe.warm or (self.since is not None and self.since < self.recipe.quiet)
        found = score >= self.recipe.level and not silent
        self.since = 0 if found else None if self.since is None else self.since + 1
        return found

    def state(self) -> list[Any]:
        """For JSON."""
        numbers = [self.count, self.mean, self.variance, self.since]
        return [numbers, list(self.recent), list(self.order), self.low, self.high]

    def restore(self, state: Sequence[Any]) -> None:
        """Undo `state`. Raises TypeError or ValueError: it did not give this."""
        numbers, recent, order, low, high = state
        self.count, self.mean, self.variance, self.since = numbers
        self.recent.extend(map(float, recent))
        self.order = collections.deque(map(float, order))
        self.sorted = sorted(self.order)
        self.low, self.high = list(map(float, low)), list(map(float, high))


def judged(recipe: Recipe, residuals: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of a whole series, from its beginning.

    Args:
      residuals: [N].
      values: [N, F].

    Returns:
      the scores [N], and whether each row is an alarm [N].
    """
    surprise, scores, alarms = Surprise(recipe), np.empty(len(values)), np.zeros(len(values), bool)
    for row, (residual, own) in enumerate(zip(residuals.tolist(), values.tolist(), strict=True)):
        scores[row] = surprise.score(residual, own)
        alarms[row] = surprise.is_alarm(scores[row])
    return scores, alarms
