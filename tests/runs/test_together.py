"""Seeds trained by one program are their own single runs, whatever stops, fails or goes on with them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from absl.testing import flagsaver

from many_runs import assert_same_run, folder, many, single
from places import ROOT
from seqjax import main
from seqjax.errors import RunStoppedError, UserError
from seqjax.runs import members
from seqjax.runs.many_program import ManyProgram
from seqjax.training.program import Program
from seqjax.training.state import create_state
from tiny_experiment import TINY

__all__ = ["folder"]


def scores(results):
    return {key: results[key] for key in ("validation", "test")}


@pytest.mark.slow
def test_the_command_trains_seeds_that_are_their_own_runs(folder, capsys, monkeypatch):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["seqjax", "--experiment=tiny", "--data=sample", "--notune", *arguments])
        with flagsaver.flagsaver(), pytest.raises(SystemExit) as stopped:
            main.run()
        captured = capsys.readouterr()
        assert not stopped.value.code, captured
        return captured.out

    arguments = ("--steps_per_dispatch=4", "--set=seed=3", "--data_dir=.")
    out = call("--seeds=2", "--members=vmap", *arguments)
    assert "seed_4: epoch 3/3" in out
    assert "2 seeds; generated sample" in out.splitlines()[-1]
    path = folder / "runs" / "tiny_many"
    for seed in (3, 4):
        single(folder, seed, f"alone_{seed}")
        assert_same_run(path / f"seed_{seed}", folder / f"alone_{seed}")
    results = json.loads((path / "results.json").read_text())
    own = [json.loads((path / f"seed_{seed}" / "results.json").read_text()) for seed in (3, 4)]
    assert [scores(seed) for seed in results["seeds"]] == [scores(one) for one in own]
    assert results["test"]["mae"]["mean"] == pytest.approx(np.mean([one["test"]["mae"] for one in own]))
    evaluated = call("--mode=evaluate", f"--workdir={path / 'seed_4'}").splitlines()[-1]
    assert f"test mae {own[1]['test']['mae']:.4f}" in evaluated


def stop_at(monkeypatch, owner, name, call):
    """Send a signal before the given call of a program's method."""
    original, count = getattr(owner, name), 0

    def counted(self, *arguments):
        nonlocal count
        count += 1
        if count == call:
            signal.raise_signal(signal.SIGTERM)
        return original(self, *arguments)

    monkeypatch.setattr(owner, name, counted)


def steps_of(path: Path) -> int:
    return max(int(step.name) for step in (path / "checkpoints" / "latest").iterdir() if step.name.isdigit())


@pytest.mark.slow
def test_a_stopped_set_is_gone_on_with_by_either_way_and_laggards_catch_up(folder, monkeypatch):
    """An epoch is two dispatches of four steps."""
    with monkeypatch.context() as patch:
        stop_at(patch, ManyProgram, "answer", 4)  # train, train, evaluate, train
        with pytest.raises(RunStoppedError, match="every run saved; the same command resumes") as stopped:
            many(folder, 2)
    assert stopped.value.exit_code == 128 + signal.SIGTERM
    assert [steps_of(folder / "many" / f"seed_{seed}") for seed in (3, 4)] == [12, 12]
    with monkeypatch.context() as patch:  # as a process of --members=processes would
        stop_at(patch, Program, "train", 2)
        with pytest.raises(RunStoppedError, match="saved at step 20"):
            single(folder, 3, "many/seed_3")
    together_at = []
    answer = ManyProgram.answer
    monkeypatch.setattr(
        ManyProgram,
        "answer",
        lambda self, wanted, values: together_at.append((len(wanted), wanted[0].place)) or answer(self, wanted, values),
    )
    many(folder, 2)
    assert together_at == [
        (1, (1, 12)),  # seed 4 ends the epoch that seed 3 has behind it,
        (1, (1, 16)),
        (1, (2, 16)),
        (2, (2, 20)),  # and goes on with it
        (2, (2, 24)),
        (2, (3, 24)),
        (2, (3, 24)),
    ]
    single(folder, 4)
    assert_same_run(folder / "many" / "seed_4", folder / "alone")
    before = {path: path.stat().st_mtime_ns for path in (folder / "many").glob("seed_*/results.json")}
    together_at.clear()
    assert len(many(folder, 3)["seeds"]) == 3
    assert {count for count, _ in together_at} == {1}
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


@pytest.mark.slow
def test_a_seed_whose_loss_is_not_finite_stops_alone(folder, capsys, monkeypatch):
    """Seed 4 starts from weights so large that its loss overflows; so does what follows from it."""
    from seqjax.training import program

    def create(experiment, *arguments):
        state = create_state(experiment, *arguments)
        scale = 1e30 if experiment.seed == 4 else 1
        return state.replace(params=jax.tree.map(lambda leaf: leaf * scale, state.params))

    monkeypatch.setattr(program, "create_state", create)
    with pytest.raises(RunStoppedError, match="1 of 3 runs failed: seed_4 with exit code 1") as stopped:
        many(folder, 3)
    assert stopped.value.exit_code == 1
    out = capsys.readouterr().out
    assert "seed_4: the loss is not finite at step 1; the last good checkpoint is that of step 0" in out
    assert not (folder / "many" / "seed_4" / "results.json").exists()
    for seed in (3, 5):
        single(folder, seed, f"alone_{seed}")
        assert_same_run(folder / "many" / f"seed_{seed}", folder / f"alone_{seed}")


def test_values_come_one_after_the_other_and_a_senseless_one_fails_alone(folder, capsys):
    with pytest.raises(RunStoppedError, match="2 of 4 runs failed: epochs=-1/seed_3 with exit code 2"):
        many(folder, 2, "epochs=-1,1")
    assert "epochs=-1/seed_4: epochs must be at least 0" in capsys.readouterr().out
    results = [json.loads(path.read_text()) for path in sorted((folder / "many").glob("epochs=1/seed_*/results.json"))]
    assert [found["options"]["seed"] for found in results] == [3, 4]
    assert not (folder / "many" / "epochs=-1").exists()
    (folder / "many" / "epochs=1" / "seed_5").mkdir()
    (folder / "many" / "epochs=1" / "seed_5" / "stranger").write_text("")
    with pytest.raises(RunStoppedError, match="1 of 3 runs failed: epochs=1/seed_5 with exit code 2"):
        many(folder, 3, "epochs=1")


def test_seeds_that_are_more_than_seeds_are_refused(folder, capsys):
    tiny = folder / "experiments" / "tiny.py"
    tiny.write_text(TINY.replace("epochs, 8", "epochs + seed, 8"))
    with pytest.raises(RunStoppedError, match="2 of 2 runs failed: seed_3 with exit code 2"):
        many(folder, 2)
    assert "epochs depends on the seed: train these seeds with --members=processes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--members=vmap"], "--members and --processes are for --seeds and --sweep"),
        (["--processes=2"], "--members and --processes are for --seeds and --sweep"),
        (["--seeds=2", "--members=vmap", "--processes=2"], "--processes=2 is for --members=processes"),
        (["--seeds=2", "--processes=0"], "processes must be at least 1"),
        (["--seeds=2", "--members=threads"], "auto|processes|vmap"),
        (["--seeds=2", "--members=vmap", "--steps_per_dispatch=0"], "steps_per_dispatch must be at least 1"),
    ],
)
def test_a_wrong_call_is_one_line_and_touches_nothing(folder, capsys, monkeypatch, arguments, message):
    monkeypatch.setattr(sys, "argv", ["seqjax", "--experiment=tiny", "--data=sample", "--notune", *arguments])
    with flagsaver.flagsaver(), pytest.raises(SystemExit) as stopped:
        main.run()
    error = capsys.readouterr().err
    assert (stopped.value.code, error.count("\n")) == (2, 1)
    assert message in error
    assert not (folder / "runs").exists()


def test_the_way_follows_the_device_and_flags_force_it(monkeypatch):
    monkeypatch.setattr(members, "_platform", lambda: "gpu")
    assert members.choose("auto", None) == ("vmap", 1)
    assert members.choose("processes", None) == ("processes", 1)
    assert members.choose("auto", 3) == ("processes", 3)
    monkeypatch.setattr(members, "_platform", lambda: "cpu")
    monkeypatch.setattr(members.runtime, "cores", lambda: 7)
    assert members.choose("auto", None) == ("processes", 7)
    assert members.choose("vmap", None)[0] == "vmap"
    with pytest.raises(UserError, match="--processes=2 is for --members=processes, not --members=vmap"):
        members.choose("vmap", 2)
    with pytest.raises(UserError, match="processes must be at least 1"):
        members.choose("auto", 0)


@pytest.mark.slow
def test_a_real_signal_stops_the_command_and_processes_go_on(folder):
    """The set's command, resumed by processes."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "seqjax.main", "--experiment=tiny", "--data=sample", "--data_dir=."]
    command += ["--seeds=2", "--sweep=learning_rate=0.1,0.01", "--set=epochs=60", "--workdir=many"]
    process = subprocess.Popen([*command, "--members=vmap"], env=environment, stderr=subprocess.PIPE, text=True)
    rows = folder / "many" / "learning_rate=0.1" / "seed_1" / "metrics.jsonl"
    deadline = time.monotonic() + 200
    while not (rows.exists() and rows.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=200)
    assert process.returncode == 128 + signal.SIGINT, error
    assert error.count("\n") == 1
    done = subprocess.run(
        [*command, "--members=processes"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for value in ("0.1", "0.01"):
        assert f"learning_rate={value}/seed_1: resuming at step" in done.stdout
    assert len(done.stdout.splitlines()[-2:]) == 2
