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
    scored = ("validation", "test")
    behind = lambda part: targets[part] - (0 if first is None else first[targets[part]])  # rows of its series
    error = lambda rows, back: float(np.abs(values[rows] - values[rows - back]).mean())
    found: Scores = {"naive": {part: {"mae": error(targets[part], horizon)} for part in scored}}
    backs = {season: -(-horizon // season) * season for season in seasons}
    backs = {season: back for season, back in backs.items() if all((behind(part) >= back).all() for part in scored)}
    common = targets["train"][behind("train") >= max(backs.values(), default=0)]
    if backs:
        season = min(backs, key=lambda season: error(common, backs[season]) if len(common) else backs[season])
        errors = {part: {"mae": error(targets[part], backs[season])} for part in scored}
        found["seasonal_naive"] = {"season": season, **errors}
    return found
