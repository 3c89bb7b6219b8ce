"""Split conformal intervals: the exact law of their coverage, and equality with MAPIE and crepes."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from seqjax.scoring import conformal, forecasts

NAN = float("nan")


@pytest.mark.parametrize(
    ("count", "share", "k"), [(9, 0.9, 9), (8, 0.9, 9), (19, 0.95, 19), (99, 0.55, 55), (1, 0.5, 1)]
)
def test_the_rank_is_exact_where_binary_fractions_are_not(count, share, k):
    assert conformal.rank(count, share) == k


def test_too_few_scores_give_an_infinite_interval():
    assert [conformal.least(share) for share in (0.5, 0.8, 0.9, 0.95, 0.99)] == [1, 4, 9, 19, 99]
    scores = np.arange(10.0)[:, None].repeat(3, 1)
    scores[0, 1], scores[:2, 2] = NAN, NAN  # 10, 9 and 8 that are there
    assert conformal.quantiles(scores, 0.9).tolist() == [9, 9, np.inf]
    assert conformal.quantiles(scores, 0.5).tolist() == [5, 5, 6]


def covered(kind, n=30, m=20, share=0.8, trials=6000):
    """How many of m values to come each of `trials` intervals covers; a step of the horizon is a trial by itself."""
    rng = np.random.default_rng(0)
    size = rng.gamma(1.0, 1.0, (n + m, trials)) + 0.1
    actual, point = rng.standard_t(3, (n + m, trials)) * size, np.full((n + m, trials), 0.3)
    if kind == "absolute":
        low, high = conformal.around(point[n:], conformal.absolute(point[:n], actual[:n], share))
    else:
        low, high = point - 0.2 * size, point + 4 * size  # on one side too near
        low, high = conformal.widened(low[n:], high[n:], conformal.margins(low[:n], high[:n], actual[:n], share))
    hits = (low <= actual[n:]) & (actual[n:] <= high)
    total = forecasts.coverage(low, high, actual[n:]).share
    assert total == pytest.approx(hits.mean())
    law: Any = stats.betabinom(m, conformal.rank(n, share), n + 1 - conformal.rank(n, share))
    return hits.sum(axis=0), law


@pytest.mark.parametrize("kind", ["absolute", "quantile"])
def test_the_coverage_of_exchangeable_data_is_beta_binomial(kind):
    counts, law = covered(kind)
    bins = np.array([0, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20])
    seen = np.add.reduceat(np.bincount(counts, minlength=21), bins)
    expected = np.add.reduceat(law.pmf(np.arange(21)), bins) * len(counts)
    assert stats.chisquare(seen, expected).pvalue > 0.01
    assert counts.mean() / 20 == pytest.approx(25 / 31, abs=0.003)


def test_quantiles_are_narrowed_too_and_never_cross():
    low, high, actual = np.full((40, 1), -5.0), np.full((40, 1), 5.0), np.linspace(-1, 1, 40)[:, None]
    margin = conformal.margins(low, high, actual, 0.9)
    assert margin[0] < -4
    assert conformal.widened(np.array([[-1.0]]), np.array([[3.0]]), margin) == (np.array([[1.0]]), np.array([[1.0]]))


def test_a_held_out_forecast_that_is_no_number_is_refused():
    actual = np.ones((3, 2))
    with pytest.raises(ValueError, match="is NaN"):
        conformal.absolute(np.where(np.eye(3, 2), NAN, 1), actual, 0.5)
    with pytest.raises(ValueError, match=r"must both be \[N, H\]"):
        conformal.absolute(np.ones(3), np.ones(3), 0.5)
    with pytest.raises(ValueError, match="share 90"):
        conformal.quantiles(actual, 90)


def drawn(count=57):
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (count, 1))
    return x, x[:, 0] + rng.normal(0, 0.3 + 0.3 * np.abs(x[:, 0]))


class Fixed:
    """A fitted regressor, as scikit-learn has them: x + shift."""

    def __init__(self, shift=0.0):
        self.shift = shift

    def fit(self, x, y):
        self.n_features_in_, self.is_fitted_ = x.shape[1], True
        return self

    def predict(self, x):
        return np.asarray(x)[:, 0] + self.shift


@pytest.mark.parametrize("share", [0.8, 0.9])
def test_equal_to_crepes(share):
    crepes = pytest.importorskip("crepes")
    x, y = drawn()
    low, high = conformal.around(x, conformal.absolute(x, y[:, None], share))
    theirs = crepes.ConformalRegressor().fit(residuals=y - x[:, 0]).predict_int(x[:, 0], confidence=share)
    assert np.allclose(theirs, np.concatenate([low, high], axis=1))


@pytest.mark.parametrize("share", [0.8, 0.9])
def test_equal_to_mapie(share):
    mapie = pytest.importorskip("mapie.regression")
    from sklearn.base import BaseEstimator, RegressorMixin

    Regressor = type("Regressor", (Fixed, RegressorMixin, BaseEstimator), {})
    x, y = drawn()
    fitted = [Regressor(shift).fit(x, y) for shift in (-0.3, 0.2, 0.0)]
    split = mapie.SplitConformalRegressor(fitted[2], confidence_level=share, prefit=True).conformalize(x, y)
    low, high = conformal.around(x, conformal.absolute(x, y[:, None], share))
    assert np.allclose(split.predict_interval(x)[1][:, :, 0], np.concatenate([low, high], axis=1))
    cqr = mapie.ConformalizedQuantileRegressor(fitted, confidence_level=share, prefit=True).conformalize(x, y)
    theirs = cqr.predict_interval(x, symmetric_correction=True)[1][:, :, 0]
    low, high = x - 0.3, x + 0.2
    low, high = conformal.widened(low, high, conformal.margins(low, high, y[:, None], share))
    assert np.allclose(theirs, np.concatenate([low, high], axis=1))


def test_every_central_interval_is_calibrated_and_none_crosses():
    rng = np.random.default_rng(2)
    actual = rng.normal(size=(400, 3)) * [1, 2, 4]
    actual[5, 1] = NAN
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    forecasts = np.array([-1.0, -0.9, 0.0, 0.9, 1.0]) * np.ones((400, 3, 1))  # much too wide within, too narrow outside
    margin = conformal.calibrate(forecasts, levels, actual)
    made = conformal.calibrated(forecasts, margin)
    assert (np.diff(made, axis=-1) >= 0).all()
    assert (made[..., 2] == 0).all()
    low, high = conformal.widened(forecasts[..., 0], forecasts[..., -1], margin[0])
    assert np.allclose(made[..., [0, -1]], np.stack([low, high], axis=-1))
    for step in range(3):
        low, high = made[:, step, :1], made[:, step, -1:]
        assert forecasts_share(low, high, actual[:, step : step + 1]) == pytest.approx(0.9, abs=0.004)
        low, high = made[:, step, 1:2], made[:, step, 3:4]
        assert forecasts_share(low, high, actual[:, step : step + 1]) == pytest.approx(0.5, abs=0.004)
    flat = conformal.calibrated(np.array([[[-1.0, -0.1, 0.0, 0.3, 1.0]]]), [[0.5], [-9.0]])
    assert flat[0, 0] == pytest.approx([-1.5, 0.0, 0.1, 0.1, 1.5])
    with pytest.raises(ValueError, match="takes 9 forecasts"):
        conformal.calibrate(forecasts[:8], levels, actual[:8])
    with pytest.raises(ValueError, match=r"symmetric about 0\.5"):
        conformal.calibrate(forecasts[..., :3], levels[:3], actual)


def forecasts_share(low, high, actual):
    return forecasts.coverage(low, high, actual).share
