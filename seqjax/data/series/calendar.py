"""What a date says by itself, past and future: where in its day, its week and its year it is.

Legend: N rows.
"""

from collections.abc import Sequence

import numpy as np

from seqjax.data.series import steps
from seqjax.data.series.steps import Step

DAY = steps.UNITS["day"]
PERIODS = {"day": DAY, "week": 7 * DAY, "year": 365 * DAY}
"""In microseconds."""


def names(step: Step | None, span: float) -> list[str]:
    """Which circles say something of dates that are a step apart, over `span` seconds of training.

    The hour of a monthly row says nothing; and a circle that does not close twice is no season but a date: what is
    learned of it is learned by heart. (ETTh1 has one year of training; with the year told its errors are larger.)
    """
    if step is None:
        return []
    week = step.unit == steps.BUSINESS_DAYS or (step.unit == steps.MICROSECONDS and step.count < 7 * DAY)
    told = {"day": step.seconds * 1e6 < DAY, "week": week, "year": step.seconds * 1e6 < 365 * DAY}
    return [name for name, does in told.items() if does and 1e6 * span >= 2 * PERIODS[name]]


def covariates(times: np.ndarray, circles: Sequence[str]) -> np.ndarray:
    """[N, 2 for each of `names`] float32: sine and cosine of the place in the day, the week (from Monday), the year."""
    found = []
    for name in circles:
        share = _shares(times, name)
        found += [np.sin(2 * np.pi * share), np.cos(2 * np.pi * share)]
    return np.stack(found, axis=1).astype(np.float32) if found else np.zeros((len(times), 0), np.float32)


def _shares(times: np.ndarray, name: str) -> np.ndarray:
    """[N] 0 to 1."""
    if name == "year":
        year = times.astype("datetime64[Y]")
        first, after = year.astype("datetime64[us]"), (year + 1).astype("datetime64[us]")
        return (times - first) / (after - first)
    since = (times - np.datetime64("1970-01-05", "us")).astype(np.int64)  # a Monday
    return (since % PERIODS[name]) / PERIODS[name]
