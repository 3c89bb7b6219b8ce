"""The last value, drawn a step later, is told from a forecast that knows something."""

import numpy as np
import pytest

from seqjax.scoring.shift import shift


def test_a_shifted_chart_looks_like_skill_and_its_changes_tell_that_there_is_none():
    rng = np.random.default_rng(0)
    walk = 100 + rng.normal(size=4001).cumsum()
    last, came = walk[:-1], walk[1:]
    found = shift(last, last + 0.01 * rng.normal(size=4000), came)
    assert found.of_next > 0.99  # what the chart shows
    assert found.of_last > found.of_next
    assert abs(found.of_changes) < 2 / 4000**0.5
    assert shift(last, last, came).of_changes == 0  # the naive forecast itself: it says nothing of changes
    assert shift(last, came, came) == pytest.approx((found.of_next, 1, 1), abs=1e-3)


def test_of_a_process_that_returns_to_its_mean_the_changes_are_known_to_its_optimum():
    phi, rng = 0.5, np.random.default_rng(1)
    series = np.zeros(200_000)
    for t, step in enumerate(rng.normal(size=len(series) - 1)):
        series[t + 1] = phi * series[t] + step
    last, came = series[:-1], series[1:]
    found = shift(last, phi * last, came)
    assert found.of_changes == pytest.approx(((1 - phi) / 2) ** 0.5, abs=0.01)
    assert found.of_next == pytest.approx(phi, abs=0.01)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_correlations_are_numpys_in_any_unit_and_with_any_offset(scale):
    last, forecast, came = np.random.default_rng(2).normal(size=(3, 50)) * scale + 1e3 * scale
    found = shift(last, forecast, came)
    r = lambda a, b: np.corrcoef(a, b)[0, 1]
    assert found == pytest.approx((r(forecast, last), r(forecast, came), r(forecast - last, came - last)), abs=1e-9)


def test_what_is_constant_has_no_correlation_and_no_warning():
    flat, other = np.full(9, 0.1), np.arange(9.0)
    assert shift(flat, flat, flat) == (0, 0, 0)
    assert shift(other, other + 0.1, other * 2).of_changes == 0  # the same change in every row, but for rounding
    assert shift(np.zeros(0), np.zeros(0), np.zeros(0)) == (0, 0, 0)
