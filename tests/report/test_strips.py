"""seqjax.report.strips: predicted frames beside those that came, from what a run has kept."""

import json
from typing import Any

import numpy as np

import report_runs
from report_folders import grouped
from seqjax.data.dataset import Answers
from seqjax.report import gallery, strips, table
from seqjax.training import frames


def write(folder, strip):
    run = report_runs.write(folder / "seed_0", "moving_digits", 0, 0.01, metric="mse", losses=[0.3, 0.2])
    results = json.loads((run / "results.json").read_text())
    results["details"] = {"test": {"strip": strip, "mse_after": {"1": 0.0321, "2": 0.0123}}}
    (run / "results.json").write_text(json.dumps(results))


def kept():
    outputs, targets = np.zeros((1, 2, 8, 8)), np.eye(8)[None, None].repeat(2, 1)
    dataset: Any = None
    return frames.strip(Answers({"frames": outputs}, {"frames": targets}, np.arange(1), dataset))


def test_a_strip_is_drawn_with_the_error_of_each_frame(tmp_path):
    write(tmp_path, kept())
    (row,) = grouped(tmp_path).values()
    figure = strips.picture(row)
    assert figure is not None
    assert figure.title == f"Next frames: {row.label}"
    for said in ("after 1", "MSE 0.0321", "MSE 0.0123", "came", "predicted"):
        assert said in figure.svg
    assert figure.svg.count("<image") == 4
    assert figure.title in [each.title for each in gallery.figures([row], table.rows([row], []), tmp_path)[0]]


def test_rows_without_one_or_with_a_damaged_one_have_no_picture(tmp_path):
    write(tmp_path, {**kept(), "true": "AAAA"})
    (row,) = grouped(tmp_path).values()
    assert strips.picture(row) is None
    report_runs.write(tmp_path / "other", "sms_spam", 0, 0.9, metric="f1", losses=[0.3])
    assert [strips.picture(row) for row in grouped(tmp_path).values()] == [None, None]
