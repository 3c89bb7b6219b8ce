"""Split conformal intervals, step by step of the horizon: from errors of held-out forecasts to intervals that cover.

If the errors at a step are exchangeable with those to come (drawn in random order from one law, whichever it is), the
interval of `share` covers the next value with a probability of at least `share`, and of at most 1 / (n + 1) more where
no two scores are equal; n is the number of held-out forecasts. It holds for each step by itself, not for all steps at
once. Errors of a series are not quite exchangeable: neighbouring windows overlap, and the weather of one year is not
that of the next. So the coverage on later data is to be measured, not assumed. Given the held-out forecasts the
coverage is itself random: of m values to come, exchangeable ones, it covers a number that is beta-binomial of (m, k,
n + 1 - k), k the rank below (Vovk 2012).

Papadopoulos et al. 2002, Lei et al. 2018 (absolute residuals); Romano, Patterson, Candes 2019 (quantiles: CQR).

Legend: N held-out forecasts, H steps of the horizon.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray


def rank(count: int, share: float) -> int:
    """k = ceil((count + 1) share): the k-th smallest of `count` scores is the finite-sample quantile.

    It is count + 1, and the interval infinite, where there are fewer than `least(share)` scores.

    >>> rank(99, share=0.9)
    90
    """
    if not 0 < share < 1:
        raise ValueError(f"share {share}: must lie between 0 and 1")
    return math.ceil(round((count + 1) * share, 9))  # 100 * 0.55 is a little more than 55 in binary


def least(share: float) -> int:
    """The smallest number of scores of which the quantile is finite: 9 of 90 %, 19 of 95 %.

    >>> least(0.95)
    19
    """
    return next(count for count in range(1, 1 + math.ceil(1 / (1 - share))) if rank(count, share) <= count)


def quantiles(scores: Array, share: float) -> Array:
    """[H]: of each step the k-th smallest of the scores [N, H], NaN (missing) left out; inf where these are too few.

    >>> quantiles(np.arange(1.0, 20.0)[:, None], share=0.9)
    array([18.])
    """
    scores = np.asarray(scores, np.float64)
    ordered = np.sort(scores, axis=0)  # NaN last
    counts = (~np.isnan(scores)).sum(axis=0)
    ranks = [rank(int(count), share) for count in counts]
    each = zip(ranks, counts, ordered.T, strict=True)
    return np.array([column[k - 1] if k <= count else np.inf for k, count, column in each])


def absolute(point: Array, actual: Array, share: float) -> Array:
    """[H] the half width of the interval around a point forecast: quantiles of |actual - point|, [N, H] each.

    >>> rng = np.random.default_rng(0)
    >>> absolute(np.zeros((99, 1)), rng.normal(size=(99, 1)), share=0.9).round(2)
    array([1.57])
    """
    return quantiles(np.abs(_same(point, actual) - actual), share)


def margins(low: Array, high: Array, actual: Array, share: float) -> Array:
    """[H] by how much to widen intervals [low, high] on either side, or where below zero to narrow them (CQR).

    Quantiles of max(low - actual, actual - high), [N, H] each. So intervals that are wider where the model is less
    sure remain so.

    >>> rng = np.random.default_rng(0)
    >>> low, high = np.full((99, 1), -1.0), np.full((99, 1), 1.0)
    >>> margins(low, high, rng.normal(size=(99, 1)), share=0.9).round(2)
    array([0.57])
    """
    return quantiles(np.maximum(_same(low, actual) - actual, actual - _same(high, actual)), share)


def around(point: Array, half: Array) -> tuple[Array, Array]:
    """(low, high) [N, H] around a point forecast [N, H], of `absolute`'s half width [H].

    >>> around(np.array([[2.0]]), np.array([0.5]))
    (array([[1.5]]), array([[2.5]]))
    """
    return np.asarray(point, np.float64) - half, np.asarray(point, np.float64) + half


def widened(low: Array, high: Array, margin: Array) -> tuple[Array, Array]:
    """(low, high) [N, H] widened by `margins` [H]; narrowed no further than to their middle, where both ends meet.

    >>> widened(np.array([[2.0]]), np.array([[3.0]]), np.array([0.5]))
    (array([[1.5]]), array([[3.5]]))
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    margin = np.maximum(margin, (low - high) / 2)
    return low - margin, high + margin


def calibrate(forecasts: Array, levels: Sequence[float], actual: Array) -> Array:
    """[P, H] the `margins` of each of the P central intervals that the levels make, the widest first.

    Args:
      forecasts: [N, H, Q] at `levels`.
      levels: Q, ascending and symmetric about 1/2.
      actual: [N, H], NaN where missing.

    Raises:
      ValueError: levels that are not symmetric, or too few forecasts for one of the intervals to be finite.

    >>> rng = np.random.default_rng(0)
    >>> forecasts = np.broadcast_to([-1.0, 0.0, 1.0], (99, 2, 3))
    >>> calibrate(forecasts, [0.1, 0.5, 0.9], rng.normal(size=(99, 2))).round(2)
    array([[0.3 , 0.31]])
    """
    found = []
    for k in range(len(levels) // 2):
        share = levels[-1 - k] - levels[k]
        if abs(levels[k] + levels[-1 - k] - 1) > 1e-9:
            raise ValueError(f"levels {', '.join(map(str, levels))}: must be symmetric about 0.5")
        margin = margins(forecasts[..., k], forecasts[..., -1 - k], actual, share)
        if np.isinf(margin).any():
            raise ValueError(
                f"an interval of {share:.4g} takes {least(share)} forecasts that are held out, at every step"
            )
        found.append(margin)
    return np.array(found).reshape(-1, np.shape(actual)[1])


def calibrated(forecasts: Any, margin: Any, xp: Any = np) -> Any:
    """Forecasts [..., H, Q] with every central interval widened or narrowed by its margin [P, H]; ascending again.

    The median stays, unless an interval is narrowed to a point beside it.

    Args:
      xp: numpy, or what has its functions for other arrays (jax.numpy).

    >>> calibrated(np.array([[-1.0, 0.0, 1.0]]), margin=np.array([[0.5]]))
    array([[-1.5,  0. ,  1.5]])
    """
    margin, count = np.asarray(margin, np.float64), np.shape(forecasts)[-1]
    side = np.sign(np.arange(count) - (count - 1) / 2)  # -1 below the median
    shift = np.zeros((margin.shape[-1], count))
    for k, own in enumerate(margin):
        shift[:, k], shift[:, count - 1 - k] = -own, own
    moved = forecasts + shift.astype(forecasts.dtype).reshape((1,) * (np.ndim(forecasts) - 2) + shift.shape)
    other = moved[..., ::-1]
    crossed = (other - moved) * side.astype(forecasts.dtype).reshape((1,) * (np.ndim(forecasts) - 1) + (-1,)) > 0
    return xp.sort(xp.where(crossed, (moved + other) / 2, moved), axis=-1)


def _same(forecast: Array, actual: Array) -> Array:
    """The forecast, in float64. Raises ValueError: other shapes, or NaN where there is something to be forecast."""
    forecast = np.asarray(forecast, np.float64)
    if forecast.shape != np.shape(actual) or forecast.ndim != 2:
        raise ValueError(f"shapes {forecast.shape} and {np.shape(actual)}: must both be [N, H]")
    if (np.isnan(forecast) & ~np.isnan(actual)).any():
        raise ValueError("a held-out forecast is NaN: no interval follows from it")
    return forecast
