"""Workers that share a folder: as --seeds trains them, bit for bit; nobody twice; whoever is killed is replaced."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import filelock
import jax
import numpy as np
import pytest

from places import ROOT
from seqjax import experiment as experiments
from seqjax.errors import RunStoppedError, UserError
from seqjax.runs import members
from seqjax.runs.claims import Claims, create_once
from seqjax.runs.held import BusyError, Held
from seqjax.runs.shared import Worker, rotated
from seqjax.training.best import restore_best
from seqjax.training.program import Settings
from seqjax.training.workdir import Workdir
from several_processes import wait_for
from tiny_experiment import TINY


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "tiny.py").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(folder, seeds, sweep=None, options=(), lease=60.0):
    """By a worker in this process."""
    function = experiments.load(folder / "experiments" / "tiny.py")
    planned = members.plan(function, options, seeds, sweep)
    known = {"options": options, "data": "sample", "data_dir": folder, "tuned": {}, "lease": lease}
    return Worker("tiny", Workdir(folder / "many"), planned, settings=Settings(devices=1), **known).train(function)


def started(folder, *arguments, **environment):
    command = [sys.executable, "-m", "seqjax.main", "--experiment=tiny", "--data=sample", "--notune", *arguments]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "OMPI_", "JOB_"))}
    env = {**kept, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_worker_trains_all_and_sums_up_and_nobody_twice(folder, capsys):
    results = train(folder, 1)
    many = folder / "many"
    assert json.loads((many / "results.json").read_text())["seeds"] == results["seeds"]
    assert [seed["seed"] for seed in results["seeds"]] == [0]
    before = {path: path.stat().st_mtime_ns for path in many.rglob("*.json*")}
    assert train(folder, 1) == results
    assert {path: path.stat().st_mtime_ns for path in many.rglob("*.json*")} == before
    assert capsys.readouterr().out.count(" trains seed_") == 1
    assert len(train(folder, 2)["seeds"]) == 2  # more can be asked for
    with pytest.raises(UserError, match="more epochs are not for --members=shared"):
        train(folder, 2, options=["epochs=4"])
    with pytest.raises(UserError, match="holds a run with learning_rate"):
        train(folder, 2, options=["learning_rate=0.5"])


@pytest.mark.slow
def test_a_failed_run_is_told_once_and_kept_in_mind(folder, capsys):
    for _ in range(2):
        with pytest.raises(RunStoppedError, match=r"1 of 2 runs failed: learning_rate=1e30/seed_0; see above, or in"):
            train(folder, 1, sweep="learning_rate=1e30,0.1")
    assert capsys.readouterr().out.count(" trains learning_rate=1e30/seed_0") == 1
    assert (folder / "many" / "learning_rate=0.1" / "seed_0" / "results.json").exists()
    (note,) = (folder / "many" / "claims").glob("*.failed")
    assert "not finite" in note.read_text()


def test_workers_of_an_array_begin_with_different_members(folder):
    planned = members.plan(experiments.load(folder / "experiments" / "tiny.py"), [], 5, None)
    assert [member.seed for member in rotated(planned, {})] == [0, 1, 2, 3, 4]
    assert [member.seed for member in rotated(planned, {"SLURM_ARRAY_TASK_ID": "3"})] == [3, 4, 0, 1, 2]
    assert [member.seed for member in rotated(planned, {"JOB_COMPLETION_INDEX": "7"})] == [2, 3, 4, 0, 1]
    assert [member.seed for member in rotated(planned, {"SLURM_ARRAY_TASK_ID": "x"})] == [0, 1, 2, 3, 4]


def test_a_lease_that_no_beat_could_hold_is_refused(folder):
    with pytest.raises(UserError, match="lease must be at least 2"):
        train(folder, 1, lease=0.5)


def test_a_claim_that_is_lost_ends_the_worker_before_it_writes(folder, monkeypatch):
    taken = []

    def take_over(self, claim):
        taken.append(claim.path.name)
        return False

    monkeypatch.setattr(Claims, "is_held", take_over)
    monkeypatch.setattr(os, "_exit", lambda code: (_ for _ in ()).throw(SystemExit(code)))
    with pytest.raises(SystemExit, match="1"):
        train(folder, 1)
    assert set(taken) == {"seed_0.1"}
    assert not (folder / "many" / "seed_0" / "metrics.jsonl").exists()


def test_a_file_is_made_once(tmp_path):
    assert create_once(tmp_path / "claim", "first", "a")
    assert not create_once(tmp_path / "claim", "second", "b")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("claim", "first")]


def test_where_the_file_system_has_no_locks_the_claim_is_enough(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    claims = Claims(tmp_path / "claims", "a", 60.0)
    with Held(tmp_path / "seed_0", claims, claims.take("seed_0")).lock():
        pass
    with pytest.raises(UserError, match="cannot be written"), Workdir(tmp_path / "seed_0").lock():
        pass


def test_a_member_that_another_command_trains_is_busy(tmp_path):
    claims = Claims(tmp_path / "claims", "a", 60.0)
    held = Held(tmp_path / "seed_0", claims, claims.take("seed_0"))
    with Workdir(tmp_path / "seed_0").lock(), pytest.raises(BusyError, match="another process"), held.lock():
        pass


@pytest.mark.slow
def test_workers_that_come_go_and_are_killed_give_what_seeds_gives(folder):
    arguments = ("--seeds=5", "--set=epochs=40")
    plain = started(folder, *arguments, "--workdir=plain", "--processes=2")
    out = plain.communicate(timeout=300)[0]
    assert plain.returncode == 0, out
    shared = (*arguments, "--workdir=shared", "--members=shared", "--lease=15")
    first = [started(folder, *shared, "--set=epochs=40", SLURM_ARRAY_TASK_ID=str(number)) for number in range(2)]
    many = folder / "shared"
    wait_for(lambda: len(list(many.glob("seed_*/metrics.jsonl"))) >= 2)
    first[0].kill()
    first[1].send_signal(signal.SIGTERM)  # leaves politely
    second = [started(folder, *shared) for _ in range(2)]
    said = [process.communicate(timeout=300)[0] for process in (*first, *second)]
    assert first[0].returncode == -signal.SIGKILL
    assert first[1].returncode in (0, 128 + signal.SIGTERM, -signal.SIGTERM), said[1]
    assert [process.returncode for process in second] == [0, 0], said
    trained = "".join(said).count(" trains seed_")
    assert 5 <= trained <= 7  # two were given up in the middle, and resumed
    assert len(list(many.glob("claims/seed_*.[2-9]"))) >= 1
    assert scores(many) == scores(folder / "plain")
    for seed in range(5):
        one, other = (restore_best(Workdir(path / f"seed_{seed}")) for path in (many, folder / "plain"))
        assert one[0] == other[0]
        jax.tree.map(np.testing.assert_array_equal, one[1], other[1])


def scores(path):
    results = json.loads((path / "results.json").read_text())
    return [{name: seed[name] for name in ("seed", "validation", "test", "best_epoch")} for seed in results["seeds"]]


@pytest.mark.slow
def test_six_workers_that_start_at_once_train_nobody_twice(folder):
    workers = [started(folder, "--seeds=6", "--workdir=many", "--members=shared") for _ in range(6)]
    said = [process.communicate(timeout=400)[0] for process in workers]
    assert [process.returncode for process in workers] == [0] * 6, said
    trained = sorted(line.split()[-1] for text in said for line in text.splitlines() if " trains seed_" in line)
    assert trained == [f"seed_{seed}" for seed in range(6)]
    assert len(json.loads((folder / "many" / "results.json").read_text())["seeds"]) == 6
