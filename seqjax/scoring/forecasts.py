"""How good forecasts are: point forecasts, quantiles and intervals, and the naive forecasts to hold them against.

All in float64 and in the target's own unit. NaN in `actual` or in a history is a missing value: it counts nowhere. NaN
in a forecast is no missing value: what is forecast as NaN and observed makes the score NaN, rather than better.
A mean over nothing is NaN.

Legend: N forecasts (a series at an origin each), H steps of the horizon, Q quantile levels, T time.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
ROUNDING = 1e-13
"""Differences of numbers that are alike, as a share of their size: 0.1 + 0.2 - 0.3 is not 0."""


class Scaled(NamedTuple):
    """A mean of errors that are divided by a scale of their series each."""

    mean: float
    """Over the forecasts whose scale is a number above zero; NaN if there is none."""
    left_out: int
    """Forecasts that do not count: their series is constant (scale 0), or too short for a scale (NaN)."""


class Coverage(NamedTuple):
    """The share of the observed values that an interval covers."""

    share: float
    low: float
    high: float
    """The Clopper-Pearson interval around the share, as if the values were independent of each other. Steps of one
    horizon and windows that overlap are not: the true interval is wider, so give windows that do not overlap."""
    count: int


def mae(point: Array, actual: Array) -> float:
    """The mean absolute error over all observed values: point, actual [N, H].

    >>> mae(np.array([[1.0, 2.0]]), np.array([[2.0, np.nan]]))
    1.0
    """
    return _mean(np.abs(_difference(point, actual)), actual)


def mse(point: Array, actual: Array) -> float:
    """The mean squared error over all observed values: point, actual [N, H]."""
    return _mean(np.square(_difference(point, actual)), actual)


def rmse(point: Array, actual: Array) -> float:
    """The root of `mse`, over all values at once (GluonTS's RMSE; not the mean of the series' roots)."""
    return float(np.sqrt(mse(point, actual)))


def nd(point: Array, actual: Array) -> float:
    """The normalised deviation: sum |actual - point| / sum |actual|, over all observed values (GluonTS's ND; WAPE).

    NaN where all that is observed is zero.
    """
    return _ratio(_total(np.abs(_difference(point, actual)), actual), _total(np.abs(actual), actual))


def smape(point: Array, actual: Array) -> float:
    """The symmetric mean absolute percentage error, in percent, 0 to 200.

    The mean of 200 |actual - point| / (|actual| + |point|) over the observed steps of each forecast, and of these over
    the forecasts with any (Makridakis et al. 2020, the M4 competition; GluonTS's sMAPE times 100). Where both are zero
    the forecast is right, and its term 0 (0/0 in GluonTS).

    >>> smape(np.array([[1.0, 0.0]]), np.array([[3.0, 0.0]]))
    50.0
    """
    apart, size = np.abs(_difference(point, actual)), np.abs(actual) + np.abs(point)
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = np.where(size == 0, 0.0, 200 * apart / size)
    return _mean_of_rows(_means(terms, actual), np.any(_observed(actual), axis=1))


def mase(point: Array, actual: Array, scale: Array) -> Scaled:
    """The mean absolute scaled error (Hyndman and Koehler 2006).

    Args:
      point, actual: [N, H].
      scale: [N] `seasonal_scale` of the series that each forecast is of.

    Returns:
      the mean over the forecasts of their mean absolute error by their scale (as GluonTS and M4).

    >>> history = np.array([[1.0, 2.0, 4.0, 4.0]])
    >>> mase(np.array([[4.0]]), np.array([[6.0]]), seasonal_scale(history, season=1))
    Scaled(mean=2.0, left_out=0)
    """
    return _scaled(_means(np.abs(_difference(point, actual)), actual), scale, actual)


def rmsse(point: Array, actual: Array, scale: Array) -> Scaled:
    """The root mean squared scaled error: as `mase`, of roots of mean squares; scale: [N], `root=True`.

    Hyndman and Koehler 2006; M5 takes season 1 for the scale.
    """
    return _scaled(np.sqrt(_means(np.square(_difference(point, actual)), actual)), scale, actual)


def pinball(forecasts: Array, levels: Sequence[float], actual: Array) -> Array:
    """[Q] the mean pinball (quantile) loss over the observed values: of each level.

    max(q (y - f), (q - 1) (y - f)), Koenker and Bassett 1978; scikit-learn's `mean_pinball_loss`. At 1/2 it is half the
    absolute error.

    Args:
      forecasts: [N, H, Q] at `levels`, Q probabilities.
      actual: [N, H].

    >>> pinball(np.array([[[1.0, 3.0]]]), [0.1, 0.9], np.array([[4.0]]))
    array([0.3, 0.9])
    """
    return np.array([_mean(terms, actual) for terms in _pinballs(forecasts, levels, actual)])


def wql(forecasts: Array, levels: Sequence[float], actual: Array) -> float:
    """The weighted quantile loss: the mean over levels of 2 sum pinball / sum |actual|; GluonTS's mean_wQuantileLoss.

    An approximation of the normalised CRPS, the better the denser the levels. Of a point forecast, repeated at levels
    that are symmetric about 1/2, it is `nd`.

    >>> round(wql(np.array([[[1.0, 3.0]]]), [0.1, 0.9], np.array([[4.0]])), 3)
    0.3
    """
    size = _total(np.abs(actual), actual)
    losses = [_ratio(2 * _total(terms, actual), size) for terms in _pinballs(forecasts, levels, actual)]
    return float(np.mean(losses))


def coverage(low: Array, high: Array, actual: Array, confidence: float = 0.95) -> Coverage:
    """How many of the observed values lie in [low, high], both ends included: [N, H] each."""
    seen = _observed(actual)
    ends = np.asarray(low, np.float64)[seen], np.asarray(high, np.float64)[seen]
    if np.isnan(ends).any():
        return Coverage(np.nan, np.nan, np.nan, int(seen.sum()))
    values = np.asarray(actual, np.float64)[seen]
    return share_of(int(((ends[0] <= values) & (values <= ends[1])).sum()), len(values), confidence)


def share_of(hits: int, count: int, confidence: float = 0.95) -> Coverage:
    """hits / count with its Clopper-Pearson interval (exact: it holds the true share at least as often as it says)."""
    from scipy.stats import binomtest

    if not count:
        return Coverage(np.nan, np.nan, np.nan, 0)
    ends = binomtest(hits, count).proportion_ci(confidence, "exact")
    return Coverage(hits / count, float(ends.low), float(ends.high), count)


def width(low: Array, high: Array, actual: Array) -> float:
    """The mean of high - low [N, H], where a value is observed: so it is of the cells that `coverage` is of."""
    return _mean(_difference(high, low), actual)


def winkler(low: Array, high: Array, actual: Array, share: float) -> float:
    """The mean interval score: high - low, and 2 / (1 - share) times what a value lies outside.

    Winkler 1972; Gneiting and Raftery 2007, equation 43; GluonTS's MSIS times the seasonal error.

    Args:
      low, high, actual: [N, H].
      share: what the interval is meant to cover, above 0 and below 1.

    >>> winkler(np.array([[0.0]]), np.array([[1.0]]), np.array([[1.5]]), share=0.5)
    3.0
    """
    if not 0 < share < 1:
        raise ValueError(f"share {share}: must lie between 0 and 1")
    outside = np.maximum(_difference(low, actual), 0) + np.maximum(_difference(actual, high), 0)
    return _mean(_difference(high, low) + 2 / (1 - share) * outside, actual)


def level(forecasts: Array, levels: Sequence[float], wanted: float) -> Array:
    """[N, H] the forecasts [N, H, Q] at one of their levels."""
    found = np.flatnonzero(np.isclose(levels, wanted, rtol=0, atol=1e-9))
    if not len(found):
        raise ValueError(f"there is no forecast at level {wanted:g}, only at {', '.join(map(str, levels))}")
    return np.asarray(forecasts, np.float64)[..., found[0]]


def interval(forecasts: Array, levels: Sequence[float], share: float) -> tuple[Array, Array]:
    """The central interval that is meant to cover `share`: the levels (1 - share) / 2 and (1 + share) / 2, [N, H]."""
    return level(forecasts, levels, (1 - share) / 2), level(forecasts, levels, (1 + share) / 2)


def naive(history: Array, horizon: int) -> Array:
    """[N, H] the last observed value of each history [N, T], at every step; NaN where none is observed.

    Pad histories of unequal lengths with NaN on the left.
    """
    return seasonal_naive(history, horizon, 1)


def seasonal_naive(history: Array, horizon: int, season: int) -> Array:
    """[N, H] the value one season before each step, the last season repeated; histories [N, T] as in `naive`.

    Where that value is missing it is the one of the last season that has it, and if none has, the last observed value.

    >>> seasonal_naive(np.array([[1.0, 2.0, 3.0, 4.0]]), horizon=3, season=2)
    array([[3., 4., 3.]])
    """
    history = np.atleast_2d(np.asarray(history, np.float64))
    if horizon < 1 or season < 1:
        raise ValueError(f"horizon {horizon}, season {season}: must both be at least 1")
    count, length = history.shape
    padding = np.full((count, -length % season), np.nan)
    by_phase = np.concatenate([padding, history], axis=1).reshape(count, -1, season)
    last = np.where(np.isnan(history).all(1), np.nan, _last_observed(history[:, :, None])[:, 0])
    phases = _last_observed(by_phase)
    phases = np.where(np.isnan(phases), last[:, None], phases)
    return phases[:, np.arange(horizon) % season]


def seasonal_scale(history: Array, season: int, *, root: bool = False) -> Array:
    """[N] what the errors of each series are divided by: the mean of |y[t] - y[t - season]| over its history [N, T].

    Over the pairs that are both observed. NaN where there is none: a series that is no longer than a season has no
    scale (GluonTS takes lag 1 there, which is another quantity). 0 of a series that does not change from season to
    season, but for the last bits of its numbers. `mase` and `rmsse` leave both out and say how many.

    Args:
      root: the root of the mean square instead, for `rmsse`.
    """
    history = np.atleast_2d(np.asarray(history, np.float64))
    if season < 1:
        raise ValueError(f"season {season}: must be at least 1")
    apart = np.abs(history[:, season:] - history[:, :-season])
    scale = np.sqrt(_means(apart**2, apart)) if root else _means(apart, apart)
    return np.where(scale <= ROUNDING * _means(np.abs(history), history), 0.0, scale)


def _last_observed(values: Array) -> Array:
    """[N, K]: along the second axis of [N, S, K], the last that is not NaN; NaN if all are."""
    if not values.shape[1]:
        return np.full((len(values), values.shape[2]), np.nan)
    back = np.argmax(~np.isnan(values[:, ::-1]), axis=1)
    return np.take_along_axis(values[:, ::-1], back[:, None], axis=1)[:, 0]


def _pinballs(forecasts: Array, levels: Sequence[float], actual: Array) -> list[Array]:
    """Of each level the losses [N, H]."""
    forecasts = np.asarray(forecasts, np.float64)
    if forecasts.shape[-1:] != (len(levels),) or not all(0 < level < 1 for level in levels):
        raise ValueError(f"forecasts {forecasts.shape}: the last axis must be of the levels, between 0 and 1: {levels}")
    apart = [_difference(actual, forecasts[..., number]) for number in range(len(levels))]
    return [np.maximum(level * terms, (level - 1) * terms) for level, terms in zip(levels, apart, strict=True)]


def _difference(a: Any, b: Any) -> Array:
    """a - b in float64; the shapes must be the same."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.shape != b.shape:
        raise ValueError(f"shapes {a.shape} and {b.shape}: must be the same")
    return a - b


def _observed(actual: Array) -> Array:
    return ~np.isnan(np.asarray(actual, np.float64))


def _total(terms: Array, actual: Array) -> float:
    return float(np.where(_observed(actual), terms, 0).sum())


def _mean(terms: Array, actual: Array) -> float:
    return _ratio(_total(terms, actual), float(_observed(actual).sum()))


def _ratio(top: float, bottom: float) -> float:
    return top / bottom if bottom else float("nan")


def _means(terms: Array, actual: Array) -> Array:
    """[N]: of each row over what is observed in it; NaN where nothing is."""
    seen = _observed(actual)
    counts = seen.sum(axis=1)
    return np.where(counts, np.where(seen, terms, 0).sum(axis=1) / np.maximum(counts, 1), np.nan)


def _mean_of_rows(values: Array, counted: Array) -> float:
    return _ratio(float(values[counted].sum()), float(counted.sum()))


def _scaled(errors: Array, scale: Array, actual: Array) -> Scaled:
    """The mean of errors / scale, both [N], over the rows of which something is observed."""
    scale = np.asarray(scale, np.float64)
    if scale.shape != errors.shape:
        raise ValueError(f"scale {scale.shape}: must be one number a forecast, {errors.shape}")
    seen, whole = np.any(_observed(actual), axis=1), scale > 0
    parts = errors / np.where(whole, scale, 1)
    return Scaled(_mean_of_rows(parts, seen & whole), int((seen & ~whole).sum()))
