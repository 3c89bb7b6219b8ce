"""What needs no model: the naive and the seasonal naive forecast of a panel, scored as a model's forecasts are.

Legend: N examples, H horizon, Q levels.
"""

from typing import Any

import numpy as np

from seqjax.data.dataset import Dataset
from seqjax.data.series import panel_truth
from seqjax.data.series.panel_truth import Truth
from seqjax.scoring import forecasts as scoring

NAMES = {"naive": "naive", "seasonal_naive": "seasonal"}


def scores(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """`Dataset.baselines`: both names -> part -> `of_point`'s scores; of the seasonal one its `season`, too.

    dataset: with `kept`.
    """
    held = dataset.kept
    found: dict[str, dict[str, Any]] = {"naive": {}, "seasonal_naive": {"season": int(held["season"])}}
    for part in ("validation", "test"):
        truth = panel_truth.truth(dataset, dataset.parts[part])
        for name, field in NAMES.items():
            point = getattr(truth, field)
            found[name][part] = of_point(point, truth) | _at_all(point, truth.actual, tuple(held["levels"]))
    return found if held["season"] > 1 else {"naive": found["naive"]}


def of_point(point: np.ndarray, truth: Truth) -> dict[str, float]:
    """The scores of a forecast in one number [N, H]: `seqjax.scoring.forecasts` says what they are."""
    return {
        "mae": scoring.mae(point, truth.actual),
        "rmse": scoring.rmse(point, truth.actual),
        "smape": scoring.smape(point, truth.actual),
        "mase": scoring.mase(point, truth.actual, truth.scale).mean,
        "rmsse": scoring.rmsse(point, truth.actual, truth.square).mean,
        "nd": scoring.nd(point, truth.actual),
    }


def _at_all(point: np.ndarray, actual: np.ndarray, levels: tuple[float, ...]) -> dict[str, float]:
    """Of a forecast that is the same at all levels."""
    same = np.repeat(point[:, :, None], len(levels), axis=2)
    return {
        "wql": scoring.wql(same, levels, actual),
        "pinball": float(np.mean(scoring.pinball(same, levels, actual))),
    }
