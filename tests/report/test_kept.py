"""Rows that are kept: they come back as their runs' folders said, report the same, and are never another's."""

import json

import jax
import numpy as np
import pytest

import report_runs
from places import DATA, ROOT
from report_folders import folder, make, report
from seqjax import experiment as experiments
from seqjax.data.series import jena
from seqjax.errors import UserError
from seqjax.report import forecasts, kept, runs, weights
from seqjax.training.checkpoint import Checkpoints

__all__ = ["folder"]
KEPT = ROOT / "experiments" / "results"
PARAMS = {"Dense_0": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "bias": np.float32([0.1, 0.2, 1e-30])}}


def keep(root, target, **options):
    return kept.keep(runs.group(runs.find(root).runs), root, target, **options)


def said(root):
    """Of every finished run: all but its path."""
    found = [run for run in runs.find(root).runs if run.results]
    return sorted(
        [[run.config["experiment"], run.config["options"], run.results, list(run.rows)] for run in found], key=str
    )


def test_a_row_comes_back_as_its_folders_said(folder, tmp_path):
    files = keep(folder, tmp_path / "kept")
    assert sorted(path.name for path in files) == ["jena_lstm.json", "naive.json", "wide.json"]
    assert said(tmp_path / "kept") == said(folder)
    before, after = (runs.group(runs.find(root).runs) for root in (folder, tmp_path / "kept"))
    assert [(row.label, row.changed, row.defaults) for row in before] == [
        (row.label, row.changed, row.defaults) for row in after
    ]


def test_a_kept_row_is_named_by_its_folder(tmp_path):
    for seed in (0, 1):
        for units in (16, 32):
            report_runs.write(tmp_path / f"runs/wide/units={units}/seed_{seed}", "jena_lstm", seed, 2.4, units=units)
    files = keep(tmp_path / "runs", tmp_path / "kept")
    assert sorted(path.name for path in files) == ["wide_units=16.json", "wide_units=32.json"]


def test_the_report_says_the_same_of_kept_rows_and_of_both_mixed(folder, tmp_path, capsys):
    keep(folder, tmp_path / "kept")
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed/naive").symlink_to(folder / "naive")
    for name in ("jena_lstm", "wide"):
        (tmp_path / f"mixed/{name}.json").symlink_to(tmp_path / f"kept/{name}.json")
    texts = []
    for root in (folder, tmp_path / "kept", tmp_path / "mixed"):
        make(root, tmp_path / "report", "--nopictures")
        found = json.loads((tmp_path / "report/report.json").read_text())
        texts.append([{**row, "paths": None} for row in found["rows"]] + found["claims"])
    assert texts[0] == texts[1] == texts[2]


def test_what_is_kept_and_where_it_lies_twice_counts_once(folder, tmp_path, caplog):
    keep(folder, folder / "kept")
    assert sorted(len(row.runs) for row in runs.group(runs.find(folder).runs)) == [1, 1, 5]
    assert "repeats" in caplog.text


def test_seeds_are_added_and_another_row_or_score_is_refused(folder, tmp_path):
    target = tmp_path / "kept"
    keep(folder, target)
    more = tmp_path / "more"
    report_runs.write(more / "jena_lstm/seed_7", "jena_lstm", 7, 2.41)
    keep(more, target)
    assert [run.seed for run in runs.find(target).runs if run.path.name == "jena_lstm.json"] == [0, 1, 2, 3, 4, 7]
    whole = (target / "jena_lstm.json").read_text()

    other = tmp_path / "other"
    report_runs.write(other / "jena_lstm/seed_7", "jena_lstm", 7, 2.99)
    with pytest.raises(UserError, match=r"jena_lstm.json keeps seed 7 with test scores .*2.41.*, not .*2.99"):
        keep(other, target)
    wide = tmp_path / "wide"
    report_runs.write(wide / "jena_lstm/seed_8", "jena_lstm", 8, 2.4, units=64)
    with pytest.raises(UserError, match="keeps a row with units=16, not 64"):
        keep(wide, target)
    moved = report_runs.write(tmp_path / "moved/jena_lstm/seed_8", "jena_lstm", 8, 2.4)
    config = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps(config | {"fingerprint": "beef"}))
    with pytest.raises(UserError, match="fingerprint=f00d, not beef"):
        keep(tmp_path / "moved", target)
    assert (target / "jena_lstm.json").read_text() == whole

    keep(wide, target, replace=True)
    assert [run.seed for run in runs.find(target).runs if run.path.name == "jena_lstm.json"] == [8]


def test_a_knob_that_came_later_is_no_other_row(tmp_path):
    report_runs.write(tmp_path / "old/jena_lstm/seed_0", "jena_lstm", 0, 2.4)
    report_runs.write(tmp_path / "new/jena_lstm/seed_1", "jena_lstm", 1, 2.5, gates=4)
    file = tmp_path / "new/jena_lstm/seed_1/experiment.py"
    file.write_text(file.read_text().replace("units: int = 16", "units: int = 16, gates: int = 4"))
    for root in ("old", "new"):
        keep(tmp_path / root, tmp_path / "kept")
    (path,) = (tmp_path / "kept").glob("*.json")
    assert [run.seed for run in kept.unpacked(json.loads(path.read_text()), path)] == [0, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "is damaged"), ('{"kind": "keras"}', "is no row that was kept"), ("[1]", "is no row that was kept")],
)
def test_a_file_that_is_no_kept_row_is_left_alone(folder, tmp_path, content, message):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/jena_lstm.json").write_text(content)
    with pytest.raises(UserError, match=message):
        keep(folder, tmp_path / "kept")
    assert (tmp_path / "kept/jena_lstm.json").read_text() == content


@pytest.mark.parametrize("damage", [{"seeds": 3}, {"seeds": [{"seed": 0}]}, {"options": None}])
def test_a_damaged_row_is_left_out_with_a_warning(folder, tmp_path, caplog, damage):
    keep(folder, tmp_path / "kept")
    path = tmp_path / "kept/wide.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | damage))
    assert {run.path.name for run in runs.find(tmp_path / "kept").runs} == {"jena_lstm.json", "naive.json"}
    assert "wide.json is damaged" in caplog.text


def test_weights_come_back_and_those_of_another_model_are_refused(tmp_path):
    weights.save(tmp_path / "w.npz", PARAMS)
    found = weights.load(tmp_path / "w.npz", PARAMS)
    jax.tree.map(np.testing.assert_array_equal, found, PARAMS)
    with pytest.raises(UserError, match="holds the weights of another model"):
        weights.load(tmp_path / "w.npz", {"Dense_0": {"kernel": np.zeros((3, 2)), "bias": np.zeros(3)}})
    (tmp_path / "w.npz").write_bytes((tmp_path / "w.npz").read_bytes()[:100])
    with pytest.raises(UserError, match="cannot be read"):
        weights.load(tmp_path / "w.npz", PARAMS)
    with pytest.raises(UserError, match="cannot be read"):
        weights.load(tmp_path / "none.npz", PARAMS)


def test_the_first_seeds_best_weights_are_kept(folder, tmp_path):
    for seed, scale in ((0, 1.0), (1, 2.0)):
        checkpoints = Checkpoints(folder / f"lstm_{seed}" / "checkpoints" / "best")
        checkpoints.save(3, jax.tree.map(lambda array, scale=scale: np.float32(scale) * array, PARAMS))
        checkpoints.close()
    keep(folder, tmp_path / "kept")
    assert [path.name for path in (tmp_path / "kept").glob("*.npz")] == ["jena_lstm.npz"]
    having = [run for run in runs.find(tmp_path / "kept").runs if run.weights]
    assert [run.seed for run in having] == [0]
    found = weights.load(having[0].weights, PARAMS)
    jax.tree.map(np.testing.assert_array_equal, found, PARAMS)


def test_the_command_keeps_and_refuses_in_one_line(folder, tmp_path):
    done = make(folder, tmp_path / "report", "--nopictures", f"--keep={tmp_path / 'kept'}")
    assert f"3 rows kept in {tmp_path / 'kept'}" in done
    (tmp_path / "file").write_text("")
    done = report(f"--runs={folder}", f"--output={tmp_path / 'report'}", f"--keep={tmp_path / 'file'}")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in KEPT.glob("*.npz")))
def test_the_kept_weights_score_what_is_kept(name):
    """On the data that they were trained on, by the experiments of today."""
    if jena.find(DATA) is None:
        pytest.skip(f"no Jena file in {DATA}")
    (row,) = runs.group([run for run in runs.find(KEPT).runs if run.path.stem == name])
    found = forecasts.of(row, DATA)
    assert found.error.mean() == pytest.approx(row.first["test"]["mae"], rel=1e-4)
    assert experiments.find(row.experiment)
