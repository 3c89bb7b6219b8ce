"""A forecast beside the last value: its skill, whether it is the last value shifted, and a stretch of both to be drawn.

Of answers of models of a table's windows (`seqjax.data.series.table_windows`), whose targets are the changes from a
window's last row.

Legend: N windows of a part.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from seqjax.data.dataset import Answers
from seqjax.scoring.shift import Shift, shift

CHART = 120
"""Rows of the stretch."""


def scores() -> dict[str, Callable[[Answers], Any]]:
    """For `Experiment.scores`: the skill comes first."""
    return {
        "skill": skill,
        "of_changes": lambda answers: _shift(answers).of_changes,
        "of_last": lambda answers: _shift(answers).of_last,
        "of_next": lambda answers: _shift(answers).of_next,
        "chart": chart,
    }


def skill(answers: Answers) -> float:
    """1 - mean absolute error / the last value's, in the target's own unit; 0 where the last value is always right."""
    value, unit = (np.asarray(leaf, np.float64) for leaf in answers.targets)
    naive = (np.abs(value) * unit).sum()
    return float(1 - (np.abs(answers.outputs - value) * unit).sum() / naive) if naive else 0.0


def _shift(answers: Answers) -> Shift:
    last = _last(answers)
    return shift(last, last + answers.outputs, last + np.asarray(answers.targets[0], np.float64))


def chart(answers: Answers) -> dict[str, list[float]]:
    """The first `CHART` windows of a part: `last` known, `forecast` and `came`, in standard deviations."""
    last = _last(answers)
    found = {"last": last, "forecast": last + answers.outputs, "came": last + np.asarray(answers.targets[0])}
    return {name: [round(float(value), 4) for value in values[:CHART]] for name, values in found.items()}


def _last(answers: Answers) -> np.ndarray:
    """The last value that each window holds: [N] float64, standardised."""
    window, _ = answers.dataset.gather(answers.dataset.arrays, answers.ids)
    return np.asarray(window.level[:, 0], np.float64)
