"""seqjax.report.calibration: the curves of a row's runs, and the picture of them."""

import json

import report_runs
from report_folders import grouped
from seqjax.report import calibration, gallery, table


def write(folder, seed, curve):
    run = report_runs.write(folder / f"seed_{seed}", "sms_spam", seed, 0.9, losses=[0.3, 0.2])
    results = json.loads((run / "results.json").read_text())
    if curve:
        names = ("confidence", "accuracy", "count")
        results["details"] = {"test": {"calibration": dict(zip(names, curve, strict=True))}}
    (run / "results.json").write_text(json.dumps(results))


def test_seeds_are_drawn_together(tmp_path):
    write(tmp_path, 0, [[0.6, 0.9], [0.5, 0.9], [10, 30]])
    write(tmp_path, 1, [[0.7, 0.95], [0.7, 0.85], [20, 20]])
    (row,) = grouped(tmp_path).values()
    confidence, accuracy, count = calibration.curve(row)
    assert confidence.tolist() == [0.6, 0.9, 0.7, 0.95]
    assert accuracy.tolist() == [0.5, 0.9, 0.7, 0.85]
    assert count.sum() == 80
    figure = calibration.picture(row)
    assert figure.caption == "Test part, 2 seeds together: 80 answers; they differ by 3.75% on average."
    assert "probability of the likeliest class" in figure.svg
    titles = [each.title for each in gallery.figures([row], table.rows([row], []), tmp_path)[0]]
    assert f"Calibration: {row.label}" in titles


def test_rows_that_are_older_have_no_picture(tmp_path):
    write(tmp_path, 0, [[0.6], [0.5], [10]])
    write(tmp_path, 1, None)
    (row,) = grouped(tmp_path).values()
    assert calibration.picture(row) is None
