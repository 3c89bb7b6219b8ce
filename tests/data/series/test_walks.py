"""Walks whose best forecast is known: against closed forms, and against what makes them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqjax.data.series.walks import Walk, series
from seqjax.errors import UserError

NOWHERE = Path("nowhere")


def test_a_walk_is_the_sum_of_steps_of_mean_0_and_deviation_1():
    cases: Any = (("gaussian", 3), ("clusters", None), ("heavy", None))
    for steps, kurtosis in cases:
        drawn = np.diff(series(steps, 1.0, 200_000, 1))
        assert abs(drawn.mean()) < 0.01
        assert drawn.std() == pytest.approx(1, rel=0.1)
        assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 0.01, "steps are uncorrelated"
        found = (drawn**4).mean() / drawn.var() ** 2
        assert found == pytest.approx(3, abs=0.1) if kurtosis else found > 3.5, steps


def test_sizes_of_steps_come_in_clusters_only_where_they_are_to():
    sizes = {steps: np.abs(np.diff(series(steps, 1.0, 100_000, 2))) for steps in ("gaussian", "clusters")}
    remembered = {steps: np.corrcoef(size[5:], size[:-5])[0, 1] for steps, size in sizes.items()}
    assert abs(remembered["gaussian"]) < 0.02
    assert remembered["clusters"] > 0.1


@pytest.mark.parametrize(("phi", "horizon"), [(1.0, 1), (1.0, 5), (0.5, 1), (0.9, 1), (0.5, 3), (-0.5, 1)])
def test_the_best_possible_skill_is_that_of_the_closed_form(phi, horizon):
    """Of Gaussian steps; what is drawn once comes near it."""
    dataset = Walk(phi=phi, rows=60_000, sequence_length=8, horizon=horizon).load("sample", NOWHERE)
    expected = 0.0 if phi == 1 else 1 - ((1 + phi**horizon) / 2) ** 0.5
    assert dataset.optimum["skill"] == pytest.approx(expected, abs=0.01)
    assert (dataset.optimum["skill"] == 0) == (phi == 1)


def test_a_seed_is_a_series_and_the_recipe_is_the_data():
    """Seeds of one row are one row in the report, whose fingerprint they share; another recipe is another one."""
    options: Any = {"rows": 600, "sequence_length": 10}
    first, again, other = (Walk(seed=seed, **options).load("real", NOWHERE) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.arrays["series"], again.arrays["series"])
    assert not np.array_equal(first.arrays["series"], other.arrays["series"])
    assert first.fingerprint == other.fingerprint
    changed = ({"phi": 0.5}, {"steps": "heavy"}, {"rows": 601}, {"sequence_length": 11}, {"horizon": 2})
    prints = {Walk(**{**options, **knobs}).load("real", NOWHERE).fingerprint for knobs in changed}
    assert len(prints | {first.fingerprint}) == 1 + len(changed)


@pytest.mark.parametrize("knobs", [{"phi": 1.1}, {"phi": -1.0}, {"steps": "levy"}, {"rows": 100}, {"seed": -1}])
def test_what_is_no_walk_is_refused(knobs):
    with pytest.raises(UserError, match=str(next(iter(knobs)))):
        Walk(**knobs)
