"""The report of runs that are damaged or go on: they are unfinished, and the others are shown."""

import json

import pytest

from seqjax.report import runs
from seqjax.report.__main__ import FLAGS, main

GOOD = {"loss": 1.0, "mae": 2.0}


def write(folder, results, rows='{"epoch": 1, "seconds": 1}\n'):
    folder.mkdir()
    config = {"experiment": "tiny", "options": {"epochs": 2, "seed": 0}, "data": "real", "fingerprint": folder.name}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "metrics.jsonl").write_bytes(rows.encode("latin-1"))
    (folder / "results.json").write_text(results)


def results(**changes):
    known = {
        "options": {"epochs": 2},
        "validation": GOOD,
        "test": GOOD,
        "best_epoch": 1,
        "parameters": 3,
        "seconds": 1.0,
    }
    return json.dumps({**known, "lecture": {}, "optimum": {}, **changes})


@pytest.mark.parametrize(
    "damaged",
    ["[]", "", '{"test": {', "[" * 100_000, "{}", '{"test": {}}', results(test=None), results(test={"loss": 1})],
)
def test_damaged_results_are_those_of_an_unfinished_run(tmp_path, damaged):
    write(tmp_path / "good", results())
    write(tmp_path / "bad", damaged)
    found = runs.find(tmp_path).runs
    assert {run.path.name: run.results is None for run in found} == {"good": False, "bad": True}


def test_a_run_that_goes_on_is_unfinished(tmp_path):
    write(tmp_path / "run", results(options={"epochs": 1}))
    assert runs.find(tmp_path).runs[0].results is None


@pytest.mark.parametrize("rows", ["\xff\xfe\n", "nonsense\n", "[" * 100_000 + "\n"])
def test_damaged_rows_leave_a_run_out(tmp_path, rows):
    write(tmp_path / "good", results())
    write(tmp_path / "bad", results(), rows)
    assert [run.path.name for run in runs.find(tmp_path).runs] == ["good"]


def test_a_score_that_is_not_finite_is_told_and_the_report_is_json(tmp_path):
    write(tmp_path / "run", results(test={"loss": 1.0, "mae": None}))
    FLAGS(["report", f"--runs={tmp_path}", f"--output={tmp_path / 'report'}", "--nopictures"])
    try:
        main([])
    finally:
        FLAGS.unparse_flags()
        for flag in FLAGS:
            FLAGS[flag].unparse()
    text = (tmp_path / "report" / "report.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["rows"][0]["ours"]["test"]["mean"] is None
    assert "nan" in (tmp_path / "report" / "report.md").read_text()
