"""Folders of runs with the report's command called on them."""

import subprocess
import sys

import pytest

import report_runs
from seqjax.report import __main__ as command
from seqjax.report import runs
from tool_calls import called


def row(epoch, loss):
    values = {"loss": loss, "mae": loss / 2}
    return {"epoch": epoch, "train": values, "validation": {"loss": loss + 1, "mae": loss}}


@pytest.fixture
def folder(tmp_path):
    """Five seeds of the LSTM, two of them below one folder; naive; a row with a knob; one that is not finished."""
    root = tmp_path / "runs"
    for seed, test in enumerate([2.4, 2.5, 2.45]):
        report_runs.write(root / f"lstm_{seed}", "jena_lstm", seed, test)
    for seed, test in enumerate([2.42, 2.48], start=3):
        report_runs.write(root / f"lstm_more/seed_{seed}", "jena_lstm", seed, test)
    (root / "lstm_more/results.json").write_text('{"test": {"mae": 1.0}, "seeds": [3, 4]}')
    (root / "lstm_more/config.json").write_text('{"experiment": "jena_lstm", "options": {}, "data": "real"}')
    report_runs.write(root / "naive", "jena_naive", 0, 2.62)
    report_runs.write(root / "wide", "jena_lstm", 0, 2.3, units=32)
    (report_runs.write(root / "begun", "jena_dense", 0, 9.9) / "results.json").unlink()
    return root


def grouped(root):
    return {found.label: found for found in runs.group(runs.find(root).runs)}


def report(*arguments):
    return called(command, *arguments)


def report_apart(*arguments):
    """In a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "seqjax.report", *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


def make(folder, output, *arguments):
    done = report(f"--runs={folder}", f"--output={output}", f"--data_dir={folder}", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout
