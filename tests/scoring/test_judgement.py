"""Verdicts on errors of which it is known what they ought to be."""

import numpy as np
import pytest

from seqjax.scoring.judgement import LAST, Errors, judge

N = 600


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def errors(series, model, chosen=LAST, **simple):
    """Absolute, of one step ahead: series [N + 1], model [S, N] and what else is simple [N]: forecasts."""
    came, last = series[1:], series[:-1]
    found = {LAST: last, **{name.replace("_", " "): own for name, own in simple.items()}}
    return Errors(
        np.abs(np.atleast_2d(model) - came), {n: np.abs(f - came) for n, f in found.items()}, [chosen] * len(came)
    )


def walk(steps):
    return steps.cumsum()


@pytest.mark.parametrize("kind", ["gaussian", "heavy"])
def test_on_a_walk_a_forecast_near_the_last_value_finds_nothing(kind, rng):
    steps = rng.normal(size=N + 1) if kind == "gaussian" else rng.standard_t(2, N + 1)
    series = walk(steps)
    found = judge(errors(series, series[:-1] + 0.05 * rng.normal(size=(3, N))))
    assert found.answer == "nothing"
    assert found.sentence.startswith("Nothing to forecast beyond the last value: a model's skill is")
    model = found.skills["model"]
    assert model is not None
    assert model.high < 0.02


def test_a_skill_that_chance_explains_is_none(rng):
    last = np.abs(rng.normal(size=N))
    model = last * (1 + 0.05 * rng.normal(size=N))
    model *= 0.9995 * last.sum() / model.sum()
    found = judge(Errors(model, {LAST: last}, [LAST] * N))
    assert found.skills["model"] is not None
    assert found.skills["model"].value == pytest.approx(0.0005)
    assert found.answer == "nothing"


def test_of_an_ar1_its_best_forecast_is_more_than_the_last_value_and_than_the_mean(rng):
    phi, series = 0.3, rng.normal(size=N + 1)
    for t in range(1, N + 1):
        series[t] += phi * series[t - 1]
    found = judge(errors(series, phi * np.stack([series[:-1]] * 2), chosen="mean", mean=np.zeros(N)))
    assert found.answer == "yes"
    assert found.skills["model"] == pytest.approx((0.194, 0.194, 0.194), abs=0.06)  # 1 - sqrt((1 + phi) / 2)
    assert found.test.p < 1e-6
    assert found.because.endswith("the mean's")
    assert found.beyond is not None
    assert found.beyond.value == pytest.approx(1 - (1 - phi**2) ** 0.5, abs=0.04)


def test_of_white_noise_the_mean_is_enough(rng):
    series = rng.normal(size=N + 1)
    model = 0.05 * rng.normal(size=(3, N))
    found = judge(errors(series, model, chosen="mean", mean=np.zeros(N)))
    assert found.sentence.startswith("Yes, but no model is needed: the error of the mean is")
    assert found.because.endswith("a model finds no more")


def test_a_perfect_season_is_enough_and_a_model_that_misses_it_is_no_reason_to_say_nothing(rng):
    series = np.tile(rng.normal(size=24), N // 24 + 1)[: N + 1]
    found = judge(errors(series, series[:-1], chosen="seasonal value", seasonal_value=series[1:]))
    assert found.answer == "simple"
    assert found.because.startswith("the error of the seasonal value is 100.0 %")


def test_few_wild_rows_decide_nothing(rng):
    series = walk(rng.standard_t(2, 41))
    model = series[1:] + rng.standard_t(2, (3, 40))
    found = judge(errors(series, model))
    assert found.answer == "undecided"
    assert "40 rows are too few" in found.because


def test_a_constant_series_has_nothing_to_add():
    found = judge(errors(np.full(N + 1, 7.5), np.full((2, N), 7.6)))
    assert found.answer == "nothing"
    assert "right in all of the 600 rows" in found.because
    assert found.skills["model"] is None


def test_a_model_that_is_worse_than_the_last_value_has_found_nothing(rng):
    series = walk(rng.normal(size=N + 1))
    found = judge(errors(series, series[:-1] + rng.normal(size=(3, N))))
    assert found.answer == "nothing"
    assert found.test.statistic > 2
