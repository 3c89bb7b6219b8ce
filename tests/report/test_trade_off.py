"""seqjax.report.trade_off: the curves of a row's runs, and the picture of them."""

import json

import numpy as np

import report_runs
from report_folders import grouped
from seqjax.report import gallery, table, trade_off


def write(folder, seed, misses):
    run = report_runs.write(folder / f"seed_{seed}", "keyword_gru", seed, 0.1, metric="frame_accuracy")
    results = json.loads((run / "results.json").read_text())
    own = {"hours": 2.0, "events": 400, "misses_at_1": misses[1], "false_alarms": [0.0, 1.0, 9.0], "misses": misses}
    if misses[0] == 1:
        results["details"] = {"test": {"by_ratio": {"20 dB": own, "0 dB": own}}}
    (run / "results.json").write_text(json.dumps(results))


def test_seeds_are_drawn_and_what_is_missed_is_said(tmp_path):
    write(tmp_path, 0, [1.0, 0.2, 0.1])
    write(tmp_path, 1, [1.0, 0.1, 0.0])
    (row,) = grouped(tmp_path).values()
    found = trade_off.curves(row)
    assert list(found) == ["20 dB", "0 dB"]
    np.testing.assert_array_equal(found["0 dB"][1][1], [1, 0.1, 0])
    figure = trade_off.picture(row)
    assert figure.caption == (
        "Test part, 2 seeds: 2 hours of each ratio, 400 hotwords at 20 dB, of which 15.0% are missed at one false "
        "alarm an hour (dotted)."
    )
    assert "noise 20 dB below the words" in figure.svg
    titles = [each.title for each in gallery.figures([row], table.rows([row], []), tmp_path)[0]]
    assert f"Misses and false alarms: {row.label}" in titles


def test_rows_without_curves_have_no_picture(tmp_path):
    write(tmp_path, 0, [0.0, 0.0, 0.0])
    (row,) = grouped(tmp_path).values()
    assert trade_off.picture(row) is None
