"""Range-based scores: by hand, and as aeon has them."""

import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.scoring import ranges


def marked(rows, *spans):
    found = np.zeros(rows, bool)
    for start, stop in spans:
        found[start:stop] = True
    return found


def test_runs_are_found_at_both_ends_too():
    assert ranges.ranges_of(marked(6, (0, 2), (5, 6))).tolist() == [[0, 2], [5, 6]]
    assert ranges.ranges_of(np.zeros(3, bool)).tolist() == []
    assert ranges.ranges_of(np.ones(3, bool)).tolist() == [[0, 3]]


def test_precision_and_recall_by_hand():
    labels, alarms = marked(20, (2, 6), (10, 14)), marked(20, (4, 6), (8, 12), (16, 17))
    assert ranges.precision(labels, alarms) == pytest.approx((1 + 0.5 + 0) / 3)
    assert ranges.recall(labels, alarms) == pytest.approx((0.5 + 0.5) / 2)
    assert ranges.recall(labels, alarms, existence=1.0) == 1
    assert ranges.f1(labels, alarms) == pytest.approx(0.5)
    across = marked(20, (4, 12))
    assert ranges.precision(labels, across) == pytest.approx(4 / 8 / 2), "two anomalies in one alarm count half"
    assert ranges.precision(labels, across, reciprocal=False) == pytest.approx(4 / 8)
    assert ranges.precision(labels, np.zeros(20, bool)) == 0
    assert ranges.f1(np.zeros(20, bool), alarms) == 0


def test_one_row_found_is_not_an_anomaly_found():
    """Which point adjustment would say."""
    labels, alarms = marked(100, (20, 70)), marked(100, (40, 41))
    assert ranges.recall(labels, alarms) == pytest.approx(1 / 50)


def test_a_perfect_detector_has_the_whole_volume_and_a_constant_one_none():
    labels = marked(300, (100, 120))
    assert ranges.vus_pr(labels, labels.astype(float), buffer=0) == pytest.approx(1)
    assert ranges.vus_pr(labels, np.ones(300)) == 0
    rng = np.random.default_rng(0)
    assert ranges.vus_pr(labels, rng.random(300), buffer=10) < 0.3
    assert ranges.vus_pr(np.ones(300, bool), rng.random(300), buffer=10) > 0.9, "all of it is an anomaly"


@pytest.mark.parametrize(
    ("labels", "scores", "said"),
    [
        (np.zeros(4, bool), np.arange(4.0), "no row is labelled"),
        (np.ones(4, bool), np.array([1, np.nan, 0, 0]), "not finite"),
        (np.ones(3, bool), np.arange(4.0), "shapes"),
    ],
)
def test_what_has_no_volume_is_refused(labels, scores, said):
    with pytest.raises(UserError, match=said):
        ranges.vus_pr(labels, scores)


def test_an_unknown_bias_is_refused():
    with pytest.raises(UserError, match="choices: flat, front, middle, back"):
        ranges.precision(np.ones(3, bool), np.ones(3, bool), bias="left")


CASES = {
    "inside": (600, [(100, 130), (400, 401)]),
    "at both ends": (500, [(0, 20), (480, 500)]),
    "nearly touching": (700, [(200, 230), (235, 260), (300, 340)]),
    "nearly all": (400, [(3, 397)]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_same_as_aeon(case):
    peer = pytest.importorskip("aeon.benchmarking.metrics.anomaly_detection")
    rows, spans = CASES[case]
    rng, labels = np.random.default_rng(len(case)), marked(rows, *spans)
    scores = rng.normal(size=rows) + labels * rng.random(rows) * 3
    scores = np.round(scores, 1)  # with ties
    truth = labels.astype(int)
    for buffer in (0, 1, 2, 7, 50):
        assert ranges.pr_auc(labels, scores, buffer) == pytest.approx(
            peer.range_pr_auc_score(truth, scores, buffer_size=buffer), abs=1e-12
        )
    assert ranges.vus_pr(labels, scores, 20) == pytest.approx(peer.range_pr_vus_score(truth, scores, 20), abs=1e-12)
    alarms = scores > 1
    for bias in ranges.BIASES:
        for reciprocal, kind in ((True, "reciprocal"), (False, "one")):
            own = {"cardinality": kind, "bias": bias}
            assert ranges.precision(labels, alarms, bias, reciprocal) == pytest.approx(
                peer.range_precision(truth, alarms.astype(int), **own), abs=1e-12
            )
            for existence in (0.0, 0.3):
                assert ranges.recall(labels, alarms, bias, reciprocal, existence) == pytest.approx(
                    peer.range_recall(truth, alarms.astype(int), alpha=existence, **own), abs=1e-12
                )
