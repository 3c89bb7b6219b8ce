"""Scores of forecasts: by hand where it is telling, on M4's own figures, and where a series has no scale."""

import csv
import gzip
import math
import warnings
from typing import Any

import numpy as np
import pytest

from places import DATA
from seqjax.scoring import forecasts as scores

NAN = float("nan")
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def m4_hourly():
    """(histories [414, 960], padded with NaN on the left, and what came [414, 48])."""
    read = {}
    for part in ("train", "test"):
        path = DATA / f"m4/Hourly-{part}.csv.gz"
        if not path.is_file():
            pytest.skip(f"needs {path}")
        with gzip.open(path, "rt", newline="") as lines:
            rows = list(csv.reader(lines))[1:]
        read[part] = [np.array([float(cell) for cell in row[1:] if cell]) for row in rows]
    longest = max(map(len, read["train"]))
    padded = [np.pad(row, (longest - len(row), 0), constant_values=NAN) for row in read["train"]]
    return np.stack(padded), np.stack(read["test"])


def test_the_seasonal_naive_forecast_of_m4_hourly_has_its_published_scores():
    """ND, RMSE, wQL: gluonts, evaluations/; sMAPE and MASE: Makridakis et al. 2020."""
    history, actual = m4_hourly()
    assert (history.shape, actual.shape) == ((414, 960), (414, 48))
    point = scores.seasonal_naive(history, 48, 24)
    scale = scores.seasonal_scale(history, 24)
    found = scores.mase(point, actual, scale)
    assert round(scores.nd(point, actual), 7) == 0.0483092
    assert round(scores.rmse(point, actual), 4) == 1901.1459
    assert round(scores.smape(point, actual), 3) == 13.912
    assert (round(found.mean, 3), found.left_out) == (1.193, 0)
    quantiles = np.repeat(point[:, :, None], len(LEVELS), axis=2)
    assert round(scores.wql(quantiles, LEVELS, actual), 4) == 0.0483


def test_what_is_missing_counts_nowhere():
    actual, point = np.array([[1.0, NAN, -3.0], [NAN, NAN, NAN]]), np.array([[2.0, 9.0, -1.0], [9.0, 9.0, 9.0]])
    assert scores.mae(point, actual) == 1.5
    assert scores.rmse(point, actual) == math.sqrt(2.5)
    assert scores.nd(point, actual) == 3 / 4
    assert scores.smape(point, actual) == pytest.approx(100 * (1 / 3 + 2 / 4))
    assert scores.mase(point, actual, np.array([3.0, 3.0])) == (0.5, 0)
    assert scores.rmsse(point, actual, np.array([0.5, 1.0])).mean == pytest.approx(math.sqrt(10))
    quantiles = np.stack([point - 1, point, point + 4], axis=2)
    by_hand = [np.mean([0.1 * 0, 0.9 * 1]), 0.75, np.mean([0.1 * 5, 0.1 * 6])]
    assert scores.pinball(quantiles, (0.1, 0.5, 0.9), actual) == pytest.approx(by_hand)
    assert scores.wql(quantiles, (0.1, 0.5, 0.9), actual) == pytest.approx(np.mean(by_hand))  # 2 sums of 2 by 4
    assert scores.width(point - 1, point + 4, actual) == 5
    assert scores.winkler(point - 1, point + 4, actual, 0.8) == pytest.approx(5 + (0 + 10 * 1) / 2)
    assert scores.coverage(point - 1, point + 4, actual)[::3] == (0.5, 2)


def test_a_forecast_that_is_no_number_is_not_left_out():
    actual, point = np.array([[1.0, 2.0], [1.0, NAN]]), np.array([[1.0, NAN], [1.0, 5.0]])
    one, many = np.ones(2), np.repeat(point[:, :, None], 3, axis=2)
    found = [
        *(metric(point, actual) for metric in (scores.mae, scores.rmse, scores.nd, scores.smape)),
        scores.mase(point, actual, one).mean,
        scores.rmsse(point, actual, one).mean,
        scores.wql(many, (0.1, 0.5, 0.9), actual),
        scores.winkler(point, point + 1, actual, 0.9),
        scores.width(point, point + 1, actual),
        scores.coverage(point, point + 1, actual).share,
        *scores.pinball(many, (0.1, 0.5, 0.9), actual),
    ]
    assert np.isnan(found).all()


def test_nothing_is_divided_by_zero():
    history = np.array([[5.0] * 6, [1, 2, 3, 4, 5, 6], [NAN] * 4 + [1.0, 2.0]])
    point, actual = np.array([[5.0], [7.0], [3.0]]), np.array([[5.0], [9.0], [3.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scale = scores.seasonal_scale(history, 2)
        assert scale.tolist()[:2] == [0, 2]
        assert math.isnan(scale[2])
        assert scores.seasonal_scale(history, 1, root=True).tolist() == [0, 1, 1]
        assert scores.mase(point, actual, scale) == (1, 2)
        assert math.isnan(scores.mase(point[::2], actual[::2], scale[::2]).mean)
        rounded = np.array([[0.1 + 0.2, 0.3, 0.1 + 0.2, 0.3], [1e9, 1e9 + 1e-3, 1e9, 1e9 + 1e-3]])
        assert scores.seasonal_scale(rounded, 1)[0] == 0, "not 5e-17, which would be a MASE of 10^16"
        assert scores.seasonal_scale(rounded, 1)[1] == pytest.approx(1e-3, rel=1e-3)
        zero, none = np.zeros((2, 3)), np.full((2, 3), NAN)
        assert scores.smape(zero, zero) == 0
        assert math.isnan(scores.nd(zero, zero))
        assert math.isnan(scores.smape(zero, none))
        assert math.isnan(scores.mae(zero, none))
        assert math.isnan(scores.coverage(zero, zero, none).low)


def test_the_naive_forecasts_repeat_what_was_last_seen():
    history = np.array([[1.0, 2, 3, 4, 5, 6, 7], [NAN, NAN, NAN, 4, 5, 6, NAN], [NAN, NAN, NAN, NAN, NAN, NAN, 7]])
    assert scores.naive(history, 2).tolist() == [[7, 7], [6, 6], [7, 7]]
    assert scores.seasonal_naive(history, 5, 3).tolist() == [[5, 6, 7, 5, 6], [5, 6, 4, 5, 6], [7, 7, 7, 7, 7]]
    assert np.isnan(scores.naive(np.full((2, 3), NAN), 2)).all()
    assert np.isnan(scores.seasonal_naive(np.empty((2, 0)), 2, 3)).all()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda a: scores.mae(a, a[:, :1]), r"shapes \(2, 3\) and \(2, 1\)"),
        (lambda a: scores.mase(a, a, np.ones(3)), r"scale \(3,\)"),
        (lambda a: scores.pinball(a, (0.1, 0.5), a), "last axis must be of the levels"),
        (lambda a: scores.interval(np.stack([a, a], 2), (0.1, 0.9), 0.9), "no forecast at level 0.05"),
        (lambda a: scores.winkler(a, a, a, 90), "share 90"),
        (lambda a: scores.seasonal_naive(a, 1, 0), "season 0"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(call, text):
    with pytest.raises(ValueError, match=text):
        call(np.ones((2, 3)))


def drawn(seed=0, count=7, horizon=5):
    """(forecasts [N, H, 9], actual with one missing, histories)."""
    rng = np.random.default_rng(seed)
    actual = rng.gamma(2.0, 10.0, (count, horizon))
    forecasts = np.sort(actual[:, :, None] + rng.normal(0, 5, (count, horizon, len(LEVELS))), axis=2)
    return forecasts, actual, rng.gamma(2.0, 10.0, (count, 30))


def test_equal_to_gluonts():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ev = pytest.importorskip("gluonts.ev.metrics")
    forecasts, actual, history = drawn()
    actual[1, 2] = NAN
    masked = np.ma.masked_invalid(actual)
    scale = scores.seasonal_scale(history, 6)
    data = {"label": masked, "seasonal_error": scale[:, None], "mean": forecasts[..., 4]}
    data |= {str(level): forecasts[..., number] for number, level in enumerate(LEVELS)}

    def theirs(metric):
        evaluator: Any = metric(axis=None)
        evaluator.update(data)
        return float(evaluator.get())

    point = scores.level(forecasts, LEVELS, 0.5)
    whole = slice(2, None)  # with nothing missing, where a mean of means is the mean
    assert theirs(ev.MAE()) == pytest.approx(scores.mae(point, actual))
    assert theirs(ev.RMSE()) == pytest.approx(scores.rmse(point, actual))
    assert theirs(ev.ND()) == pytest.approx(scores.nd(point, actual))
    assert theirs(ev.MeanWeightedSumQuantileLoss(list(LEVELS))) == pytest.approx(scores.wql(forecasts, LEVELS, actual))
    low, high = scores.interval(forecasts, LEVELS, 0.8)
    data = {name: values[whole] for name, values in data.items()}
    point, actual, scale, low, high = point[whole], actual[whole], scale[whole], low[whole], high[whole]
    assert theirs(ev.SMAPE()) * 100 == pytest.approx(scores.smape(point, actual))
    assert theirs(ev.MASE()) == pytest.approx(scores.mase(point, actual, scale).mean)
    one = lambda n: scores.winkler(low[n : n + 1], high[n : n + 1], actual[n : n + 1], 0.8) / scale[n]
    mine = [one(n) for n in range(len(scale))]
    assert theirs(ev.MSIS(alpha=0.2)) == pytest.approx(np.mean(mine))


def test_equal_to_utilsforecast():
    losses, pandas = pytest.importorskip("utilsforecast.losses"), pytest.importorskip("pandas")
    forecasts, actual, history = drawn(1)
    count = len(actual)
    point, (low, high) = scores.level(forecasts, LEVELS, 0.5), scores.interval(forecasts, LEVELS, 0.8)
    long = lambda values, **columns: pandas.DataFrame(
        {
            "unique_id": np.repeat(np.arange(count), values.shape[1]),
            "ds": np.tile(np.arange(values.shape[1]), count),
            "y": values.ravel(),
            **columns,
        }
    )
    columns = {"m": point.ravel(), "m-lo-80": low.ravel(), "m-hi-80": high.ravel(), "q": forecasts[..., 1].ravel()}
    table, past = long(actual, **columns), long(history)
    theirs = lambda name, models=("m",), **options: getattr(losses, name)(table, list(models), **options)["m"].mean()
    assert theirs("mae") == pytest.approx(scores.mae(point, actual))
    assert theirs("smape") * 200 == pytest.approx(scores.smape(point, actual))
    scale, root = scores.seasonal_scale(history, 6), scores.seasonal_scale(history, 6, root=True)
    assert theirs("mase", seasonality=6, train_df=past) == pytest.approx(scores.mase(point, actual, scale).mean)
    assert theirs("rmsse", seasonality=6, train_df=past) == pytest.approx(scores.rmsse(point, actual, root).mean)
    found = losses.quantile_loss(table, {"m": "q"}, q=0.2)["m"].mean()
    assert found == pytest.approx(scores.pinball(forecasts, LEVELS, actual)[1])
    assert theirs("coverage", level=80) == pytest.approx(scores.coverage(low, high, actual).share)
    assert theirs("winkler_score", level=80) == pytest.approx(scores.winkler(low, high, actual, 0.8))


def test_equal_to_scikit_learn_and_sktime():
    from sklearn.metrics import mean_pinball_loss

    forecasts, actual, history = drawn(2)
    for number, level in enumerate(LEVELS):
        peer = mean_pinball_loss(actual.ravel(), forecasts[..., number].ravel(), alpha=level)
        assert scores.pinball(forecasts, LEVELS, actual)[number] == pytest.approx(peer)
    sktime = pytest.importorskip("sktime.performance_metrics.forecasting")
    point, scale = forecasts[..., 4], scores.seasonal_scale(history, 6)
    root = scores.seasonal_scale(history, 6, root=True)
    triples = zip(actual, point, history, strict=True)
    each = [{"y_true": a, "y_pred": f, "y_train": h, "sp": 6} for a, f, h in triples]
    peer = np.mean([sktime.mean_absolute_scaled_error(**one) for one in each])
    assert scores.mase(point, actual, scale).mean == pytest.approx(peer)
    peer = np.mean([sktime.mean_squared_scaled_error(**one, square_root=True) for one in each])
    assert scores.rmsse(point, actual, root).mean == pytest.approx(peer)


def test_the_interval_of_a_coverage_is_that_of_clopper_and_pearson():
    from scipy.stats import beta

    found = scores.share_of(17, 20)
    assert (found.low, found.high) == pytest.approx((beta.ppf(0.025, 17, 4), beta.ppf(0.975, 18, 3)))
    assert scores.share_of(20, 20).high == 1
    assert scores.share_of(0, 20).low == 0
