"""Runs of several processes as users start them: results, resuming elsewhere, and what ends them."""

import json
import os
import signal
import time

import jax
import numpy as np
import pytest

from several_processes import begin, end, free_port, wait_for
from tiny_experiment import TINY

pytestmark = pytest.mark.slow
COMMAND = ["-m", "seqjax.main", "--experiment=tiny", "--workdir=run", "--checkpoint_seconds=0.5"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "tiny.py").write_text(TINY)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "xla"))
    return tmp_path


def run(folder, count, *flags, devices=1, name="run"):
    """Train to the end; returns what each process said."""
    command = [*COMMAND, f"--workdir={name}", *flags, *([f"--devices={devices}"] if count == 1 else [])]
    ended = end(begin(command, count, folder, devices), folder)
    assert [each.code for each in ended] == [0] * count, [each.err for each in ended]
    return ended


def rows(folder, name="run"):
    """metrics.jsonl without the times."""
    lines = (folder / name / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if "second" not in k} for line in lines]


def latest(folder, name="run"):
    """The arrays of the newest checkpoint."""
    from seqjax.training.checkpoint import Checkpoints

    checkpoints = Checkpoints(folder / name / "checkpoints" / "latest", read_only=True)
    step = checkpoints.steps()[0]
    found = checkpoints.read(step, checkpoints.saved(step))
    checkpoints.close()
    return step, [np.asarray(leaf) for leaf in jax.tree.leaves(found) if leaf.dtype != "key<fry>"]


def test_two_processes_train_as_one_and_the_first_alone_writes_and_speaks(folder):
    run(folder, 1, name="alone")
    first, second = run(folder, 2)
    assert "test mae" in first.out
    assert second.out == ""
    config = json.loads((folder / "run" / "config.json").read_text())
    assert config["layout"] == "2 devices, 2 processes"
    assert sorted(os.listdir(folder / "run")) == sorted(os.listdir(folder / "alone"))
    for one, other in zip(rows(folder), rows(folder, "alone"), strict=True):
        np.testing.assert_allclose(one["validation"]["loss"], other["validation"]["loss"], rtol=1e-5)


def test_a_run_moves_from_8_devices_to_2_processes_and_back_without_a_changed_bit(folder):
    run(folder, 1, "--deterministic", "--set=epochs=6", name="alone")
    run(folder, 1, "--deterministic", "--set=epochs=2", devices=8)
    moved = run(folder, 2, "--deterministic", "--set=epochs=4")
    assert "begun on 8 devices, 1 process, now on 2 devices, 2 processes: every bit stays" in moved[0].out
    back = run(folder, 1, "--deterministic", "--set=epochs=6", devices=8)
    assert "begun on" not in back[0].out
    assert rows(folder) == rows(folder, "alone")
    (step, found), (other, wanted) = latest(folder), latest(folder, "alone")
    assert step == other == 48
    for mine, theirs in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_without_deterministic_a_move_is_told_and_the_flag_belongs_to_the_run(folder):
    run(folder, 1, "--set=epochs=2", devices=8)
    moved = run(folder, 2, "--set=epochs=3")
    assert "sums are made in another order" in moved[0].out
    (ended,) = end(begin([*COMMAND, "--deterministic", "--set=epochs=4"], 1, folder), folder)
    assert ended.code == 2
    assert "holds a run with deterministic=False, not True" in ended.err


LONG = [*COMMAND, "--set=epochs=4000", "--steps_per_dispatch=1", "--deterministic"]


def begun(folder, count=2, command=LONG, **more):
    """Processes that have trained for some epochs."""
    started = begin(command, count, folder, **more)
    metrics = folder / "run" / "metrics.jsonl"
    before = metrics.read_text().count("\n") if metrics.exists() else 0
    wait_for(lambda: metrics.exists() and metrics.read_text().count("\n") > before + 3)
    return started


@pytest.mark.parametrize("who", [[0], [1], [0, 1]])
def test_sigterm_to_any_saves_at_one_step_and_leaves(folder, who):
    started = begun(folder)
    for index in who:
        started[index].send_signal(signal.SIGTERM)
    ended = end(started, folder, 120)
    assert [each.code for each in ended] == [143, 143], [each.err for each in ended]
    said = {each.err.strip().splitlines()[-1] for each in ended}
    assert len(said) == 1
    step = int(said.pop().split("saved at step ")[1].split(";")[0])
    assert latest(folder)[0] == step


@pytest.mark.parametrize(("count", "who"), [(2, 1), (2, 0), (4, 1)])
def test_kill_9_of_one_ends_the_others_with_its_number_and_the_same_command_resumes(folder, count, who):
    started = begun(folder, count)
    began = time.monotonic()
    started[who].kill()
    ended = end(started, folder, 120)
    assert time.monotonic() - began < 120
    time.sleep(2)  # a witness speaks after its process
    for index, each in enumerate(ended):
        if index != who:
            said = (folder / f"err.{index}").read_text()
            assert f"process {who} of {len(ended)}" in said, said
            assert "missing" in said
            assert each.code not in (0, -9, None)
    again = begun(folder, len(ended))
    again[0].send_signal(signal.SIGTERM)
    assert [each.code for each in end(again, folder, 120)] == [143] * len(ended)
    assert "resuming at step" in (folder / "out.0").read_text()
    alone = begin([*LONG, "--workdir=alone"], 1, folder)
    done = len(rows(folder))
    metrics = folder / "alone" / "metrics.jsonl"
    wait_for(lambda: metrics.exists() and metrics.read_text().count("\n") >= done)
    alone[0].send_signal(signal.SIGTERM)
    end(alone, folder)
    assert rows(folder, "alone")[:done] == rows(folder)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (["--set=learning_rate=0.02"], "process 1 differs from process 0 in knob learning_rate: 0.02 there, 0.01 here"),
        (["--steps_per_dispatch=3"], "process 1 differs from process 0 in setting steps_per_dispatch"),
    ],
)
def test_processes_that_do_not_run_the_same_are_named(folder, other, said):
    port = free_port()
    joined = [f"--coordinator=127.0.0.1:{port}", "--process_count=2"]
    commands = [[*COMMAND, *joined, "--process_id=0"], [*COMMAND, *joined, "--process_id=1", *other]]
    first = begin(commands[0], 1, folder)
    os.rename(folder / "out.0", folder / "out.first")
    os.rename(folder / "err.0", folder / "err.first")
    end(begin(commands[1], 1, folder), folder, 120)
    assert first[0].wait(60) == 2
    assert said in (folder / "err.first").read_text()
    assert said in (folder / "err.0").read_text()
    assert not (folder / "run").exists()


def test_processes_that_see_other_folders_are_named(folder):
    """They would write parts of checkpoints into both, and wait for one another."""
    port = free_port()
    joined = [f"--coordinator=127.0.0.1:{port}", "--process_count=2", "--process_timeout=10"]
    first = begin([*COMMAND, *joined, "--process_id=0"], 1, folder)
    os.rename(folder / "out.0", folder / "out.first")
    os.rename(folder / "err.0", folder / "err.first")
    end(begin([*COMMAND, *joined, "--process_id=1", "--workdir=another"], 1, folder), folder, 120)
    assert first[0].wait(60) == 2
    for name in ("err.first", "err.0"):
        assert "process 1 differs from process 0 in what lies in --workdir" in (folder / name).read_text()
    assert not (folder / "another").exists()


def test_who_comes_in_vain_says_so(folder):
    alone = [*COMMAND, f"--coordinator=127.0.0.1:{free_port()}", "--process_count=2", "--process_timeout=4"]
    (waiting,) = end(begin([*alone, "--process_id=0"], 1, folder), folder, 60)
    assert waiting.code == 2
    assert "not all 2 processes came" in waiting.err
    (unreachable,) = end(begin([*alone, "--process_id=1"], 1, folder, HTTP_PROXY="http://nowhere:1"), folder, 60)
    assert unreachable.code == 2
    assert "cannot be reached (Connection refused)" in unreachable.err
