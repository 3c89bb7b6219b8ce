"""What a date says by itself, past and future: where in its day, its week and its year it is.

Legend: N rows.
"""

import numpy as np

from seqjax.data.series import steps
from seqjax.data.series.steps import Step

DAY = steps.UNITS["day"]


def names(step: Step | None) -> list[str]:
    """Which circles tell apart dates that are a step apart: the hour of a monthly row says nothing."""
    if step is None:
        return []
    day = step.seconds * 1e6 < DAY
    week = step.unit == steps.BUSINESS_DAYS or (step.unit == steps.MICROSECONDS and step.count < 7 * DAY)
    return ["day"] * day + ["week"] * week + ["year"] * (step.seconds * 1e6 < 365 * DAY)


def covariates(times: np.ndarray, step: Step | None) -> np.ndarray:
    """[N, 2 for each of `names`] float32: sine and cosine of the place in the day, the week (from Monday), the year."""
    found = []
    for name in names(step):
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
    period = DAY if name == "day" else 7 * DAY
    return (since % period) / period
