"""The Jena file as a panel of hours: repeated stretches, gaps, missing values, the 10-minute file, predict."""

import io
import json

import numpy as np
import pytest

from command_calls import write_weather
from places import DATA
from seqjax.data.series import jena_hours, panel_truth, sample_climate, weather
from seqjax.data.series.jena_hours import Hours
from seqjax.data.series.panel_windows import Windows
from seqjax.errors import UserError
from seqjax.scoring import forecasts as scoring

LEVELS = (0.05, 0.5, 0.95)
SMALL = Hours(Windows(48, 24, LEVELS, stride=10, season=24))


def table(times, values=None):
    times = np.array(times, "datetime64[s]")
    filled = np.arange(len(times) * 14.0).reshape(-1, 14) if values is None else values
    return weather.Weather(weather.COLUMNS, times, filled)


def test_hours_that_lack_are_missing_and_repeated_stretches_left_out():
    start = np.datetime64("2010-07-01T00:30", "s")
    hours = np.array([0, 1, 2, 3, 2, 3, 4, 7])  # two hours back, then a gap of two
    own = table(start + hours * np.timedelta64(1, "h"))
    own.values[1, 1] = -9999
    found = jena_hours.hourly(own, "made")
    assert found.roles.targets == ("T (degC)",)
    temperature = own.values[:, 1]
    expected = [temperature[0], np.nan, temperature[2], temperature[3], temperature[6], np.nan, np.nan, temperature[7]]
    np.testing.assert_array_equal(found.values[:, 0], expected)
    assert found.values.shape[1] == 14
    assert found.times is not None
    assert (np.diff(found.times) == np.timedelta64(1, "h")).all()
    assert found.notes == (
        "2 rows of repeated stretches left out",
        "2 missing steps filled in as missing values",
    )


def test_the_10_minute_file_is_read_hour_by_hour():
    times = np.datetime64("2010-01-01T00:10", "s") + np.arange(20) * np.timedelta64(10, "m")
    own = table(times)
    np.testing.assert_array_equal(jena_hours.hourly(own, "made").values[:, 0], own.values[::6, 1])
    np.testing.assert_array_equal(
        jena_hours.hourly(own, "made", to_last=True).values[:, 0], own.values[[1, 7, 13, 19], 1]
    )
    with pytest.raises(UserError, match="made: rows 2400 s apart do not divide an hour"):
        jena_hours.hourly(table(times[:5] + np.arange(5) * np.timedelta64(30, "m")), "made")


def test_the_best_forecast_of_the_sample_costs_what_is_said(tmp_path):
    """By the process itself: the sample's best forecast a day ahead, and the pinball loss of its Gaussian."""
    made = sample_climate.climate(years=jena_hours.SAMPLE_YEARS)
    dataset = SMALL.load("sample", tmp_path)
    errors = made.values[:, 1] - made.best_forecast
    assert jena_hours.deviations(24)[-1] == pytest.approx(sample_climate.SIGMA)
    assert errors[200:].std() == pytest.approx(sample_climate.SIGMA, rel=0.03)
    assert (np.diff(jena_hours.deviations(24)) > 0).all()
    drawn = np.random.default_rng(0).normal(size=(200_000, 1)) * jena_hours.deviations(24).mean()
    best = np.quantile(drawn, LEVELS) * np.ones((len(drawn), 1, 1))
    assert dataset.optimum["pinball"] == pytest.approx(scoring.pinball(best, LEVELS, drawn).mean(), rel=0.01)
    assert dataset.optimum["pinball"] < 0.5 * dataset.baselines["seasonal_naive"]["test"]["pinball"]
    assert dataset.parts["test"].min() > dataset.parts["validation"].max() + 23 > dataset.parts["train"].max()


def test_predict_goes_on_from_the_last_hour(tmp_path):
    dataset = SMALL.load("sample", tmp_path)
    for name, text in dataset.assets.items():
        (tmp_path / name).write_text(text)
    write_weather(tmp_path / "new.csv", 60)
    requests = SMALL.requests(tmp_path, io.StringIO((tmp_path / "new.csv").read_text()), "new.csv")
    assert requests.header == "series,origin,step,date,q0.05,q0.5,q0.95"
    rows = requests.line(0, np.zeros((24, 3))).splitlines()
    last = float((tmp_path / "new.csv").read_text().splitlines()[-1].split(",")[2])
    assert len(rows) == 24
    assert rows[0] == f",2009-01-03 11:00:00,1,2009-01-03 12:00:00,{last:.2f},{last:.2f},{last:.2f}"
    facts = json.loads((tmp_path / "panel.json").read_text())
    assert facts["horizon"] == 24
    with pytest.raises(UserError, match="row 3"):
        SMALL.requests(
            tmp_path, io.StringIO((tmp_path / "new.csv").read_text().replace("01:00:00,", "x,", 1)), "new.csv"
        )


def test_the_real_file_keeps_every_hour_in_its_place():
    if not (DATA / "jena").is_dir():
        pytest.skip(f"no Jena file in {DATA}")
    dataset = SMALL.load("real", DATA)
    assert "54 rows of repeated stretches left out" in dataset.description
    assert dataset.baselines["seasonal_naive"]["season"] == 24
    truth = panel_truth.truth(dataset, dataset.parts["test"])
    assert np.nanmax(np.abs(truth.actual)) < 60, "no -9999"
