"""seqjax.training.last_value: scores of answers beside the last value of each window."""

import json
from pathlib import Path

import numpy as np
import pytest

from seqjax.data.dataset import Answers
from seqjax.data.series.walks import Walk
from seqjax.training import last_value


def answers(phi, forecast):
    """Of the test part; forecast: of the standardised last value and the change that comes -> the change said."""
    dataset = Walk(phi=phi, rows=900, sequence_length=5, seed=3).load("sample", Path())
    ids = dataset.parts["test"]
    window, targets = dataset.gather(dataset.arrays, ids)
    return Answers(np.asarray(forecast(window.level[:, 0], targets.value), np.float32), targets, ids, dataset)


def test_skill_is_that_of_the_dataset_beside_the_baseline_and_the_best_one_has_the_optimum():
    phi = 0.5
    naive = answers(phi, lambda last, change: 0 * change)
    assert last_value.skill(naive) == 0
    facts = json.loads(naive.dataset.assets["series.json"])
    mean, std = facts["mean"][0][0], facts["std"][0][0]
    best = answers(phi, lambda last, change: (phi - 1) * (last * std + mean) / std)  # to the true mean, 0
    assert last_value.skill(best) == pytest.approx(best.dataset.optimum["skill"], abs=1e-5)
    assert last_value.skill(answers(phi, lambda last, change: change)) == 1
    scores = {name: score(best) for name, score in last_value.scores().items()}
    assert scores["of_changes"] == pytest.approx(((1 - phi) / 2) ** 0.5, abs=0.1)
    assert last_value.scores()["of_last"](naive) == pytest.approx(1)
    assert last_value.scores()["of_next"](naive) == pytest.approx(phi, abs=0.1)
    mae = best.dataset.baselines["naive"]["test"]["mae"] * (1 - scores["skill"])
    error = np.abs(best.outputs - best.targets.value) * best.targets.unit
    assert mae == pytest.approx(float(error.mean()), rel=1e-4)


def test_the_chart_is_the_first_windows_and_goes_on_row_by_row():
    chart = last_value.chart(answers(1.0, lambda last, change: 0 * change))
    assert {len(values) for values in chart.values()} == {last_value.CHART}
    assert chart["forecast"] == chart["last"]
    assert chart["came"][:-1] == pytest.approx(chart["last"][1:], abs=1e-3)
