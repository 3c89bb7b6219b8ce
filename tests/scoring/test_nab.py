"""NAB's score: its formulas row by row, and the figures that its authors publish."""

import math

import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.scoring import nab

STANDARD = nab.PROFILES["standard"]


def sigmoid(y):
    return -1.0 if y > 3 else 2 / (1 + math.exp(5 * y)) - 1


def by_hand(scores, windows, profile, threshold):
    """The raw score, row by row."""
    rows, total, cost = len(scores), 0.0, 0.0
    for first, last in windows:
        alarms = [i for i in range(first, last + 1) if scores[i] >= threshold and i >= nab.probation(rows)]
        worth = [sigmoid(-(last - i + 1) / (last - first + 1)) / sigmoid(-1) for i in alarms]
        total += profile.hit * max(worth) if worth else -profile.miss
    for i in range(nab.probation(rows), rows):
        if scores[i] < threshold or any(first <= i <= last for first, last in windows):
            continue
        before = [(first, last) for first, last in windows if last < i]
        first, last = before[-1] if before else (0, 0)
        cost += sigmoid((i - last) / (last - first)) if before and last > first else -1.0
    return total + profile.false_alarm * cost


def made(seed, rows, windows, decimals=2):
    return nab.Scored(np.random.default_rng(seed).random(rows).round(decimals), windows)


FILES = [
    made(0, 60, [(20, 29), (45, 50)]),
    made(1, 80, []),
    made(2, 50, [(3, 9), (40, 49)]),  # begins in probation; ends at the end
    made(3, 50, [(30, 30), (31, 33)]),  # of a single row; touching
]


@pytest.mark.parametrize("name", nab.PROFILES)
def test_every_threshold_has_the_score_of_the_formulas(name):
    profile = nab.PROFILES[name]
    sweep = nab.Sweep.of(FILES, profile)
    assert sweep.thresholds[0] == np.inf
    assert sweep.raw[0] == nab.null(FILES, profile) == -profile.miss * 6
    for threshold, raw in zip(sweep.thresholds, sweep.raw, strict=True):
        assert raw == pytest.approx(sum(by_hand(one.scores, one.windows, profile, threshold) for one in FILES))
    best = nab.judge(FILES, profile)
    assert best.raw == pytest.approx(sweep.raw.max())
    assert nab.judge(FILES, profile, best.threshold) == best
    between = nab.judge(FILES, profile, 0.505).raw
    assert between == pytest.approx(nab.judge(FILES, profile, 0.51).raw), "of a threshold that is no score"


def test_a_perfect_detector_has_100_and_one_without_alarms_0():
    perfect = [nab.Scored(np.isin(np.arange(60), [20, 45]).astype(float), FILES[0].windows)]
    assert nab.judge(perfect, STANDARD).score == pytest.approx(100)
    silent = [nab.Scored(np.zeros(60), FILES[0].windows)]
    assert nab.judge(silent, STANDARD, 0.5).score == 0
    everything = nab.judge(silent, STANDARD, 0.0)
    assert everything.raw == pytest.approx(by_hand(np.zeros(60), FILES[0].windows, STANDARD, 0.0))
    late = [nab.Scored(np.isin(np.arange(60), [29, 50]).astype(float), FILES[0].windows)]
    assert 50 < nab.judge(late, STANDARD).score < 80, "the last rows of the windows: found late"


def test_the_threshold_of_the_others_is_not_chosen_on_the_file_itself():
    found = 0.0
    for k, one in enumerate(FILES):
        others = FILES[:k] + FILES[k + 1 :]
        found += nab.judge([one], STANDARD, nab.judge(others, STANDARD).threshold).raw
    assert nab.left_out(FILES, STANDARD) == pytest.approx(nab.normalised(found, FILES, STANDARD))
    assert nab.left_out(FILES, STANDARD) <= nab.judge(FILES, STANDARD).score


def test_two_files_have_each_the_threshold_of_the_other():
    low, high = np.zeros(100), np.zeros(100)
    low[50], high[50] = 0.5, 0.9
    high[60:100] = 0.5  # where the other's threshold gives 40 false alarms
    files = [nab.Scored(low, [(50, 55)]), nab.Scored(high, [(50, 55)])]
    assert nab.judge(files[:1], STANDARD).threshold == 0.5
    assert nab.judge(files[1:], STANDARD).threshold == 0.9
    expected = by_hand(low, [(50, 55)], STANDARD, 0.9) + by_hand(high, [(50, 55)], STANDARD, 0.5)
    assert nab.left_out(files, STANDARD) == pytest.approx(nab.normalised(expected, files, STANDARD))
    assert nab.left_out(files, STANDARD) < 0 < nab.judge(files, STANDARD).score


def test_a_window_that_ends_in_probation_cannot_be_found_and_does_not_count():
    files = [made(4, 100, [(2, 8), (60, 70)])]
    assert nab.probation(100) == 15
    assert nab.count(files) == 1
    assert nab.probation(22_695) == 750


def test_files_without_a_window_still_punish_alarms():
    judged = nab.judge([made(5, 100, [])], STANDARD, 0.0)
    assert judged.raw == judged.score == pytest.approx(-0.11 * 85)
    assert nab.judge([made(5, 100, [])], STANDARD).threshold == np.inf, "no alarm is best"


def test_windows_of_dates_become_rows_also_where_dates_are_doubled_or_go_back():
    times = np.array(["2020-01-01", "2020-01-02", "2020-01-02", "2020-01-01", "2020-01-05"], "datetime64[us]")
    day = lambda k: np.datetime64(f"2020-01-0{k}", "us")
    assert nab.rows_of(times, [(day(2), day(5))], "x") == [(1, 4)]
    assert nab.rows_of(times, [(day(1), day(2))], "x") == [(0, 1)], "the first row of a doubled date"
    assert nab.rows_of(times, [(day(3), day(6))], "x") == [(4, 4)], "ends between rows move inwards"
    with pytest.raises(UserError, match=r"x: the window from 2020-01-03.* holds no row"):
        nab.rows_of(times, [(day(3), day(4))], "x")


@pytest.mark.parametrize(
    ("scores", "windows", "said"),
    [
        ([1, np.nan, 0], [], "scores hold nan in row 2"),
        ([1, 2, np.inf], [], "scores hold inf in row 3"),
        ([[1, 2]], [], r"scores have shape \(1, 2\)"),
        ([0] * 9, [(2, 4), (4, 5)], "overlaps another"),
        ([0] * 9, [(5, 9)], "behind the last of 9 rows"),
        ([0] * 9, [(5, 4)], "ends before it begins"),
    ],
)
def test_senseless_scores_and_windows_are_named(scores, windows, said):
    with pytest.raises(UserError, match=f"^cpu: .*{said}"):
        nab.Scored(np.array(scores, float), windows, "cpu")
