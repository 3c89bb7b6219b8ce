"""Where forecasts err: by step of the horizon, by hour of the day, by season of the year; and what is left to learn.

Legend: N forecasts, H steps of the horizon, G groups, K lags.
"""

import numpy as np

Array = np.ndarray
QUARTERS = ("December to February", "March to May", "June to August", "September to November")


def by_step(errors: Array) -> Array:
    """[H]: the mean of each step; errors [N, H], NaN where nothing was observed (nowhere at a step: NaN)."""
    return _means(errors, np.broadcast_to(np.arange(errors.shape[1]), errors.shape), errors.shape[1])


def by_hour(errors: Array, times: Array) -> Array:
    """[24]: the mean of each hour of the day that is forecast, NaN where none is; errors and times [N, H]."""
    hours = (times - times.astype("datetime64[D]")) // np.timedelta64(1, "h")
    return _means(errors, hours.astype(int), 24)


def by_quarter(errors: Array, times: Array) -> Array:
    """[4]: the mean of each of `QUARTERS`, the months of meteorology; errors and times [N, H]."""
    months = times.astype("datetime64[M]").astype(int) % 12  # from January
    return _means(errors, (months + 1) % 12 // 3, 4)


def autocorrelation(residuals: Array, places: Array, groups: Array, most: int) -> tuple[Array, Array]:
    """How far an error tells the next ones: of a model that has learned all there is, one step ahead, not at all.

    The sum over pairs at a lag, by the sum of squares, both of deviations from the mean of their group; divided by
    their numbers, so that gaps do no harm (without gaps it is the usual estimate times n / (n - lag)).

    Args:
      residuals: [N] of one step of the horizon, NaN where nothing was observed.
      places: [N] int: the row of its series that each is of.
      groups: [N] int: the series.
      most: the largest lag.

    Returns:
      the lags [K], multiples of the distance of two neighbours, and the correlations [K]; lag 0 is left out. Empty
      where no two residuals of a series are known.
    """
    seen = ~np.isnan(residuals)
    residuals, places, groups = residuals[seen], places[seen].astype(np.int64), groups[seen]
    order = np.lexsort((places, groups))
    residuals, places, groups = residuals[order], places[order], groups[order]
    within = groups[1:] == groups[:-1]
    apart = np.diff(places)[within]
    if not len(apart) or apart.min() < 1:
        return np.zeros(0, int), np.zeros(0)
    _, numbers, counts = np.unique(groups, return_inverse=True, return_counts=True)
    centred = residuals - (np.bincount(numbers, residuals) / counts)[numbers]
    unit = int(apart.min())
    lags = np.arange(unit, most + 1, unit)
    variance = np.square(centred).mean()
    room = int(places.max()) + most + 1
    keys = numbers * room + places  # ascending; a lag never leads into the next series
    found = []
    for lag in lags:
        at = np.searchsorted(keys, keys + lag).clip(max=len(keys) - 1)
        pairs = keys[at] == keys + lag
        products = centred[pairs] * centred[at[pairs]]
        found.append(products.mean() / variance if len(products) and variance > 0 else np.nan)
    return lags, np.array(found)


def rounded(values: Array, digits: int = 5) -> list[float]:
    """For JSON: that many significant digits."""
    return [float(f"{value:.{digits}g}") for value in np.asarray(values, float).ravel()]


def _means(values: Array, groups: Array, count: int) -> Array:
    """[G]: of the values that are no NaN."""
    seen = ~np.isnan(values)
    total = np.bincount(groups[seen], values[seen], minlength=count)
    number = np.bincount(groups[seen], minlength=count)
    return np.where(number, total / np.maximum(number, 1), np.nan)
