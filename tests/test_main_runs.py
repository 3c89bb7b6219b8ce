"""A run by the command line, from training to prediction, killed and resumed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from command_calls import SMALL, call, write_weather
from seqjax import main

__all__ = ["call"]

RESULT_KEYS = {
    "experiment", "options", "parameters", "best_epoch", "validation", "test", "lecture", "data", "seconds",
    "examples_per_second",
}  # fmt: skip


def test_a_run_from_training_to_prediction(call, tmp_path):
    code, out, error = call(*SMALL)
    assert code == 0, error
    assert "not the lecture's data" in out.splitlines()[-1]
    assert "best possible" in out.splitlines()[-1]
    workdir = tmp_path / "runs" / "jena_lstm"
    files = {file.name for file in workdir.iterdir()}
    assert {"config.json", "results.json", "metrics.jsonl", "curves.png", "experiment.py", "jena.json"} <= files
    results = json.loads((workdir / "results.json").read_text())
    assert set(results) >= RESULT_KEYS
    assert results["options"]["units"] == 4
    assert results["lecture"] == {"test": {"mae": 2.53}}
    assert results["data"] == "sample"
    assert (workdir / "curves.png").read_bytes().startswith(b"\x89PNG")
    config = json.loads((workdir / "config.json").read_text())
    assert {"experiment", "options", "fingerprint", "versions", "device"} <= set(config)

    before = {file: file.read_bytes() for file in workdir.rglob("*") if file.is_file()}
    code, again, _ = call(*SMALL)
    assert code == 0
    assert "finished already" in again
    assert again.splitlines()[-1] == out.splitlines()[-1]

    code, evaluated, error = call("--mode=evaluate", "--experiment=jena_lstm")
    assert code == 0, error
    assert evaluated.splitlines()[-1] == out.splitlines()[-1]

    for arguments, message in (
        ([*SMALL, "--set=units=5"], "units=4, not 5"),
        (["--experiment=jena_lstm", "--workdir=runs/jena_lstm"], "data=sample, not real"),
        (
            ["--experiment=jena_dense", "--data=sample", "--workdir=runs/jena_lstm"],
            "experiment=jena_lstm, not jena_dense",
        ),
        (["--mode=evaluate", "--experiment=jena_lstm", "--set=units=5"], "units=4, not 5"),
        (["--mode=predict", "--workdir=runs/jena_lstm", "--input=missing.csv"], "missing.csv cannot be read"),
    ):
        code, _, error = call(*arguments)
        assert (code, error.count("\n")) == (2, 1)
        assert message in error
    assert {file: file.read_bytes() for file in workdir.rglob("*") if file.is_file()} == before

    write_weather(tmp_path / "weather.csv", rows=30)
    code, predicted, error = call("--mode=predict", "--workdir=runs/jena_lstm", "--input=weather.csv")
    assert code == 0, error
    assert predicted.splitlines()[0] == "window_end,forecast_for,T (degC)"
    assert len(predicted.splitlines()) == 1 + 30 - 23
    assert np.isfinite(float(predicted.splitlines()[1].split(",")[2]))


def test_a_run_goes_on_with_its_own_copy_of_the_experiment(call, tmp_path, caplog):
    (tmp_path / "experiments").mkdir()
    mine = tmp_path / "experiments" / "mine.py"
    text = (Path(main.__file__).parent.parent / "experiments" / "jena_naive.py").read_text()
    mine.write_text(text)
    arguments = ["--experiment=mine", "--data=sample", "--set=sequence_length=24", "--explain"]
    code, out, error = call(*arguments)
    assert code == 0, error
    assert "no recurrent layer" in out
    mine.write_text(text.replace("normalise=False", "normalise=True"))  # would forecast z-scores
    code, again, _ = call(*arguments)
    assert code == 0
    assert again.splitlines()[-1] == out.splitlines()[-1]
    assert "mine.py has changed since this run began" in caplog.text
    assert (tmp_path / "runs" / "mine" / "experiment.py").read_text() == text


def command(workdir, *extra):
    return [sys.executable, "-m", "seqjax.main", *SMALL, "--notune", f"--workdir={workdir}", *extra]


def final(workdir):
    rows = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k not in ("seconds", "examples_per_second")} for row in rows]


def parameters(workdir):
    """The bytes of the final state, read back through orbax by its own template-free restore."""
    import orbax.checkpoint as ocp

    newest = max((workdir / "checkpoints" / "latest").iterdir(), key=lambda folder: int(folder.name))
    restored = ocp.StandardCheckpointer().restore((newest / "state").resolve())
    return {k: v.tolist() if hasattr(v, "tolist") else v for k, v in flatten(restored["tree"]["params"]).items()}


def flatten(tree, prefix=""):
    if isinstance(tree, dict):
        return {k: v for name, sub in tree.items() for k, v in flatten(sub, f"{prefix}/{name}").items()}
    return {prefix: tree}


def wait_for(condition, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.slow
def test_killed_and_terminated_runs_end_as_the_uninterrupted_one(call, tmp_path):
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "xla")}
    options = {"env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    whole = tmp_path / "whole"
    code, _, error = call(*command(whole)[3:])
    assert code == 0, error

    broken = tmp_path / "broken"
    extra = ["--checkpoint_seconds=0"]
    rows = broken / "metrics.jsonl"
    latest = broken / "checkpoints" / "latest"
    steps = lambda: [int(folder.name) for folder in latest.glob("*") if folder.name.isdigit()]
    for number, ready in (
        (signal.SIGKILL, lambda: any(step > 0 for step in steps())),  # within the first epoch
        (signal.SIGTERM, lambda: rows.exists() and rows.read_text().count("\n") >= 1),
        (signal.SIGKILL, lambda: any(step > 137 for step in steps())),
    ):
        process = subprocess.Popen(command(broken, *extra), **options)
        wait_for(ready, process)
        process.send_signal(number)
        _, error = process.communicate(timeout=120)
        assert "Traceback" not in error
        if number == signal.SIGTERM:
            assert process.returncode == 128 + number, error
            assert "stopped by SIGTERM and saved at step" in error
        else:
            assert process.returncode == -number, error
    assert not (broken / "results.json").exists()
    code, out, error = call(*command(broken, *extra)[3:])
    assert code == 0, error
    assert "resuming at step" in out
    assert final(broken) == final(whole)
    assert parameters(broken) == parameters(whole)
