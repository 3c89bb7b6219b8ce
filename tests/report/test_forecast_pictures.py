"""Pictures of forecasts of a horizon, from what runs have kept: fans, errors by step, hour and season, residuals."""

import json
from typing import Any

import numpy as np
import pytest

import report_runs
from report_folders import grouped
from seqjax.report import calendar_errors, fans, forecasts, gallery, horizons, residuals, table
from seqjax.training.forecast_details import NAME

KINDS: Any = (fans, horizons, calendar_errors, residuals)


def write(folder, seed, change=()):
    """A run with details; change: entries to put in their place, None to leave out."""
    run = report_runs.write(folder / f"seed_{seed}", "jena_quantiles", seed, 0.1, metric="wql", losses=[0.3, 0.2])
    window = {"name": "T (degC)", "origin": "2016-01-01 00:10:00", "before": [1.0, None], "actual": [2.0, 3.0]}
    window["quantiles"] = [[1.0, 1.0], [2.0, 2.0], [4.0, 5.0]]
    errors = {"forecast": [1.0, 2.0 + seed], "naive": [2.0, 3.0], "seasonal_naive": [4.0, None]}
    found = {"scaled": False, "left_out": 0, "step": [1, 2], "stride": 1, "levels": [0.05, 0.5, 0.95]}
    found |= {"windows": [window], "by_step": {"share": 0.9, **errors, "covered": [0.9, 0.8]}}
    found |= {"by_hour": {name: [1.0] * 23 + [None] for name in errors}}
    found |= {"by_season": {name: [1.0, 2.0, 3.0, 4.0] for name in errors}}
    found |= {"autocorrelation": {"lag": [1, 2], "value": [0.5, -0.1], "count": 100}}
    found = {name: value for name, value in {**found, **dict(change)}.items() if value is not None}
    results = json.loads((run / "results.json").read_text())
    coverage = {"90": {"share": 0.89 + 0.02 * seed}, "50": {"share": None}}
    results["details"] = {"test": {NAME: found, "coverage": coverage}, "validation": {NAME: {}}}
    (run / "results.json").write_text(json.dumps(results))


def test_every_kind_is_drawn(tmp_path):
    write(tmp_path, 0)
    write(tmp_path, 1)
    (row,) = grouped(tmp_path).values()
    fan, horizon, calendar, residual = (kind.picture(row) for kind in KINDS)
    assert "90% interval" in fan.svg
    assert "T (degC) from 2016-01-01 00:10:00" in fan.svg
    assert horizon.caption == "Test part, mean and range of 2 seeds. Intervals: 90 % covers 90.0%."
    for said in ("seasonal naive", "covered by the 90% interval", "mean absolute error", "step of the horizon"):
        assert said in horizon.svg
    for said in ("hour of the day that is forecast", "February", "mean absolute error"):
        assert said in calendar.svg
    assert "mean of 2 seeds: residuals of the first step" in residual.caption
    titles = [each.title for each in gallery.figures([row], table.rows([row], []), tmp_path)[0]]
    assert [fan.title, horizon.title, calendar.title, residual.title] == [t for t in titles if "jena_quantiles" in t][
        :4
    ]
    assert not forecasts.is_temperature(row), "it is no forecast of one temperature a day ahead"


def test_lines_are_means_over_seeds(tmp_path):
    from matplotlib.figure import Figure

    write(tmp_path, 0)
    write(tmp_path, 1)
    (row,) = grouped(tmp_path).values()
    axes: Any = Figure().subplots()
    horizons.plot(axes, [1, 2], horizons.of_seeds(row, "by_step"), "forecast", "ours")
    assert axes.lines[0].get_ydata().tolist() == [1, 2.5]
    horizons.plot(axes, [1, 2], horizons.of_seeds(row, "by_step"), "seasonal_naive", "")
    assert np.isnan(axes.lines[1].get_ydata()[1])


@pytest.mark.parametrize("lacking", [dict.fromkeys(("windows", "by_step", "by_hour", "by_season", "autocorrelation"))])
def test_rows_without_details_have_no_picture(tmp_path, lacking):
    write(tmp_path, 0, lacking)
    report_runs.write(tmp_path / "other", "jena_lstm", 0, 2.5)
    for row in grouped(tmp_path).values():
        assert [kind.picture(row) for kind in KINDS] == [None] * 4
    assert [forecasts.is_temperature(row) for row in grouped(tmp_path).values()] == [True, False]


def test_one_season_is_drawn_alone(tmp_path):
    write(tmp_path, 0, {"by_hour": None, "scaled": True})
    (row,) = grouped(tmp_path).values()
    figure: Any = calendar_errors.picture(row)
    assert "hour of the day" not in figure.svg
    assert "mean absolute scaled error" in figure.svg
