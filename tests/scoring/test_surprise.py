"""Surprise, row by row: by hand, without a look ahead, and handed on through a state."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from seqjax.errors import UserError
from seqjax.scoring.surprise import Recipe, Surprise, judged


def made(rows=400, columns=2, seed=0):
    rng = np.random.default_rng(seed)
    return np.abs(rng.normal(size=rows)), rng.normal(size=(rows, columns))


def test_the_likelihood_is_the_gaussian_tail_of_the_short_term_mean_among_those_before():
    residuals, values = made()
    scores, _ = judged(Recipe(short=5, long=10_000, outside=0, most=99), residuals, values)
    means = np.array([residuals[max(0, k - 4) : k + 1].mean() for k in range(len(residuals))])
    for row in (50, 200, 399):
        tail = stats.norm.sf(means[row], means[:row].mean(), means[:row].std())
        assert scores[row] == pytest.approx(-math.log10(tail))


def test_the_conformal_score_is_the_share_of_the_last_means_that_were_as_large():
    residuals, values = np.round(made()[0], 1), made()[1]
    scores, _ = judged(Recipe(short=1, long=50, calibration="conformal", outside=0), residuals, values)
    for row in (10, 60, 399):
        before = residuals[max(0, row - 50) : row]
        assert scores[row] == pytest.approx(-math.log10((1 + (before >= residuals[row]).sum()) / (1 + len(before))))


@pytest.mark.parametrize("calibration", ["likelihood", "conformal"])
def test_a_score_does_not_change_when_the_series_goes_on(calibration):
    recipe, (residuals, values) = Recipe(calibration=calibration, long=60, level=2, quiet=10), made()
    whole = judged(recipe, residuals, values)
    residuals[300:], values[300:] = 1e6, -1e6
    cut, other = judged(recipe, residuals[:300], values[:300]), judged(recipe, residuals, values)
    for mine, theirs, changed in zip(whole, cut, other, strict=True):
        np.testing.assert_array_equal(mine[:300], theirs)
        np.testing.assert_array_equal(changed[:300], theirs)


@pytest.mark.parametrize("calibration", ["likelihood", "conformal"])
def test_a_state_goes_on_to_the_bit(calibration):
    recipe, (residuals, values) = Recipe(calibration=calibration, long=60, level=2, quiet=10), made()
    scores, alarms = judged(recipe, residuals, values)
    assert alarms.any()
    surprise = Surprise(recipe)
    for row in range(400):
        if row % 37 == 0:
            state = json.loads(json.dumps(surprise.state()))
            surprise = Surprise(recipe)
            surprise.restore(state)
        score = surprise.score(float(residuals[row]), values[row].tolist())
        assert (score, surprise.is_alarm(score)) == (scores[row], alarms[row])


def test_a_value_outside_all_that_was_seen_counts_once_until_the_range_has_it():
    values = np.array([[0.0], [1.0], [1.01], [1.5], [1.5], [-1.0], [0.5]])
    scores, _ = judged(Recipe(short=1, outside=4, most=0.0), np.zeros(7), values)
    assert scores.tolist() == [0, 0, 0, 4, 0, 4, 0]


def test_after_an_alarm_it_is_quiet_and_before_it_knows_anything_too():
    values = np.arange(22.0)[:, None]
    _, alarms = judged(Recipe(short=1, outside=9, level=5, quiet=5, warm=4), np.zeros(22), values)
    assert np.flatnonzero(alarms).tolist() == [4, 10, 16]
    _, alarms = judged(Recipe(short=1, outside=9, level=5, quiet=0, warm=0), np.zeros(22), values)
    assert alarms.sum() == 20


def test_a_constant_series_is_no_surprise_and_any_change_of_it_is():
    residuals = np.zeros(300)
    scores, alarms = judged(Recipe(), residuals, np.ones((300, 1)))
    assert not alarms.any()
    assert scores.max() < 1
    residuals[200] = 1e-3
    assert judged(Recipe(), residuals, np.ones((300, 1)))[1][200]


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_rows_that_are_no_numbers_are_passed_over(wrong):
    residuals, values = made(columns=1)
    scores, _ = judged(Recipe(), residuals, values)
    more, kept = np.insert(residuals, 100, wrong), np.insert(values, 100, 0.0, axis=0)
    found, _ = judged(Recipe(), more, kept)
    assert found[100] == 0
    np.testing.assert_array_equal(np.delete(found, 100), scores)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"calibration": "x"}, "choices: likelihood, conformal"),
        ({"short": 0}, "short must be at least 1"),
        ({"level": 0}, "level=0: must be above 0"),
        ({"quiet": -1}, "quiet must be at least 0"),
    ],
)
def test_senseless_recipes_are_refused(options, said):
    with pytest.raises(UserError, match=said):
        Recipe(**options)


def test_a_column_that_was_still_and_changes_is_an_alarm_by_itself():
    residuals, values = made()
    values[:, 1] = np.where(np.arange(400) < 250, 3.0, 7.0)
    recipe = Recipe(short=4, level=5, quiet=10, warm=100, still=True)
    scores, alarms = judged(recipe, residuals, values)
    without, others = judged(Recipe(short=4, level=5, quiet=10, warm=100), residuals, values)
    assert scores[250] == without[250] + 5
    np.testing.assert_array_equal(np.delete(scores, 250), np.delete(without, 250))
    assert (alarms[250], others[250]) == (True, False)
