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
        found |= _of_interval(k, round(levels[-1 - k] - levels[k], 9))
    found |= {"coverage": lambda answers: coverage(answers, levels)}
    found[forecast_details.NAME] = lambda answers: _details(answers, levels)
    return {quoted: found[quoted], **found}


def percent(share: float) -> str:
    """`90`, of a name."""
    return f"{100 * share:g}"


def apart(answers: Answers) -> np.ndarray:
    """[N] bool: forecasts of a series whose horizons do not overlap, from the first on, so that each value is one's."""
    held = answers.dataset.kept
    rows, target = np.divmod(np.asarray(answers.ids, np.int64), held["values"].shape[1])
    taken = np.zeros(len(rows), bool)
    next_free: dict[tuple[int, int], int] = {}
    for n, (row, which, column) in enumerate(zip(rows, held["which"][rows], target, strict=True)):
        if row >= next_free.get((which, column), 0):
            taken[n] = True
            next_free[which, column] = row + held["horizon"]
    return taken


def coverage(answers: Answers, levels: tuple[float, ...]) -> dict[str, dict[str, float]]:
    """By interval (`90`): the share covered of the values of forecasts that do not overlap, with a 95 % interval.

    The interval is Clopper and Pearson's, of values independent of each other: of neighbouring hours it is too narrow.
    """
    forecasts, truth, some = panel_truth.quantiles(answers), truth_of(answers), apart(answers)
    found = {}
    for k in range(len(levels) // 2):
        own = scoring.coverage(forecasts[some, :, k], forecasts[some, :, -1 - k], truth.actual[some])
        found[percent(round(levels[-1 - k] - levels[k], 9))] = own._asdict()
    return found


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
    return forecast_details.details(
        panel_truth.quantiles(answers), levels, truth_of(answers), answers.dataset, answers.ids
    )
