"""Losses and scores of detectors: by hand, from answers that are known."""

import dataclasses

import numpy as np
import pytest

from places import DATA
from seqjax.data.dataset import Answers
from seqjax.data.series import detections
from seqjax.data.series import nab as corpus
from seqjax.data.series.watch import Actual
from seqjax.scoring import nab
from seqjax.scoring.surprise import Recipe
from seqjax.training import watching

RECIPE = Recipe(level=corpus.NAIVE_LEVEL)


@pytest.fixture(scope="module")
def dataset():
    return corpus.Nab(recipe=RECIPE, horizon=1).load("sample", DATA)


def answers(dataset, part, horizon=1):
    ids = dataset.parts[part]
    every = np.concatenate([detections.last_known(one, horizon) for one in dataset.gather.series])
    actual = dataset.gather(dataset.arrays, ids)[1]
    return Answers(every[ids].astype(np.float32), actual, ids, dataset)


def test_an_error_counts_up_to_a_few_deviations_and_only_where_it_has_a_weight():
    targets = Actual(np.array([[1.0, 2.0], [0.0, 0.0], [100.0, 0.0]]), np.array([1.0, 0.0, 1.0]))
    sums, counts = watching.expected_error(np.zeros((3, 2)), targets)
    np.testing.assert_allclose(sums, [1.5, 0, 2.5])
    np.testing.assert_allclose(counts, [1, 0, 1])
    window = np.arange(6.0).reshape(1, 3, 2)
    sums, _ = watching.rebuilt_error((window + 1, window), Actual(window[:, -1], np.ones(1)))
    assert sums == pytest.approx(1)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_the_answers_of_the_last_value_have_the_scores_of_the_naive_baseline(dataset, part):
    scores = watching.AnomalyScores(RECIPE, corpus.Nab().quiet).scores(("nab", "nab_left_out", "vus_pr", "f1"))
    found = {name: score(answers(dataset, part)) for name, score in scores.items()}
    naive = dataset.baselines["naive"][part]
    for name in ("nab", "nab_left_out", "vus_pr", "f1"):
        assert found[name] == pytest.approx(naive[name], rel=1e-4), name
    assert found["alarm_rate"] > 0


def test_tables_say_what_was_found_of_each_series(dataset):
    judge = watching.AnomalyScores(RECIPE, corpus.Nab().quiet)
    table = judge.by_series(answers(dataset, "test"))
    assert list(table) == list(corpus.SAMPLE)
    raw = sum(own[3] for own in table.values())
    files = [one.scored() for one in judge.found(answers(dataset, "test"))]
    assert raw == pytest.approx(nab.judge(files, nab.PROFILES["standard"], 1e-9).raw, abs=1e-3)
    assert all(own[0] == 2 and 0 <= own[1] <= 2 and own[2] >= 0 for own in table.values())
    pictures = judge.alarms(answers(dataset, "test"))
    scores = [own["score"] for own in pictures.values()]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 9
    for own in pictures.values():
        values, expected = (np.array(own[key].split(), float) for key in ("values", "expected"))
        assert len(values) == len(expected) <= 2 * watching.AROUND + 1
        np.testing.assert_allclose(expected[1:], values[:-1], rtol=1e-4, err_msg="the last value is expected")
        (one,) = (one for one in dataset.gather.series if one.name == own["series"])
        row = int(np.flatnonzero(one.times == np.datetime64(own["date"]))[0])
        assert values[own["row"]] == pytest.approx(one.values[row, own["column"]], rel=1e-5)
        assert own["score"] >= RECIPE.level


def test_without_labels_there_are_alarms_and_no_scores(dataset):
    series = tuple(dataclasses.replace(one, labels=None) for one in dataset.gather.series)
    bare = dataclasses.replace(dataset, gather=dataclasses.replace(dataset.gather, series=series))
    found = {
        name: score(answers(bare, "test"))
        for name, score in watching.AnomalyScores(RECIPE).scores(("vus_pr", "nab")).items()
    }
    assert found["vus_pr"] == found["nab"] == found["by_series"] == {}
    assert found["alarm_rate"] > 0
    assert all(own["labelled"] == "" for own in found["alarms"].values())
    some = watching.AnomalyScores(RECIPE)
    assert some.by_series(answers(dataset, "validation")) == some.alarms(answers(dataset, "validation")) == {}
