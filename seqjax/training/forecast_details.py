"""What results.json keeps of the forecasts of a part, so that the report can draw them: a few thousand numbers.

Legend: N forecasts, H steps of the horizon, Q levels, P points that are kept of them.
"""

from typing import Any

import numpy as np

from seqjax.data.dataset import Dataset
from seqjax.data.series import steps
from seqjax.data.series.panel_truth import Truth
from seqjax.scoring import breakdowns
from seqjax.scoring import forecasts as scoring

NAME = "forecasts"
"""Under which results.json has them."""
WINDOWS = 3
"""Forecasts that are kept whole."""
POINTS = 48
"""Steps that are kept of a long horizon."""
LAGS = 72
NAMES = ("forecast", "naive", "seasonal_naive")


def details(
    forecasts: np.ndarray, levels: tuple[float, ...], truth: Truth, dataset: Dataset, ids: np.ndarray
) -> dict[str, Any]:
    """For `seqjax.report`: mean absolute errors by step, hour and season; the residuals' autocorrelation; windows.

    Args:
      forecasts: [N, H, Q] at `levels`, the median among them.
      levels: Q.
      truth: of the N examples.
      dataset: of a panel.
      ids: [N] the examples.

    Returns:
      `forecasts` and `origins`: see `about`. `left_out`: forecasts that MASE does not count, for want of a scale.
      `scaled`: whether errors are by the scale of their series, because there are several in units of their own.
      `by_step`, `by_hour`, `by_season`, `autocorrelation`, `windows`: each only where there is something to tell.
      `step`: what the lists by step are of; before the origin they are `stride` apart.
    """
    held = dataset.kept
    point = forecasts[:, :, levels.index(0.5)]
    scaled = len(held["names"]) > 1
    unit = np.where(truth.scale > 0, truth.scale, np.nan) if scaled else np.ones(len(ids))
    made = dict(zip(NAMES, (point, truth.naive, truth.seasonal), strict=True))
    errors = {name: np.abs(each - truth.actual) / unit[:, None] for name, each in made.items()}
    rows = np.asarray(ids, np.int64) // held["values"].shape[1]
    found: dict[str, Any] = {"left_out": scoring.mase(point, truth.actual, truth.scale).left_out, "scaled": scaled}
    found |= {
        "step": (_some(point.shape[1]) + 1).tolist(),
        "by_step": _by_step(errors, forecasts, levels, truth.actual),
    }
    if held["times"] is not None:
        found |= _by_calendar(errors, held["times"][rows[:, None] + np.arange(1, point.shape[1] + 1)])
    residuals = (truth.actual - point)[:, 0] / unit
    lags, values = breakdowns.autocorrelation(residuals, rows, truth.key, LAGS)
    if len(lags) and not np.isnan(values).all():
        count = int((~np.isnan(residuals)).sum())
        found["autocorrelation"] = {"lag": lags.tolist(), "value": breakdowns.rounded(values), "count": count}
    found |= about(dataset, ids)
    return found | _windows(forecasts, levels, truth, dataset, rows)


def about(dataset: Dataset, ids: np.ndarray) -> dict[str, Any]:
    """How many `forecasts`, and where there are dates the first and the last of the `origins`; ids: [N]."""
    times = dataset.kept["times"]
    if times is None:
        return {"forecasts": len(ids)}
    origins = times[np.asarray(ids, np.int64) // dataset.kept["values"].shape[1]]
    return {"forecasts": len(ids), "origins": steps.texts(np.array([origins.min(), origins.max()]))}


def _by_step(errors: dict[str, np.ndarray], forecasts: np.ndarray, levels: Any, actual: np.ndarray) -> dict[str, Any]:
    """Errors, and what the widest interval covers."""
    covered = np.where(np.isnan(actual), np.nan, (forecasts[..., 0] <= actual) & (actual <= forecasts[..., -1]))
    some = _some(actual.shape[1])
    found: dict[str, Any] = {"share": round(levels[-1] - levels[0], 9)}
    each = {**errors, "covered": covered} if len(levels) > 1 else errors
    return found | {name: breakdowns.rounded(breakdowns.by_step(values)[some]) for name, values in each.items()}


def _by_calendar(errors: dict[str, np.ndarray], times: np.ndarray) -> dict[str, Any]:
    """By hour and by season, where there are several of them; times: [N, H]."""
    found = {}
    for name, means in (("by_hour", breakdowns.by_hour), ("by_season", breakdowns.by_quarter)):
        each = {made: means(values, times) for made, values in errors.items()}
        if (~np.isnan(each[NAMES[0]])).sum() > 1:
            found[name] = {made: breakdowns.rounded(values) for made, values in each.items()}
    return found


def _windows(
    forecasts: np.ndarray, levels: tuple[float, ...], truth: Truth, dataset: Dataset, rows: np.ndarray
) -> dict[str, Any]:
    """Some forecasts, evenly among all, with as many points before them as they have."""
    held, some, columns = dataset.kept, _some(forecasts.shape[1]), _columns(len(levels))
    stride = int(np.diff(some).max(initial=1))
    short = lambda values: breakdowns.rounded(values, 4)
    made = []
    for n in sorted({len(rows) * (2 * k + 1) // (2 * WINDOWS) for k in range(WINDOWS)}):
        row, target = int(rows[n]), int(truth.key[n]) % held["values"].shape[1]
        back = np.arange(row - stride * (len(some) - 1), row + 1, stride)
        back = back[back >= held["start"][held["which"][row]]]
        origin = None if held["times"] is None else steps.texts(held["times"][[row]])[0]
        made.append(
            {
                "name": held["names"][int(truth.key[n])],
                "origin": origin,
                "before": short(held["values"][back, target]),
                "actual": short(truth.actual[n, some]),
                "quantiles": [short(forecasts[n, some, q]) for q in columns],
            }
        )
    return {"windows": made, "stride": stride, "levels": [levels[q] for q in columns]}


def _some(horizon: int) -> np.ndarray:
    """[P] of the steps 0 .. H - 1, the last one among them."""
    stride = -(-horizon // POINTS)
    return np.arange(horizon - 1, -1, -stride)[::-1]


def _columns(count: int) -> list[int]:
    """Up to five of an odd number of levels: the outermost, the median, and those between."""
    middle = count // 2
    between = -(-middle // 2)
    return sorted({0, between, middle, count - 1 - between, count - 1})
