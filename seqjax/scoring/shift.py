"""Whether a forecast knows the next value, or is the last one drawn a step later.

On a price chart any forecast near the last value lies on the curve, and looks like skill. Three correlations tell:

    of_last     of the forecast with the value that was last known
    of_next     of the forecast with the value that came
    of_changes  of the change that was forecast with the change that came

A forecast that is the last value, shifted, has of_last = 1 > of_next, and its changes say nothing of the true ones. One
that knows what comes has of_changes > 0, whatever the chart looks like.

Legend: N forecasts.
"""

from typing import NamedTuple

import numpy as np

SAME = 1e-12
"""Deviations below this share of the values' size are rounding: what is constant has no correlation."""


class Shift(NamedTuple):
    """Correlations (Pearson's); 0 where one of two is constant."""

    of_last: float
    of_next: float
    of_changes: float


def shift(last: np.ndarray, forecast: np.ndarray, came: np.ndarray) -> Shift:
    """The test of forecasts [N] of values `came` [N], made when `last` [N] was known."""
    last, forecast, came = (np.asarray(values, np.float64) for values in (last, forecast, came))
    size = max(float(np.abs(values).max(initial=0)) for values in (last, forecast, came))
    of = lambda a, b: _correlation(a, b, SAME * size)
    return Shift(of(forecast, last), of(forecast, came), of(forecast - last, came - last))


def _correlation(a: np.ndarray, b: np.ndarray, least: float) -> float:
    """Of two that each deviate by more than `least`; else 0."""
    if not len(a) or min(a.std(), b.std()) <= least:
        return 0.0
    a, b = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
    return float(np.clip((a * b).mean(), -1, 1))
