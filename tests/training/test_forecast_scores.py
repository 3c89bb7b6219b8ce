"""Scores of all steps of a horizon, on a panel whose answers are made by hand."""

import dataclasses

import numpy as np
import pytest

from seqjax.data.dataset import Answers
from seqjax.data.series import panel, panel_parts, panel_truth, panel_windows, sample_panel
from seqjax.scoring import forecasts as scoring
from seqjax.training import forecast_details, forecast_scores

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
HORIZON = 6


@pytest.fixture(scope="module")
def dataset():
    made = sample_panel.panel(series=3, rows=24 * 40).panel
    values = made.values.copy()
    values[-2] = np.nan
    made = dataclasses.replace(made, values=values)
    windows = panel_windows.Windows(48, HORIZON, LEVELS, season=24, stride=50)
    return windows.dataset(made, panel_parts.by_rows(made.bounds, 24 * 4, 24 * 4), "made", {})


def answers(dataset, quantiles=None, part="test"):
    """Of quantiles [N, H, Q] in the own unit; by default around what comes."""
    ids = np.sort(dataset.parts[part])
    truth = panel_truth.truth(dataset, ids)
    if quantiles is None:
        quantiles = truth.actual[:, :, None] + truth.unit[:, None, None] * np.array([-2, -1, 0.25, 1, 2.0])
        quantiles = np.where(np.isnan(quantiles), truth.naive[:, :, None], quantiles)
    held = dataset.kept
    level, unit = held["filled"][ids, 0], truth.unit
    changes = (quantiles - level[:, None, None]) / unit[:, None, None]
    return Answers(changes, None, ids, dataset), truth, quantiles


def test_scores_are_those_of_the_forecasts_in_the_targets_own_unit(dataset):
    made, truth, quantiles = answers(dataset)
    found = {name: score(made) for name, score in forecast_scores.scores(LEVELS).items()}
    assert next(iter(found)) == "wql"
    assert found["wql"] == pytest.approx(scoring.wql(quantiles, LEVELS, truth.actual))
    assert found["mase"] == pytest.approx(np.mean(0.25 * truth.unit / truth.scale))
    assert found["mae"] == pytest.approx(scoring.mae(quantiles[..., 2], truth.actual))
    assert (found["coverage_90"], found["coverage_50"]) == (1, 1)
    assert found["width_50"] == pytest.approx(scoring.width(quantiles[..., 1], quantiles[..., 3], truth.actual))
    assert found["winkler_90"] == pytest.approx(found["width_90"])
    assert next(iter(forecast_scores.scores(LEVELS, "mase"))) == "mase"


def test_the_naive_rows_stand_beside(dataset):
    for part in ("validation", "test"):
        truth = answers(dataset, part=part)[1]
        for name, point in (("naive", truth.naive), ("seasonal_naive", truth.seasonal)):
            own = dataset.baselines[name][part]
            assert own["rmse"] == scoring.rmse(point, truth.actual)
            assert own["wql"] == pytest.approx(own["nd"])
            assert own["pinball"] == pytest.approx(own["mae"] / 2)
    assert dataset.baselines["seasonal_naive"]["season"] == 24


def test_each_value_counts_once_in_the_interval_of_a_coverage(dataset):
    made, truth, quantiles = answers(dataset)
    count = 3 * 24 * 4 - 1  # of all steps of all windows; one is missing
    assert (~np.isnan(truth.actual)).sum() > 5 * count
    found = forecast_scores.coverage(made, LEVELS)["90"]
    assert (found["share"], found["count"], found["high"]) == (1, count, 1)
    assert found["low"] == pytest.approx(scoring.share_of(count, count).low)
    made, _, _ = answers(dataset, np.where(np.isnan(quantiles), 0, quantiles) + 1e6)
    assert forecast_scores.coverage(made, LEVELS)["90"]["share"] == 0


def test_details_are_small_and_say_where_a_forecast_errs(dataset):
    made, truth, quantiles = answers(dataset)
    found = forecast_details.details(quantiles, LEVELS, truth, dataset, made.ids)
    assert found["scaled"]
    assert found["step"] == [1, 2, 3, 4, 5, 6]
    assert found["by_step"]["forecast"] == pytest.approx([np.mean(0.25 * truth.unit / truth.scale)] * 6, rel=1e-2)
    assert found["by_step"]["covered"] == [1] * 6
    assert len(found["by_hour"]["naive"]) == 24
    assert "by_season" not in found, "a few days of one season"
    assert found["autocorrelation"]["lag"][:2] == [1, 2]
    first = found["windows"][0]
    assert (len(first["before"]), found["stride"]) == (HORIZON, 1)
    assert first["actual"] == pytest.approx(truth.actual[len(made.ids) // 6], rel=1e-3)
    assert np.shape(first["quantiles"]) == (5, HORIZON)


def test_of_a_long_horizon_some_steps_are_kept():
    some = forecast_details._some(720)
    assert (len(some), some[-1]) == (48, 719)
    assert forecast_details._columns(9) == [0, 2, 4, 6, 8]
    assert forecast_details._columns(1) == [0]


def test_one_forecast_a_series_has_no_autocorrelation():
    rng = np.random.default_rng(0)
    made = panel.of_rows([rng.normal(size=60), np.ones(60)], ["a", "flat"])
    windows = panel_windows.Windows(10, 5, LEVELS, season=7)
    dataset = windows.dataset(made, panel_parts.by_rows(made.bounds, 5, 5), "made", {})
    own, truth, quantiles = answers(dataset)
    found = forecast_details.details(quantiles, LEVELS, truth, dataset, own.ids)
    assert found.keys() == {"forecasts", "left_out", "scaled", "step", "by_step", "windows", "stride", "levels"}
    assert found["left_out"] == 1
    assert found["windows"][0]["origin"] is None
