"""Tests and intervals of one forecast against another."""

from typing import Any

import dieboldmariano
import numpy as np
import pytest

from seqjax.scoring.superiority import block_length, diebold_mariano, skill

PACKAGE: Any = dieboldmariano


def losses(seed, count=120):
    """Of two forecasts, alike from row to row."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(2, count + 3))
    return np.abs(steps[:, 3:] + 0.8 * steps[:, 2:-1] + 0.5 * steps[:, 1:-2] + [[0.2], [0.0]])


@pytest.mark.parametrize("horizon", [1, 2, 7, 24])
def test_the_test_is_that_of_the_package(horizon):
    rng = np.random.default_rng(horizon)
    came, first, second = rng.normal(size=(3, 90))
    first += 0.3 * came
    for loss, own in ((lambda a, b: abs(a - b), np.abs), (lambda a, b: (a - b) ** 2, np.square)):
        d = own(came - first) - own(came - second)
        try:
            expected = PACKAGE.dm_test(came, first, second, loss=loss, h=horizon)
        except dieboldmariano.NegativeVarianceException:
            expected = PACKAGE.dm_test(came, first, second, loss=loss, h=horizon, variance_estimator="bartlett")
        found = diebold_mariano(own(came - first), own(came - second), horizon)
        assert found == pytest.approx(expected, rel=1e-8), d.mean()


def test_where_the_variance_is_negative_the_package_with_bartletts_weights_agrees():
    came = np.zeros(60)
    first = np.tile([1.0, 2.0], 30) + 0.001 * np.arange(60)
    with pytest.raises(dieboldmariano.NegativeVarianceException):
        PACKAGE.dm_test(came, first, came, loss=lambda a, b: abs(a - b), h=2)
    expected = dieboldmariano.dm_test(
        came, first, came, loss=lambda a, b: abs(a - b), h=2, variance_estimator="bartlett"
    )
    assert diebold_mariano(first, came, 2) == pytest.approx(expected, rel=1e-8)


def test_the_same_difference_everywhere_needs_no_variance():
    ones = np.ones(20)
    assert diebold_mariano(ones, ones) == (0, 1)
    assert diebold_mariano(ones, 0 * ones)[1] == 0
    assert diebold_mariano(0 * ones, ones)[0] == -np.inf


def test_skill_is_the_share_of_the_loss_that_is_saved_and_its_interval_holds_the_truth():
    """In 200 trials of errors that remember two rows, the interval holds the true skill about as often as it says."""
    true, held, widths = 1 - np.abs(losses(999, 200_000)).mean(axis=1)[0] / losses(999, 200_000)[1].mean(), 0, []
    for trial in range(200):
        first, second = losses(trial, 400)
        found = skill(first[None], second, block_length(400, 3), draws=400)
        assert found is not None
        held += found.low <= true <= found.high
        widths.append(found.high - found.low)
        assert found.value == pytest.approx(1 - first.sum() / second.sum())
    assert 0.88 <= held / 200 <= 0.99
    rows = [skill(first[None], second, 1, draws=400) for first, second in (losses(t, 400) for t in range(50))]
    assert np.mean([one.high - one.low for one in rows if one]) < 0.9 * np.mean(widths), "rows are not independent"


def test_seeds_that_differ_widen_the_interval():
    other = np.ones(400) + 0.1 * np.random.default_rng(0).normal(size=400)
    alike, apart = (skill(np.array([0.9 - d, 0.9, 0.9 + d])[:, None] * other, other) for d in (0, 0.2))
    assert alike is not None
    assert apart is not None
    assert alike.value == pytest.approx(apart.value)
    assert alike.high - alike.low < 1e-9
    assert apart.low < 0 < apart.high


def test_against_a_perfect_forecast_there_is_no_skill():
    assert skill(np.ones((2, 5)), np.zeros(5)) is None


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_neither_depends_on_the_unit(unit):
    """R's dm.test once held small variances for 1e-8."""
    first, second = losses(7)
    assert diebold_mariano(unit * first, unit * second, 5) == pytest.approx(diebold_mariano(first, second, 5), rel=1e-9)
    assert skill(unit * first[None], unit * second) == pytest.approx(skill(first[None], second), rel=1e-9)


def test_a_horizon_beyond_the_rows_tells_nothing():
    first, second = losses(8, 10)
    assert diebold_mariano(first, second, 10) == diebold_mariano(first, second, 12) == (0, 1)


def test_of_what_is_nearly_always_right_the_skill_has_no_lower_end():
    """A series that stands still but for one step: without that row no skill could be told."""
    other = np.zeros(50)
    other[20] = 1.0
    found = skill(other[None] * 0.5 + 0.001, other, 3)
    assert (found.value, found.low) == (pytest.approx(0.45), -np.inf)
    assert 0.4 < found.high < 0.5
