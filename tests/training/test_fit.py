"""A run that is interrupted, killed or damaged ends as the uninterrupted one: same rows, same bits."""

import dataclasses
import shutil
import signal

import jax
import numpy as np
import pytest

from seqjax.errors import RunStoppedError, UserError
from seqjax.training.best import restore_best
from seqjax.training.checkpoint import Checkpoints
from seqjax.training.fit import Training, fit
from seqjax.training.interrupt import Interrupt
from seqjax.training.program import Program, Settings
from seqjax.training.state import create_state
from seqjax.training.workdir import Workdir

SETTINGS = Settings(steps_per_dispatch=2, checkpoint_seconds=0.0)  # a checkpoint after every dispatch


def new_workdir(path):
    workdir = Workdir(path)
    workdir.claim({"experiment": "toy"}, {})
    return workdir


def rows_without_times(workdir):
    return [{k: v for k, v in row.items() if k not in ("seconds", "examples_per_second")} for row in workdir.rows()]


def latest_state(experiment, dataset, workdir):
    checkpoints = Checkpoints(workdir.path / "checkpoints" / "latest")
    step, state = checkpoints.restore(create_state(experiment, dataset.example()))
    checkpoints.close()
    return step, jax.tree.leaves(state.replace(key=jax.random.key_data(state.key)))


def assert_same_run(experiment, dataset, first, second):
    assert rows_without_times(first) == rows_without_times(second)
    (step_a, leaves_a), (step_b, leaves_b) = (latest_state(experiment, dataset, run) for run in (first, second))
    assert step_a == step_b == 21
    for a, b in zip(leaves_a, leaves_b, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def finished(toy_experiment, toy_dataset, tmp_path_factory):
    """(the uninterrupted run, its results): to be read only."""
    workdir = new_workdir(tmp_path_factory.mktemp("reference") / "run")
    return workdir, fit(toy_experiment, toy_dataset, workdir, SETTINGS)


@pytest.fixture(scope="module")
def reference(finished):
    return finished[0]


def test_a_run_ends_when_it_is_good_enough(toy_experiment, toy_dataset, finished, tmp_path):
    rows = rows_without_times(finished[0])
    second = dataclasses.replace(toy_experiment, enough=rows[1]["validation"]["loss"])
    assert rows[0]["validation"]["loss"] > second.enough
    workdir = new_workdir(tmp_path / "run")
    results = fit(second, toy_dataset, workdir, SETTINGS)
    assert rows_without_times(workdir) == rows[:2]
    assert results["best_epoch"] == 2
    again = fit(second, toy_dataset, workdir, SETTINGS)
    assert {**again, "seconds": 0} == {**results, "seconds": 0}
    fit(toy_experiment, toy_dataset, workdir, SETTINGS)  # without the bound it goes on
    assert rows_without_times(workdir) == rows


def test_results_describe_the_best_epoch(toy_experiment, toy_dataset, finished):
    workdir, results = finished
    rows = workdir.rows()
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert [row["step"] for row in rows] == [7, 14, 21]
    best = min(rows, key=lambda row: row["validation"]["loss"])
    assert results["best_epoch"] == best["epoch"]
    assert results["validation"] == best["validation"]
    assert results["parameters"] == 4
    template = create_state(toy_experiment, toy_dataset.example()).params
    step, params = restore_best(workdir, template)
    inputs, targets = toy_dataset.gather(toy_dataset.arrays, toy_dataset.parts["test"])
    error = np.mean(np.abs(toy_experiment.model.apply({"params": params}, inputs) - targets))
    np.testing.assert_allclose(results["test"]["mae"], error, rtol=1e-5)
    assert step == best["step"]


def interrupt_in(dispatches, toy_experiment, toy_dataset, workdir):
    """Train until a signal comes in that dispatch, the first one being 1."""
    with Interrupt() as interrupt:
        training = Training(toy_experiment, Program(toy_experiment, toy_dataset, SETTINGS), workdir, interrupt)
        train, count = training.program.train, 0

        def counted(state, batch):
            nonlocal count
            count += 1
            if count == dispatches:
                signal.raise_signal(signal.SIGTERM)
            return train(state, batch)

        training.program.train = counted
        with pytest.raises(RunStoppedError, match="SIGTERM and saved at step") as stopped:
            training.run()
        training.close()
    assert stopped.value.exit_code == 128 + signal.SIGTERM


@pytest.mark.parametrize("dispatches", [*(pytest.param(count, marks=pytest.mark.slow) for count in (1, 4)), 11])
def test_an_interrupted_run_resumes_to_the_same_bits(toy_experiment, toy_dataset, reference, tmp_path, dispatches):
    """Dispatches are 4 an epoch (2 + 2 + 2 + 1 steps); 4 falls on the end of the first epoch."""
    workdir = new_workdir(tmp_path / "run")
    interrupt_in(dispatches, toy_experiment, toy_dataset, workdir)
    assert latest_state(toy_experiment, toy_dataset, workdir)[0] == min(2 * dispatches - dispatches // 4, 21)
    fit(toy_experiment, toy_dataset, workdir, SETTINGS)
    assert_same_run(toy_experiment, toy_dataset, workdir, reference)


@pytest.mark.slow
def test_a_run_resumes_with_other_dispatches_within_rounding(toy_experiment, toy_dataset, reference, tmp_path):
    workdir = new_workdir(tmp_path / "run")
    interrupt_in(1, toy_experiment, toy_dataset, workdir)  # at step 2, no multiple of 5
    fit(toy_experiment, toy_dataset, workdir, Settings(steps_per_dispatch=5))
    (step, leaves), (_, expected) = (latest_state(toy_experiment, toy_dataset, w) for w in (workdir, reference))
    assert step == 21
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), leaves, expected)


class Killed(BaseException):
    """Stands for kill -9 at a certain place of the code (the real signal is in test_main)."""


@pytest.mark.parametrize(
    ("when", "place"),
    [
        ("before", "append_row"),
        pytest.param("after", "append_row", marks=pytest.mark.slow),
        pytest.param("after", "best", marks=pytest.mark.slow),
        pytest.param("after", "latest", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_dies_at_the_end_of_an_epoch_resumes(
    toy_experiment, toy_dataset, reference, tmp_path, monkeypatch, place, when
):
    workdir = new_workdir(tmp_path / "run")
    with Interrupt() as interrupt:
        training = Training(toy_experiment, Program(toy_experiment, toy_dataset, SETTINGS), workdir, interrupt)
        owner, name = {
            "append_row": (workdir, "append_row"),
            "best": (training.best, "save"),
            "latest": (training.latest, "save"),
        }[place]
        original = getattr(owner, name)

        def dying(*arguments):
            if place == "latest" and arguments[0] != 14:  # the epoch's own save, not one within it
                return original(*arguments)
            if place == "append_row" and arguments[0]["epoch"] != 2:
                return original(*arguments)
            if when == "after":
                original(*arguments)
            raise Killed

        monkeypatch.setattr(owner, name, dying)
        with pytest.raises(Killed):
            training.run()
        monkeypatch.undo()
        training.close()
    fit(toy_experiment, toy_dataset, workdir, SETTINGS)
    assert_same_run(toy_experiment, toy_dataset, workdir, reference)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # orbax leaves coroutines behind
def test_a_damaged_newest_checkpoint_costs_only_the_work_since_the_one_before(
    toy_experiment, toy_dataset, reference, tmp_path, caplog
):
    workdir = Workdir(shutil.copytree(reference.path, tmp_path / "run"))
    newest = workdir.path / "checkpoints" / "latest" / "21"
    for file in newest.rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[:10])
    fit(toy_experiment, toy_dataset, workdir, SETTINGS)
    assert "21 is damaged; falling back" in caplog.text
    assert_same_run(toy_experiment, toy_dataset, workdir, reference)


def test_a_loss_that_is_not_finite_stops_with_its_step_and_keeps_the_last_good_checkpoint(
    toy_experiment, toy_dataset, tmp_path
):
    workdir = new_workdir(tmp_path / "run")
    arrays = dict(toy_dataset.arrays, targets=toy_dataset.arrays["targets"].copy())
    order = np.random.default_rng((toy_experiment.seed, 0)).permutation(53)
    arrays["targets"][order[8 * 4]] = np.inf  # first met by the fifth step of the first epoch
    poisoned = dataclasses.replace(toy_dataset, arrays=arrays)
    for _ in range(2):  # the second time it resumes and meets it again
        with pytest.raises(RunStoppedError, match=r"not finite at step 5; the last good checkpoint is that of step 4"):
            fit(toy_experiment, poisoned, workdir, SETTINGS)
        step, leaves = latest_state(toy_experiment, toy_dataset, workdir)
        assert step == 4
        assert all(np.isfinite(leaf).all() for leaf in leaves)


def test_without_epochs_the_initial_parameters_are_tested(toy_experiment, toy_dataset, tmp_path):
    workdir = new_workdir(tmp_path / "run")
    results = fit(dataclasses.replace(toy_experiment, epochs=0), toy_dataset, workdir, SETTINGS)
    assert results["best_epoch"] == 0
    assert results["examples_per_second"] is None
    template = create_state(toy_experiment, toy_dataset.example()).params
    for a, b in zip(*map(jax.tree.leaves, (restore_best(workdir, template)[1], template)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_before_the_first_epoch_there_is_no_best(toy_experiment, toy_dataset, tmp_path):
    with pytest.raises(UserError, match="no best checkpoint yet"):
        restore_best(new_workdir(tmp_path / "run"), {})
