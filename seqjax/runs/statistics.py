"""Means with intervals, and the tests behind the verdicts: Student's t, two-sided, 5 %."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

LEVEL = 0.05
LEAST = 3
"""Seeds below which nothing is decided."""


@dataclasses.dataclass(frozen=True)
class Mean:
    """The mean of N values, and half the 95 % interval around it."""

    mean: float
    half: float | None
    """None for one value."""
    count: int


@dataclasses.dataclass(frozen=True)
class Difference:
    """A mean difference with its 95 % interval and the p-value of there being none; None where N is too small."""

    test: str
    mean: float
    low: float | None
    high: float | None
    p: float | None
    count: int

    @property
    def decided(self) -> bool:
        """Whether the difference is significant."""
        return self.p is not None and self.p < LEVEL


def mean(values: Sequence[float]) -> Mean:
    """Of at least one value."""
    array = np.asarray(values, float)
    half = None
    if len(array) > 1:
        half = float(_quantile(len(array) - 1) * array.std(ddof=1) / math.sqrt(len(array)))
    return Mean(float(array.mean()), half, len(array))


def deviation(values: Sequence[float]) -> float | None:
    """The standard deviation (ddof 1), or None for one value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def difference(a: Mapping[int, float], b: Mapping[int, float] | float) -> Difference:
    """a - b, where each maps seeds to values.

    Paired over the seeds that both have; if these are fewer than three though both have three, Welch's test; against
    one number (what does not depend on a seed) the one-sample test.
    """
    if not isinstance(b, Mapping):
        return _one_sample("one-sample t-test", np.asarray([value - b for value in a.values()]))
    common = sorted(set(a) & set(b))
    if len(common) < LEAST <= min(len(a), len(b)):
        return _welch(np.asarray(list(a.values())), np.asarray(list(b.values())))
    if common:
        return _one_sample("paired t-test", np.asarray([a[seed] - b[seed] for seed in common]))
    apart = float(np.mean(list(a.values())) - np.mean(list(b.values())))
    return Difference("no common seeds", apart, None, None, None, min(len(a), len(b)))


def _one_sample(test: str, differences: np.ndarray) -> Difference:
    count, centre = len(differences), float(differences.mean())
    if count < LEAST:
        return Difference(test, centre, None, None, None, count)
    error = float(differences.std(ddof=1)) / math.sqrt(count)
    return _decide(test, centre, error, count - 1, count)


def _welch(a: np.ndarray, b: np.ndarray) -> Difference:
    parts = np.array([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])
    total = float(parts.sum())
    freedom = total**2 / float((parts**2 / [len(a) - 1, len(b) - 1]).sum()) if total else len(a) + len(b) - 2.0
    return _decide("Welch's t-test", float(a.mean() - b.mean()), math.sqrt(total), freedom, min(len(a), len(b)))


def _decide(test: str, centre: float, error: float, freedom: float, count: int) -> Difference:
    from scipy.special import stdtr

    statistic = abs(centre) / error if error else math.inf if centre else 0.0
    p = float(2 * stdtr(freedom, -statistic))
    half = float(_quantile(freedom)) * error
    return Difference(test, centre, centre - half, centre + half, p, count)


def _quantile(freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1 - LEVEL / 2))
