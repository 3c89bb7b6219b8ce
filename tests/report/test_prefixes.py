"""seqjax.report.prefixes: how soon, drawn."""

import json

import report_runs
from report_folders import grouped
from seqjax.report import prefixes


def write(folder, seed, accuracy, **settled):
    run = report_runs.write(folder / f"seed_{seed}", "bots_gru", seed, 0.9, metric="accuracy", losses=[0.3, 0.2])
    results = json.loads((run / "results.json").read_text())
    if accuracy:
        found = {"steps": [1, 2, 4], "accuracy": accuracy, "best_possible": [0.5, 0.7, 0.95], "settled": settled}
        results["details"] = {"test": {"prefixes": found}}
    results["baselines"] = {"largest_class": {"test": {"accuracy": 0.5}}}
    (run / "results.json").write_text(json.dumps(results))


def test_seeds_and_the_best_possible_are_drawn(tmp_path):
    write(tmp_path, 0, [0.5, 0.6, 0.9], median=3.0, p90=None, never=0.1)
    write(tmp_path, 1, [0.5, 0.7, 0.8], median=4.0, p90=7.0, never=0.2)
    (row,) = grouped(tmp_path).values()
    figure = prefixes.picture(row)
    assert figure is not None
    assert figure.title == "How soon: bots_gru"
    assert "mean of 2 seeds. Right, and right from then on: half of the verdicts after 3.5 steps, " in figure.caption
    assert "nine in ten never; 15.0% never." in figure.caption
    for said in ("best possible", "largest class", "steps seen"):
        assert said in figure.svg


def test_rows_without_prefixes_have_no_picture(tmp_path):
    write(tmp_path, 0, None)
    (row,) = grouped(tmp_path).values()
    assert prefixes.picture(row) is None
