"""Errors by step, hour and season; autocorrelation by hand, with gaps and series side by side."""

import numpy as np
import pytest

from seqjax.scoring import breakdowns

NAN = float("nan")


def test_errors_by_step_hour_and_season():
    errors = np.array([[1.0, 2.0], [3.0, NAN]])
    times = np.array([["2020-01-31T23:10", "2020-02-01T00:10"], ["2020-03-01T23:00", "2020-03-02T00:00"]], "datetime64")
    assert breakdowns.by_step(errors).tolist() == [2, 2]
    assert breakdowns.by_hour(errors, times)[[0, 23]].tolist() == [2, 2]
    assert np.isnan(breakdowns.by_hour(errors, times)[1:23]).all()
    assert breakdowns.by_quarter(errors, times)[:2].tolist() == [1.5, 3]
    months = np.array([[f"2020-{month:02}-15" for month in range(1, 13)]], "datetime64[us]")
    found = breakdowns.by_quarter(np.arange(1.0, 13)[None], months)
    assert found.tolist() == [(12 + 1 + 2) / 3, 4, 7, 10]


def test_autocorrelation_is_the_usual_estimate_over_what_is_there():
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    x[1:] += 0.6 * x[:-1]
    lags, found = breakdowns.autocorrelation(x, np.arange(200) * 2, np.zeros(200, int), 6)
    centred = x - x.mean()
    by_hand = [(centred[k:] * centred[:-k]).mean() / (centred**2).mean() for k in (1, 2, 3)]
    assert lags.tolist() == [2, 4, 6]
    assert found == pytest.approx(by_hand)


def test_pairs_never_lead_over_a_gap_or_into_another_series():
    x = np.array([1.0, -1, 1, -1, NAN, 1, 7, 9, 7, 9])
    places = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    groups = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
    order = np.random.default_rng(0).permutation(10)
    lags, found = breakdowns.autocorrelation(x[order], places[order], groups[order], 2)
    own = np.array([1.0, -1, 1, -1, 1]) - 0.2
    products = [own[0] * own[1], own[1] * own[2], own[2] * own[3], -1, -1, -1]
    assert lags.tolist() == [1, 2]
    assert found[0] == pytest.approx(np.mean(products) / np.mean(np.append(own**2, [1] * 4)))
    nothing = breakdowns.autocorrelation(np.ones(3), np.zeros(3, int), np.arange(3), 5)
    assert [len(each) for each in nothing] == [0, 0]
