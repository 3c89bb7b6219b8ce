"""Which runs the report finds, and which row of the table each is in."""

import json

import numpy as np
import pytest

import report_runs
from report_folders import folder, grouped
from seqjax.report import runs, table

__all__ = ["folder"]


def test_seeds_are_one_row_and_knobs_another(folder):
    groups = grouped(folder)
    assert set(groups) == {"jena_lstm", "jena_lstm units=32", "jena_naive epochs=0"}
    assert [run.seed for run in groups["jena_lstm"].runs] == [0, 1, 2, 3, 4]
    assert groups["jena_naive epochs=0"].deterministic


def test_a_seed_counts_once_and_sample_and_other_data_are_rows_of_their_own(folder, caplog):
    report_runs.write(folder / "lstm_0_again", "jena_lstm", 0, 99.0)
    report_runs.write(folder / "sample", "jena_lstm", 0, 3.3, data="sample")
    other = report_runs.write(folder / "ten_minutes", "jena_naive", 0, 2.6)
    config = json.loads((other / "config.json").read_text()) | {"fingerprint": "abcdef99"}
    (other / "config.json").write_text(json.dumps(config))
    groups = grouped(folder)
    assert "lstm_0_again repeats" in caplog.text
    assert [run.results["test"]["mae"] for run in groups["jena_lstm"].runs] == [2.4, 2.5, 2.45, 2.42, 2.48]
    assert {"jena_lstm [sample]", "jena_naive epochs=0 (data f00d)", "jena_naive epochs=0 (data abcdef)"} < set(groups)


def test_a_knob_that_came_later_parts_no_row_from_its_older_runs_and_keras(folder, monkeypatch):
    (folder / "experiments").mkdir()
    monkeypatch.chdir(folder)
    later = report_runs.EXPERIMENT.replace("seed: int", "purge: bool = False, seed: int")
    (folder / "experiments" / "jena_lstm.py").write_text(later)
    for name, seed, purge in (("new", 5, False), ("purged", 0, True)):
        new = report_runs.write(folder / name, "jena_lstm", seed, 2.44, purge=purge)
        (new / "experiment.py").write_text(later)
    report_runs.keras(folder / "keras.json", "jena_lstm", [2.5])
    report_runs.keras(folder / "keras_purged.json", "jena_lstm", [2.7], purge=True)
    found = runs.find(folder)
    groups = {group.label: [run.seed for run in group.runs] for group in runs.group(found.runs)}
    assert groups["jena_lstm"] == [0, 1, 2, 3, 4, 5]
    assert groups["jena_lstm purge=True"] == [0]
    rows = {row["label"]: row["keras"] for row in table.rows(runs.group(found.runs), found.keras)}
    assert rows["jena_lstm"]["test"]["mean"] == 2.5
    assert rows["jena_lstm purge=True"]["test"]["mean"] == 2.7


def test_the_table_has_mean_interval_and_what_is_unfinished(folder):
    found = runs.find(folder).runs
    lstm = next(row for row in table.rows(runs.group(found), []) if row["label"] == "jena_lstm")
    values = np.array([2.4, 2.5, 2.45, 2.42, 2.48])
    assert lstm["ours"]["test"]["mean"] == pytest.approx(values.mean())
    # 2.776: Student's t, 4 degrees of freedom, 97.5 %, from any printed table
    assert lstm["ours"]["test"]["half"] == pytest.approx(2.776 * values.std(ddof=1) / np.sqrt(5), rel=1e-3)
    assert table.cells(lstm)[0] == ["jena_lstm", "test mae", "2.53", "2.450 ± 0.051 (5)", "-", "-", "2,001", "6 s"]
    assert [table.progress(row) for row in table.unfinished(found)] == [
        f"{folder / 'begun'} (jena_dense, seed 0): 3 of 10 epochs"
    ]


@pytest.mark.parametrize(
    ("value", "half", "said"),
    [(0.8695, None, "86.95 % (1)"), (0.8695, 0.0031, "86.95 ± 0.31 % (1)")],
)
def test_accuracies_are_percentages(value, half, said):
    assert table.score({"mean": value, "half": half, "count": 1}, "accuracy") == said


def test_damaged_files_are_left_out_with_a_warning(folder, caplog):
    (folder / "lstm_0/results.json").write_text("{")
    (folder / "lstm_1/metrics.jsonl").write_text("{\n")
    assert [run.seed for run in grouped(folder)["jena_lstm"].runs] == [2, 3, 4]
    assert "lstm_0/results.json cannot be read" in caplog.text
    assert "lstm_1/metrics.jsonl is damaged" in caplog.text


def test_keras_stands_beside_the_same_knobs(folder):
    report_runs.keras(folder / "keras.json", "jena_lstm", [2.5, 2.6, 2.7])
    report_runs.keras(folder / "keras_wide.json", "jena_lstm", [2.5], units=64)
    found = runs.find(folder)
    rows = {row["label"]: row for row in table.rows(runs.group(found.runs), found.keras)}
    assert rows["jena_lstm units=32"]["keras"] is None
    assert rows["jena_lstm"]["keras"]["test"]["mean"] == pytest.approx(2.6)
    apart = rows["jena_lstm"]["keras"]["test"]["ours_minus_keras"]
    scipy = pytest.importorskip("scipy.stats")
    peer = scipy.ttest_ind([2.4, 2.5, 2.45, 2.42, 2.48], [2.5, 2.6, 2.7], equal_var=False)
    assert (apart["test"], apart["p"]) == ("Welch's t-test", pytest.approx(peer.pvalue))
    assert (apart["low"], apart["high"]) == pytest.approx(tuple(peer.confidence_interval()))
    assert "no difference found" in str(table.beside_keras(rows["jena_lstm"]))
