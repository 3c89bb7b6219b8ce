"""What needs no model: the naive and the seasonal naive forecast, scored on the windows that a model is scored on.

Legend: N rows, W windows of a part.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Scores = dict[str, dict[str, Any]]


def scores(
    values: np.ndarray,
    targets: Mapping[str, np.ndarray],
    horizon: int,
    seasons: Sequence[int] = (),
    first: np.ndarray | None = None,
) -> Scores:
    """The mean absolute errors of both, in the target's own unit, in float64.

    Args:
      values: [N] of the target, what is missing filled with what was last seen.
      targets: the rows [W] to be forecast, of each part.
      horizon: rows from what is last known to the target.
      seasons: lengths in rows; the seasonal forecast takes the one that did best on the training part.
      first: [N] the first row of the series that each row belongs to; None: there is one series.

    Returns:
      {"naive": {"validation": {"mae": ...}, "test": ...}, "seasonal_naive": {"season": 24, "validation": ...}}, the
      latter only where all targets of validation and test have a season behind them.
    """
    starts = np.zeros(len(values), int) if first is None else first
    found: Scores = {"naive": {part: _error(values, rows, horizon) for part, rows in targets.items()}}
    candidates = []
    for season in seasons:
        back = -(-horizon // season) * season
        reached = {part: rows[rows - back >= starts[rows]] for part, rows in targets.items()}
        if all(len(reached[part]) == len(targets[part]) for part in ("validation", "test")) and len(reached["train"]):
            errors = {part: _error(values, rows, back) for part, rows in reached.items()}
            candidates.append({"season": season, **errors})
    if candidates:
        found["seasonal_naive"] = min(candidates, key=lambda own: own["train"]["mae"])
    return {name: {key: own[key] for key in own if key != "train"} for name, own in found.items()}


def _error(values: np.ndarray, rows: np.ndarray, back: int) -> dict[str, float]:
    return {"mae": float(np.abs(values[rows] - values[rows - back]).mean())}
