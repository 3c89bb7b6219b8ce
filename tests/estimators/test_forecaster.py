"""Forecaster on arrays, columns and tables, whose forecasts come in the form that y had."""

import pickle

import numpy as np
import pytest

import seqjax
from seqjax import interface
from seqjax.estimators import Forecaster, load

pandas = pytest.importorskip("pandas")
SMALL = {
    "horizon": 4,
    "context": 12,
    "units": 4,
    "epochs": 1,
    "batch_size": 16,
    "levels": (0.1, 0.5, 0.9),
    "random_state": 0,
}
ROWS = 60


@pytest.fixture(scope="module")
def y():
    rng = np.random.default_rng(0)
    return np.sin(np.arange(ROWS) * 2 * np.pi / 12) + 0.1 * rng.normal(size=ROWS)


@pytest.fixture(scope="module")
def fitted(y):
    return Forecaster(**SMALL).fit(y)


def test_arrays_give_arrays(y, fitted):
    all_levels = fitted.predict_quantiles()
    assert all_levels.shape == (4, 3)
    np.testing.assert_array_equal(fitted.predict(), all_levels[:, 1])
    np.testing.assert_array_equal(fitted.predict(2), all_levels[:2, 1])
    assert (np.diff(all_levels, axis=1) >= 0).all(), "quantiles do not cross"
    error = np.abs(fitted.predict(y=y[:-4]) - y[-4:]).mean()
    assert fitted.score(y) == pytest.approx(-error)


@pytest.mark.slow
def test_columns_share_a_model_and_keep_their_scales(y, fitted):
    """Two columns that are one up to scale are forecast alike up to scale."""
    both = np.stack([y, 100 * y + 7], axis=1)
    of_both = Forecaster(**SMALL).fit(both)
    found = of_both.predict()
    assert found.shape == (4, 2)
    np.testing.assert_allclose(found[:, 1], 100 * found[:, 0] + 7, rtol=1e-4)
    listed = Forecaster(**SMALL).fit([y, y[:40]])
    assert listed.predict_quantiles(3).shape == (2, 3, 3)
    np.testing.assert_array_equal(listed.predict(y=[y, y[:40]]), listed.predict())


@pytest.mark.slow
def test_dates_go_on(y, fitted):
    index = pandas.date_range("2024-03-30", periods=ROWS, freq="h", tz="Europe/Berlin", name="when")
    found = Forecaster(**SMALL).fit(pandas.Series(y, index, name="load")).predict()
    assert found.name == "load"
    assert found.index.name == "when"
    wanted = pandas.date_range(index[-1], periods=5, freq="h")[1:]
    assert (found.index == wanted).all(), "over the change to summer time"
    months = pandas.Series(y, pandas.date_range("2020-01-31", periods=ROWS, freq="ME"))
    assert [str(day.date()) for day in Forecaster(**SMALL).fit(months).predict(2).index] == ["2025-01-31", "2025-02-28"]
    quarters = pandas.Series(y, pandas.period_range("2000", periods=ROWS, freq="Q"))
    assert Forecaster(**SMALL).fit(quarters).predict(1).index.astype(str).tolist() == ["2015Q1"]
    frame = pandas.DataFrame({"a": y, "b": y}, index=range(5, 5 + ROWS))
    quantiles = Forecaster(**SMALL).fit(frame).predict_quantiles(2)
    assert quantiles.index.tolist() == [5 + ROWS, 6 + ROWS]
    assert quantiles.columns.tolist() == [(name, level) for name in "ab" for level in (0.1, 0.5, 0.9)]


@pytest.mark.slow
def test_a_table_of_many_series_and_what_is_known_ahead(y, tmp_path):
    when = pandas.date_range("2024", periods=ROWS)
    one = lambda shop, scale: pandas.DataFrame(
        {"day": when, "shop": shop, "sales": scale * y, "holiday": np.arange(ROWS) % 7}
    )
    table = pandas.concat([one(12, 1.0), one(3, 50.0)]).sample(frac=1, random_state=0)
    own = {"target": "sales", "time": "day", "series": "shop", "known": ["holiday"]}
    model = Forecaster(**SMALL, **own).fit(table)
    with pytest.raises(ValueError, match="has 0 of the 4 values of 'holiday' after its last target"):
        model.predict()
    ahead = pandas.date_range("2024", periods=ROWS + 4)[ROWS:]
    more = pandas.DataFrame({"day": ahead, "holiday": 1.0})
    asked = pandas.concat([table, more.assign(shop=3), more.assign(shop=12)])
    found = model.predict(y=asked)
    assert list(found.columns) == ["shop", "day", "sales"]
    assert found["shop"].tolist() == ["12"] * 4 + ["3"] * 4
    assert found["day"].tolist() == ahead.tolist() * 2
    assert list(model.predict_quantiles(1, y=asked).columns) == ["shop", "day", "q0.1", "q0.5", "q0.9"]
    model.save(tmp_path / "run")
    pandas.testing.assert_frame_equal(load(tmp_path / "run").predict(y=asked), found)


@pytest.mark.slow
def test_covariates_beside_an_array(y):
    X = np.random.default_rng(1).normal(size=(ROWS, 2))
    model = Forecaster(**SMALL).fit(y, X)
    first, second = (model.predict(X=np.full((4, 2), value)) for value in (0.0, 3.0))
    assert not np.allclose(first, second)
    assert model.score(y, X) < 0
    with pytest.raises(ValueError, match=r"fit had 2 covariates known ahead; give 4 rows"):
        model.predict()
    with pytest.raises(ValueError, match=r"X has the shape \(3, 2\); \[4, 2\] is expected"):
        model.predict(X=X[:3])
    with pytest.raises(ValueError, match="X: nothing was known ahead in fit"):
        Forecaster(**SMALL).fit(y).predict(X=X[:4])


@pytest.mark.slow
def test_a_folder_and_pickle_forecast_the_same(y, fitted, tmp_path, monkeypatch):
    monkeypatch.setattr(interface, "settle", dict)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(), fitted.predict())
    dated = pandas.Series(y, pandas.date_range("2024", periods=ROWS, name="day"), name="sales")
    model = Forecaster(**SMALL).fit(dated)
    model.save(tmp_path / "run")
    pandas.testing.assert_series_equal(load(tmp_path / "run").predict(), model.predict(), check_freq=False)
    frame = seqjax.load(tmp_path / "run").predict(dated.to_frame()).frame()
    assert frame["date"].tolist() == model.predict().index.tolist()
    np.testing.assert_allclose(frame["q0.5"], model.predict(), atol=1e-2)


@pytest.mark.slow
def test_missing_values_and_short_series(y):
    holed = y.copy()
    holed[[0, 7, 30, ROWS - 1]] = np.nan
    assert np.isfinite(Forecaster(**SMALL).fit(holed).predict()).all()
    assert np.isfinite(Forecaster(**(SMALL | {"context": 500})).fit(y[:14]).predict()).all()


CASES = [
    ({"y": np.zeros(5)}, "too few rows"),
    ({"y": np.zeros((3, 2, 2))}, r"y has the shape \(3, 2, 2\)"),
    ({"y": np.array([])}, "y of shape .* is empty"),
    ({"y": ["a"] * 50}, "y holds no numbers"),
    ({"y": np.append(np.zeros(50), np.inf)}, "y contains infinity, in row 50"),
    ({"y": np.full(50, np.nan)}, "column 0 holds nothing but missing"),
    ({"y": np.arange(50.0), "X": np.zeros((49, 1))}, "unequal length: 49 and 50"),
    ({"y": pandas.DataFrame({"a": range(50), "b": "x"})}, "no numbers in b; of a table, name its target"),
    ({"y": pandas.Series(range(50), pandas.date_range("2024", periods=50)[::-1])}, "comes behind a later one"),
    ({"y": pandas.Series(range(50), pandas.DatetimeIndex(["2024-01-01"] * 50))}, "is there twice"),
    ({"y": np.arange(50.0), "target": "sales"}, "y must be a DataFrame, not ndarray"),
    ({"y": pandas.DataFrame({"a": range(50)}), "target": "b"}, "y has no column 'b'; choices: a"),
    ({"y": np.arange(50.0), "horizon": 0}, "horizon must be at least 1"),
    ({"y": np.arange(50.0), "levels": (0.1, 0.9)}, "0.5 among them"),
    ({"y": np.arange(50.0), "season": 30}, "season"),
    ({"y": np.arange(50.0) / 2, "likelihood": "negative_binomial"}, "y holds 0.5, which is no count"),
    ({"y": 1e300 * np.arange(50.0)}, "give it in another unit"),
    ({"y": pandas.Series(range(50), pandas.DatetimeIndex([None] * 50))}, "a missing date, in row 0"),
]


@pytest.mark.parametrize(("given", "said"), CASES)
def test_what_makes_no_sense_is_named(given, said):
    own = {name: value for name, value in given.items() if name not in ("y", "X")}
    with pytest.raises(ValueError, match=said):
        Forecaster(**(SMALL | own)).fit(given["y"], given.get("X"))


def test_what_cannot_be_forecast_is_named(fitted, y):
    for horizon in (0, 5, 2.5, True):
        with pytest.raises(ValueError, match="1 to 4 rows can be forecast"):
            fitted.predict(horizon)
    with pytest.raises(ValueError, match="y is not as it was in fit: columns"):
        fitted.predict(y=np.stack([y, y], axis=1))
    with pytest.raises(ValueError, match="not fitted yet"):
        Forecaster().predict()
