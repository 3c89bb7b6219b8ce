"""Forecasts and what was to be forecast in the targets' own unit, with the forecasts that need no model beside them.

In float64, from what `Dataset.kept` has: nothing here has been through float32.

Legend: N examples, R rows, S series, C targets, H horizon, Q levels.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seqjax.data.dataset import Answers, Dataset
from seqjax.data.series import steps
from seqjax.data.series.panel import Panel
from seqjax.scoring.forecasts import seasonal_scale

if TYPE_CHECKING:
    from seqjax.data.series.panel_arrays import Scale
    from seqjax.data.series.panel_parts import Edges
    from seqjax.data.series.panel_windows import Windows

MOST = 20_000
"""Examples that decide about the season."""


class Truth(NamedTuple):
    """Of N examples, float64."""

    actual: np.ndarray
    """[N, H], NaN where missing."""
    naive: np.ndarray
    """[N, H] the last value seen at the origin."""
    seasonal: np.ndarray
    """[N, H] the last season repeated; where a series has none yet, the naive forecast."""
    scale: np.ndarray
    """[N] for MASE: the mean absolute seasonal difference of what comes before the example's part."""
    square: np.ndarray
    """[N] for RMSSE: the root of its mean square."""
    unit: np.ndarray
    """[N] of one on the series' scale."""
    key: np.ndarray
    """[N] int: which series and target."""


def kept(
    panel: Panel,
    filled: np.ndarray,
    first: np.ndarray,
    scale: "Scale",
    edges: "Edges",
    season: int,
    windows: "Windows",
) -> dict[str, Any]:
    """`Dataset.kept` of a panel; first: [S, C] the first row with a value."""
    targets = len(panel.roles.targets)
    starts, stops = np.array(panel.bounds).T
    return {
        "values": panel.values[:, :targets],
        "filled": filled[:, :targets],
        "which": np.repeat(np.arange(len(starts)), stops - starts),
        "start": starts,
        "first": first,
        "edges": np.stack(edges),
        "unit": scale.unit[:, :targets],
        "horizon": windows.horizon,
        "season": season,
        "levels": np.array(windows.levels),
        "names": [panel.name(k, c) for k in range(len(starts)) for c in range(targets)],
        "times": panel.times,
    }


def quantiles(answers: Answers) -> np.ndarray:
    """[N, H, Q] float64 in the own unit of the targets."""
    held = answers.dataset.kept
    rows, target, which = _places(held, answers.ids)
    level, unit = held["filled"][rows, target], held["unit"][which, target]
    found = level[:, None, None] + unit[:, None, None] * np.asarray(answers.outputs, float)
    return counted(found, level[:, None, None]) if held.get("counts") else found


def counted(values: np.ndarray, level: np.ndarray) -> np.ndarray:
    """What float32 has made of counts [...], counts again; others as they are. A 3 is to cover a 3.

    Args:
      values: sums of a `level` [...] and a change that was computed in float32.
    """
    whole = np.round(values)
    return np.where(np.abs(values - whole) <= 1e-3 + 1e-6 * (np.abs(values) + np.abs(level)), whole, values)


def truth(dataset: Dataset, ids: np.ndarray) -> Truth:
    """Of the examples `ids` [N]."""
    held = dataset.kept
    rows, target, which = _places(held, ids)
    ahead = rows[:, None] + np.arange(1, held["horizon"] + 1)
    scales = _differences(held)
    part = np.where(rows + 1 >= held["edges"][1][which], 1, 0)
    key = which * held["values"].shape[1] + target
    return Truth(
        actual=held["values"][ahead, target[:, None]],
        naive=np.repeat(held["filled"][rows, target][:, None], held["horizon"], axis=1),
        seasonal=_seasonal(held["filled"], rows, target, held["first"][which, target], held["horizon"], held["season"]),
        scale=scales[0, part, key],
        square=scales[1, part, key],
        unit=held["unit"][which, target],
        key=key,
    )


def season(filled: np.ndarray, first: np.ndarray, ids: np.ndarray, windows: "Windows", panel: Panel) -> int:
    """Rows of one: the one asked for, or of those that suit the step the one that forecasts the training part best.

    Args:
      filled: [N, C + P] the values.
      first: [S, C] the first row with a value.
      ids: of the training part.
      windows: may ask for one.
      panel: of the series.
    """
    if windows.season is not None:
        return windows.season
    choices = [] if panel.step is None else steps.season_lengths(panel.step)
    if len(choices) < 2:
        return choices[0] if choices else 1
    targets = len(panel.roles.targets)
    some = ids[:: max(1, len(ids) // MOST)]
    rows, target = some // targets, some % targets
    stops = np.array([stop for _, stop in panel.bounds])
    begin = first[np.searchsorted(stops, rows, side="right"), target]
    whole = rows - begin >= max(choices)
    rows, target, begin = (leaf[whole] for leaf in (rows, target, begin))
    if not len(rows):
        return choices[0]
    actual = filled[rows[:, None] + np.arange(1, windows.horizon + 1), target[:, None]]
    forecast = lambda season: _seasonal(filled, rows, target, begin, windows.horizon, season)
    return min(choices, key=lambda season: float(np.abs(actual - forecast(season)).mean()))


def _places(held: Mapping[str, Any], ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows, targets, series), [N] each."""
    targets = held["values"].shape[1]
    rows = np.asarray(ids, np.int64) // targets
    return rows, np.asarray(ids, np.int64) % targets, held["which"][rows]


def _seasonal(
    filled: np.ndarray, rows: np.ndarray, target: np.ndarray, first: np.ndarray, horizon: int, season: int
) -> np.ndarray:
    """[N, H] the value a season before, or as many as it takes to be known at the origin; first: [N] of the series."""
    ahead = np.arange(1, horizon + 1)
    back = rows[:, None] + ahead - season * -(-ahead // season)
    back = np.where(back >= first[:, None], back, rows[:, None])
    return filled[back, target[:, None]]


def _differences(held: Mapping[str, Any]) -> np.ndarray:
    """[2, 2, S * C]: `seasonal_scale` of what comes before validation and before test, for MASE and for RMSSE."""
    values, season = held["values"], held["season"]
    series, targets = len(held["start"]), values.shape[1]
    found = np.full((2, 2, series, targets), np.nan)
    for k, start in enumerate(held["start"]):
        for part in range(2):
            own = values[start : held["edges"][part][k]]
            for c in range(targets):
                found[:, part, k, c] = [seasonal_scale(own[None, :, c], season, root=root)[0] for root in (False, True)]
    return found.reshape(2, 2, -1)
