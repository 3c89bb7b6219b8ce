"""`benchmark --tables`: readers of CSV, each block in a process of its own."""

import importlib.util
import json
import statistics
import sys

import pytest

from seqjax.benchmark import __main__ as command
from seqjax.benchmark import tables
from seqjax.data.series import csv_table


@pytest.fixture
def call(monkeypatch, capsys):
    """Run the command line within this process: (exit code, stdout, stderr)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["seqjax.benchmark", *arguments])
        with pytest.raises(SystemExit) as stop:
            command.run()
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    return run


@pytest.mark.slow
def test_readers_are_measured_beside_each_other(call, tmp_path, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("polars", "pandas") else real(name))
    output = tmp_path / "rows.json"
    code, out, err = call("--tables=million", "--scale=0.002", "--blocks=2", f"--output={output}")
    assert code == 0, err
    assert "pandas is left out: pandas not installed" in err
    rows = json.loads(output.read_text())
    assert [row["implementation"] for row in rows] == ["seqjax", "pyarrow"]
    for row in rows:
        assert set(row) == set(tables.Row.__annotations__)
        assert row["rows"] == 2000
        assert len(row["blocks"]) == 2
        for key in ("seconds", "cpu_seconds", "import_seconds", "peak_memory_mb"):
            assert row[key] == statistics.median(block[key] for block in row["blocks"])
            assert row[key] > 0
    assert [line.split()[:3] for line in out.splitlines()[-2:]] == [
        ["million", "seqjax", "2,000"],
        ["million", "pyarrow", "2,000"],
    ]


@pytest.mark.parametrize("name", tables.READERS)
def test_every_reader_reads_the_dates(name, tmp_path):
    if name in tables.PEERS:
        pytest.importorskip(name)
    path = tmp_path / "x.csv"
    path.write_bytes(tables._generated(50))
    assert tables.READERS[name](tables.KINDS["million"].dates)(path) == 50
    table = csv_table.read(path, csv_table.Form())
    assert (table.columns, len(table.times), table.notes) == (("a", "b", "c"), 50, ())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tables=billion"], "there is no table 'billion'; choices: million, jena"),
        (["--tables=million", "--text=int"], "--text and --tables are measured one at a time"),
        (["--tables=jena", "--data_dir=/no/such"], "there is no Jena file in /no/such; --tables=million needs none"),
    ],
)
def test_a_wrong_flag_is_one_line(call, arguments, message):
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert message in err.splitlines()[-1]
    assert "Traceback" not in err


def test_a_reader_that_fails_is_named(call, monkeypatch):
    monkeypatch.setattr(tables, "_generated", lambda rows: b"time,a\n2020-01-01 00:00:00,x\n2020-01-02 00:00:00,y\n")
    code, _, err = call("--tables=million", "--blocks=1")
    assert code == 2
    assert "seqjax: its process ended with code 1: seqjax.errors.UserError: " in err
    assert "no column besides 'time' holds numbers" in err
