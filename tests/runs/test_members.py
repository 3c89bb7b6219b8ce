"""Many seeds and values in one command: each is its own run, bit for bit; stops and failures lose nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from places import ROOT
from seqjax import experiment as experiments
from seqjax.errors import UserError
from seqjax.runs import commands, members
from seqjax.training.program import Settings
from seqjax.training.workdir import Workdir
from tiny_experiment import TINY


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "tiny.py").write_text(TINY)
    return tmp_path


def command(*arguments):
    return [sys.executable, "-m", "seqjax.main", "--experiment=tiny", "--data=sample", "--notune", *arguments]


def call(folder, *arguments):
    path = str(ROOT)
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def metrics_of(path: Path):
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{key: row[key] for key in ("epoch", "step", "train", "validation")} for row in rows]


@pytest.mark.slow
def test_every_seed_is_its_own_run_bit_for_bit(folder, monkeypatch):
    done = call(folder, "--seeds=2", "--set=seed=3")
    assert done.returncode == 0, done.stdout + done.stderr
    many = folder / "runs" / "tiny_many"
    assert "2 seeds; generated sample" in done.stdout.splitlines()[-1]
    assert {path.name for path in many.glob("seed_*")} == {"seed_3", "seed_4"}
    alone = {"options": ["seed=4"], "data": "sample", "data_dir": folder, "settings": Settings(devices=1)}
    monkeypatch.chdir(folder)
    commands.train("tiny", Workdir(folder / "alone"), **alone)
    assert metrics_of(many / "seed_4") == metrics_of(folder / "alone")
    assert metrics_of(many / "seed_4") != metrics_of(many / "seed_3")
    results = json.loads((many / "results.json").read_text())
    scores = [seed["test"]["mae"] for seed in results["seeds"]]
    assert results["test"]["mae"]["mean"] == pytest.approx(np.mean(scores))
    assert results["test"]["mae"]["std"] == pytest.approx(np.std(scores, ddof=1))
    # Student's t for one degree of freedom is 12.706
    assert results["test"]["mae"]["half_interval_95"] == pytest.approx(
        12.7062 * np.std(scores, ddof=1) / 2**0.5, rel=1e-4
    )


@pytest.mark.slow
def test_more_seeds_can_be_asked_for_later_and_other_knobs_are_refused(folder):
    assert call(folder, "--seeds=2", "--set=seed=3").returncode == 0
    many = folder / "runs" / "tiny_many"
    first = (many / "seed_3" / "results.json").stat().st_mtime_ns
    again = call(folder, "--seeds=3", "--set=seed=3", "--processes=1")
    assert again.returncode == 0, again.stderr
    assert (many / "seed_3" / "results.json").stat().st_mtime_ns == first
    assert len(json.loads((many / "results.json").read_text())["seeds"]) == 3
    refused = call(folder, "--seeds=2", "--set=epochs=4")
    assert refused.returncode == 2
    assert "holds a run with epochs=3, not 4" in refused.stderr


@pytest.mark.slow
def test_a_failed_run_is_named_and_the_others_are_trained(folder):
    done = call(folder, "--sweep=learning_rate=1e30,0.1", "--processes=1")
    assert done.returncode == 1
    assert "1 of 2 runs failed: learning_rate=1e30/seed_0 with exit code 1" in done.stderr
    assert "not finite" in done.stdout
    assert (folder / "runs" / "tiny_many" / "learning_rate=0.1" / "seed_0" / "results.json").exists()


def test_a_value_that_only_the_model_refuses_is_found_without_training(folder, monkeypatch):
    monkeypatch.chdir(folder)
    commands.check("tiny", [["outputs=1"], ["outputs=2"]], "sample", folder)
    with pytest.raises(UserError, match="outputs must be at least 1, not 0"):
        commands.check("tiny", [["outputs=1"], ["outputs=0"]], "sample", folder)


@pytest.mark.slow
def test_such_a_value_is_met_before_the_first_run_of_a_sweep(folder):
    done = call(folder, "--sweep=outputs=1,0", "--processes=1")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "seqjax: outputs must be at least 1, not 0\n")
    assert not (folder / "runs").exists()


@pytest.mark.slow
def test_a_signal_reaches_every_run_and_the_same_command_goes_on(folder):
    arguments = ("--seeds=3", "--processes=2", "--set=epochs=150")
    path = str(ROOT)
    process = subprocess.Popen(command(*arguments), cwd=folder, env={**os.environ, "PYTHONPATH": path})
    many = folder / "runs" / "tiny_many"
    deadline = time.monotonic() + 120
    while len(list(many.glob("seed_*/metrics.jsonl"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 128 + signal.SIGINT
    stopped = {path.name: len(metrics_of(path)) for path in many.glob("seed_*")}
    assert set(stopped) == {"seed_0", "seed_1"}
    assert all(0 < epochs < 150 for epochs in stopped.values())
    done = call(folder, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "resuming at step" in done.stdout
    alone = call(folder, "--set=seed=1", "--set=epochs=150", "--devices=1", "--workdir=alone")
    assert alone.returncode == 0, alone.stderr
    assert metrics_of(many / "seed_1") == metrics_of(folder / "alone")


def test_a_plan_goes_seed_by_seed(folder):
    function = experiments.load(folder / "experiments" / "tiny.py")
    planned = members.plan(function, ["seed=5"], 2, "learning_rate=0.1,0.2")
    assert [member.folder for member in planned] == [
        "learning_rate=0.1/seed_5",
        "learning_rate=0.2/seed_5",
        "learning_rate=0.1/seed_6",
        "learning_rate=0.2/seed_6",
    ]
    assert planned[0].settings == ["learning_rate=0.1", "seed=5"]
    assert [member.folder for member in members.plan(function, [], 1, None)] == ["seed_0"]


def test_a_single_run_and_many_do_not_share_a_folder(tmp_path):
    workdir = Workdir(tmp_path)
    workdir.claim({"kind": "members", "experiment": "tiny"}, {})
    with pytest.raises(UserError, match="holds the runs of --seeds or --sweep, not a single run"):
        workdir.check({"experiment": "tiny"})
