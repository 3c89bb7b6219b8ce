"""python -m seqjax.verdict: from a user's series to a sentence."""

import json

import numpy as np
import pytest

from seqjax import verdict
from tool_calls import called


@pytest.fixture(autouse=True)
def _settings_of_this_process_stay(monkeypatch):
    monkeypatch.setattr(verdict, "settle", lambda: None)


QUICK = ["--set=units=4", "--set=epochs=2", "--set=sequence_length=6", "--seeds=2", "--origins=1"]


def written(folder, values, name="y.csv"):
    times = np.datetime64("2024-01-01T00", "h") + np.arange(len(values))
    path = folder / name
    path.write_text("t,y\n" + "".join(f"{t},{y}\n" for t, y in zip(times, values, strict=True)))
    return [f"--file={path}", "--time=t", "--target=y", f"--output={folder / 'out'}"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "--file=FILE is missing"),
        (["--file=x.csv", "--horizon=0"], "--horizon must be at least 1, not 0"),
        (["--file=x.csv", "--seeds=0"], "--seeds must be at least 1"),
        (["--file=x.csv", "--set=target=y"], "--set=target=y: give --target=y"),
        (["--file=x.csv", "--set=seed=2"], "--set=seed=2: give --seeds=2"),
        (["--file=nowhere.csv"], "nowhere.csv is neither here nor in"),
        (["prices.csv"], "'prices.csv' is not a flag"),
    ],
)
def test_a_wrong_call_is_one_line(flags, said):
    done = called(verdict, *flags)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_thirty_rows_are_refused(tmp_path):
    done = called(verdict, *written(tmp_path, range(30)))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "30 rows: fewer than 100 tell nothing" in done.stderr


@pytest.mark.slow
def test_a_season_is_found_and_a_file_says_so(tmp_path):
    hours = np.arange(400) % 24
    done = called(verdict, *written(tmp_path, np.where(hours == 7, 5.0, hours % 3)), *QUICK)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-2].startswith("Yes, but no model is needed: the error of the seasonal value is 100.0 %")
    assert any(line.startswith("Shift test:") for line in lines)
    facts = json.loads((tmp_path / "out" / "verdict.json").read_text())
    assert facts["answer"] == "simple"
    assert facts["mae"]["seasonal value"] == 0
    assert len(facts["mae"]["model"]) == 2
    assert "<svg" in (tmp_path / "out" / "verdict.svg").read_text()


@pytest.mark.slow
def test_of_a_constant_there_is_nothing(tmp_path):
    done = called(verdict, *written(tmp_path, np.full(150, 3.5)), *QUICK, "--seeds=1")
    assert done.returncode == 0, done.stderr
    assert "Nothing to forecast beyond the last value: it was right in all of the" in done.stdout
    written_there = (tmp_path / "out" / "verdict.json").read_text()
    assert "Infinity" not in written_there, "which is no JSON"
    assert json.loads(written_there)["answer"] == "nothing"
