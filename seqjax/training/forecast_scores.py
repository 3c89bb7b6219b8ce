"""Scores of forecasts of all steps of a horizon: functions of all answers of a part, in the targets' own unit.

Legend: N examples, H horizon, Q levels.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from seqjax.data.dataset import Answers
from seqjax.data.series import panel_baselines, panel_truth
from seqjax.data.series.panel_truth import Truth
from seqjax.scoring import forecasts as scoring
from seqjax.training import forecast_details

Score = Callable[[Answers], Any]
POINTS = ("mae", "rmse", "nd", "smape", "mase", "rmsse")
"""Of the median: see `seqjax.scoring.forecasts`. Those of many series of unlike size are told by the last three."""


def scores(levels: tuple[float, ...], quoted: str = "wql") -> dict[str, Score]:
    """`Experiment.scores`.

    Args:
      levels: of the answers.
      quoted: the score that stands first.

    Returns:
      `wql`, `pinball`, `POINTS`; of every central interval of 90 % (say) `coverage_90`, `width_90`, `winkler_90`; and,
      as details, `coverage` with its binomial interval and what the report draws.
    """
    found: dict[str, Score] = {"wql": lambda answers: scoring.wql(*_judged(answers, levels))}
    found["pinball"] = lambda answers: float(np.mean(scoring.pinball(*_judged(answers, levels))))
    found |= {name: _of_point(name, levels) for name in POINTS}
    for k in range(len(levels) // 2):
        found |= _of_interval(k, _share(levels, k))
    found |= {"coverage": lambda answers: coverage(answers, levels)}
    found[forecast_details.NAME] = lambda answers: _details(answers, levels)
    return {quoted: found[quoted], **found}


def coverages(levels: tuple[float, ...]) -> dict[str, Score]:
    """`coverage_90` (say) of every central interval."""
    return {name: score for name, score in scores(levels).items() if name.startswith("coverage_")}


def _share(levels: tuple[float, ...], k: int) -> float:
    """What the k-th interval from the widest is meant to cover."""
    return round(levels[-1 - k] - levels[k], 9)


def percent(share: float) -> str:
    """`90`, of a name."""
    return f"{100 * share:g}"


def coverage(answers: Answers, levels: tuple[float, ...]) -> dict[str, dict[str, float]]:
    """By interval (`90`): the share covered, with a 95 % interval as if each of the `count` values were one draw.

    A value is forecast by as many windows as there are steps; it counts once in the interval (Clopper and Pearson's),
    which is too narrow all the same where neighbouring values resemble each other.
    """
    forecasts, actual, count = panel_truth.quantiles(answers), truth_of(answers).actual, values_in(answers)
    found = {}
    for k in range(len(levels) // 2):
        share = scoring.coverage(forecasts[..., k], forecasts[..., -1 - k], actual).share
        once = scoring.share_of(round(share * count), count) if np.isfinite(share) else scoring.share_of(0, 0)
        found[percent(_share(levels, k))] = {"share": share, "low": once.low, "high": once.high, "count": count}
    return found


def values_in(answers: Answers) -> int:
    """How many different observed values all these forecasts are of."""
    held = answers.dataset.kept
    rows, target = np.divmod(np.asarray(answers.ids, np.int64), held["values"].shape[1])
    forecast = np.zeros(held["values"].shape, bool)
    forecast[rows[:, None] + np.arange(1, held["horizon"] + 1), target[:, None]] = True
    return int((forecast & ~np.isnan(held["values"])).sum())


def truth_of(answers: Answers) -> Truth:
    """What was to be forecast."""
    return panel_truth.truth(answers.dataset, answers.ids)


def _judged(answers: Answers, levels: tuple[float, ...]) -> tuple[np.ndarray, tuple[float, ...], np.ndarray]:
    return panel_truth.quantiles(answers), levels, truth_of(answers).actual


def _of_point(name: str, levels: tuple[float, ...]) -> Score:
    def score(answers: Answers) -> float:
        point = scoring.level(panel_truth.quantiles(answers), levels, 0.5)
        return panel_baselines.of_point(point, truth_of(answers))[name]

    return score


def _of_interval(k: int, share: float) -> dict[str, Score]:
    """Of the k-th interval from the widest, meant to cover `share`."""

    def of(score: Callable[[np.ndarray, np.ndarray, np.ndarray], float]) -> Score:
        def judged(answers: Answers) -> float:
            forecasts = panel_truth.quantiles(answers)
            return score(forecasts[..., k], forecasts[..., -1 - k], truth_of(answers).actual)

        return judged

    name = percent(share)
    return {
        f"coverage_{name}": of(lambda low, high, actual: scoring.coverage(low, high, actual).share),
        f"width_{name}": of(scoring.width),
        f"winkler_{name}": of(lambda low, high, actual: scoring.winkler(low, high, actual, share)),
    }


def _details(answers: Answers, levels: tuple[float, ...]) -> dict[str, Any]:
    """Of the test part alone: they are drawn, and results.json is to be small."""
    test = answers.dataset.parts["test"]
    if len(answers.ids) != len(test) or not np.isin(answers.ids, test).all():
        return {}
    return forecast_details.details(
        panel_truth.quantiles(answers), levels, truth_of(answers), answers.dataset, answers.ids
    )
