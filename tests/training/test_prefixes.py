"""Verdicts after every step: losses and scores against loops."""

from typing import Any

import numpy as np
import pytest

from seqjax.data.dataset import Answers, Dataset
from seqjax.training import prefixes

OUTPUTS: Any = np.array([[1, -1, 2, 3], [-1, -2, 9, 9], [1, 1, 1, -1], [2, 9, 9, 9]], np.float32)
TARGETS: Any = np.array([[2, 2, 2, 2], [1, 1, 0, 0], [2, 2, 2, 2], [1, 0, 0, 0]], np.int32)
"""Right from step 3 on; from 1 on; never; never."""


def answers(**arrays):
    dataset = Dataset(arrays, lambda arrays, ids: (ids, ids), {}, "", "", classes=("human", "bot"))
    return Answers(OUTPUTS, TARGETS, np.arange(4), dataset)


def test_the_loss_is_the_mean_over_a_sequences_own_steps():
    nats = np.log1p(np.exp(np.where(TARGETS == 2, -OUTPUTS, OUTPUTS).astype(np.float64)))
    expected = [np.mean(nats[k, : np.count_nonzero(TARGETS[k])]) for k in range(4)]
    np.testing.assert_allclose(prefixes.prefix_cross_entropy(OUTPUTS, TARGETS), expected, rtol=1e-6)


def test_the_last_verdict_is_that_of_the_last_real_step():
    np.testing.assert_array_equal(prefixes.last_accuracy(OUTPUTS, TARGETS), [1, 1, 0, 0])
    scores = prefixes.prefix_classification()["scores"]
    assert scores["accuracy"](answers()) == 0.5
    assert scores["confusion"](answers())["counts"] == [[1, 1], [1, 1]]
    assert scores["auroc"](answers()) == 0.75  # of the humans -2 and 2, of the bots 3 and -1


def test_padding_changes_nothing():
    wide: Any = np.pad(OUTPUTS, [(0, 0), (0, 3)], constant_values=5), np.pad(TARGETS, [(0, 0), (0, 3)])
    np.testing.assert_array_equal(prefixes.prefix_cross_entropy(*wide), prefixes.prefix_cross_entropy(OUTPUTS, TARGETS))
    np.testing.assert_array_equal(prefixes.last_accuracy(*wide), prefixes.last_accuracy(OUTPUTS, TARGETS))


def test_how_soon_verdicts_are_right_and_stay_so():
    found = prefixes.prefixes(answers())
    assert found["steps"] == [1, 2, 4]
    assert found["accuracy"] == [0.75, 0.5, 0.5]
    assert found["settled"] == {"median": 3.0, "p90": None, "never": 0.5}
    assert "best_possible" not in found


def test_the_best_possible_is_shown_beside():
    odds = np.log([[1, 3, 4, 9], [1, 1, 1, 1], [1, 0.5, 1, 1], [4, 1, 1, 1]])
    best = prefixes.prefixes(answers(log_odds=odds))["best_possible"]
    after = [[0.5, 0.5, 0.5, 0.8], [0.75, 0.5, 2 / 3, 0.8], [0.9, 0.5, 0.5, 0.8]]
    assert best == pytest.approx(np.mean(after, axis=1))
