"""seqjax.report.shift: the price chart and the test that tells, from what runs have kept."""

import json

import pytest

import report_runs
from report_folders import grouped
from seqjax.report import gallery, shift, table

CHART = {"last": [0.0, 1.0, 2.0], "forecast": [0.0, 1.1, 2.0], "came": [1.0, 2.0, 1.5]}


def write(folder, seed, chart=CHART):
    run = report_runs.write(folder / f"seed_{seed}", "random_walk", seed, 0.81, losses=[0.3, 0.2])
    results = json.loads((run / "results.json").read_text())
    scores = {"skill": -0.001 * seed, "of_changes": 0.01 * seed, "of_last": 0.9999, "of_next": 0.9985}
    results |= {part: {"loss": 1.0, **scores, "mae": 0.81} for part in ("validation", "test")}
    results["optimum"] = {"skill": 0.0}
    results["details"] = {"test": {"chart": chart}}
    (run / "results.json").write_text(json.dumps(results))


def test_the_chart_and_the_seeds_correlations_are_drawn(tmp_path):
    for seed in range(3):
        write(tmp_path, seed)
    (row,) = grouped(tmp_path).values()
    figure = shift.picture(row)
    assert figure is not None
    assert figure.title == f"The last value, shifted? {row.label}"
    for said in ("forecast and last value: 0.9999", "forecast and next value: 0.9985", "true change: 0.0100"):
        assert said in figure.svg
    assert "3 seeds" in figure.caption
    assert "-0.0010 +- 0.0025" in figure.caption  # Student's t: 4.303 * 0.001 / 3**.5
    assert figure.title in [each.title for each in gallery.figures([row], table.rows([row], []), tmp_path)[0]]


@pytest.mark.parametrize("chart", [{}, {**CHART, "came": [1.0]}, {**CHART, "last": ["a", "b", "c"]}])
def test_a_damaged_chart_is_no_picture(tmp_path, chart):
    write(tmp_path, 0, chart)
    (row,) = grouped(tmp_path).values()
    assert shift.picture(row) is None
