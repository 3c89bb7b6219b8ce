"""The best epoch's score is never another epoch's; a checkpoint is held against its own checksum; a full disk."""

import dataclasses
import shutil

import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

from seqjax.errors import UserError
from seqjax.training import checkpoint
from seqjax.training.best import best_step, is_enough, restore_best
from seqjax.training.checkpoint import Checkpoints
from seqjax.training.fit import fit
from seqjax.training.program import Settings
from seqjax.training.state import create_state
from seqjax.training.workdir import Workdir

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # orbax leaves coroutines


@pytest.fixture(scope="module")
def made(toy_experiment, toy_dataset, tmp_path_factory):
    """A finished run of three epochs, the last one the best."""
    workdir = Workdir(tmp_path_factory.mktemp("made") / "run")
    workdir.claim({"experiment": "toy", "options": {"epochs": 3}}, {})
    results = fit(toy_experiment, toy_dataset, workdir, Settings())
    workdir.write_results({**results, "options": {"epochs": 3}})
    assert results["best_epoch"] == 3
    return workdir


@pytest.fixture
def run(made, tmp_path):
    shutil.copytree(made.path, tmp_path / "run")
    return Workdir(tmp_path / "run")


@pytest.fixture
def params(toy_experiment, toy_dataset):
    return create_state(toy_experiment, toy_dataset.example()).params


def damage(folder):
    for file in folder.rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[:10])


def remove(folder):
    shutil.rmtree(folder)


@pytest.mark.parametrize(("harm", "said"), [(damage, "damaged"), (remove, "missing")])
def test_a_finished_run_gives_its_best_epoch_or_nothing(run, params, harm, said):
    assert restore_best(run, params)[0] == 21
    harm(run.path / "checkpoints" / "best" / "21")
    with pytest.raises(
        UserError, match=rf"the best checkpoint of .*best/21, is {said}: restore it from a copy"
    ) as error:
        restore_best(run, params)
    assert "train this run on" not in str(error.value)


def test_a_finished_run_without_any_best_checkpoint_is_not_told_to_train(run, params):
    remove(run.path / "checkpoints")
    with pytest.raises(UserError, match="checkpoints/best, is missing: restore it from a copy"):
        restore_best(run, params)


def test_an_unfinished_run_gives_its_best_so_far(run, params):
    (run.path / "results.json").unlink()
    assert best_step(run) == (False, 21)
    remove(run.path / "checkpoints" / "best" / "21")  # killed between the row and the checkpoint
    assert restore_best(run, params)[0] == 14
    damage(run.path / "checkpoints" / "best" / "14")
    with pytest.raises(UserError, match=r"best/14, is damaged: .*or train this run on \(--mode=train\)"):
        restore_best(run, params)


def test_training_that_ends_with_a_damaged_best_says_which_epoch_it_tests(
    run, toy_experiment, toy_dataset, params, capsys
):
    (run.path / "results.json").unlink()
    damage(run.path / "checkpoints" / "best" / "21")
    results = fit(toy_experiment, toy_dataset, run, Settings())
    assert (results["best_epoch"], results["instead_of_epoch"]) == (2, 3)
    assert "the checkpoint of the best epoch, 3, is damaged: tested is that of epoch 2" in capsys.readouterr().out
    assert results["validation"] == run.rows()[1]["validation"]
    run.write_results({**results, "options": {"epochs": 3}})
    assert restore_best(run, params)[0] == 14


def test_reading_changes_nothing_in_the_folder(run, params):
    """Another process may be writing there."""
    half = run.path / "checkpoints" / "best" / "28.orbax-checkpoint-tmp"
    half.mkdir()
    before = {file: file.stat().st_mtime_ns for file in run.path.rglob("*")}
    restore_best(run, params)
    assert {file: file.stat().st_mtime_ns for file in run.path.rglob("*")} == before


@pytest.mark.parametrize("line", [b'{"epoch": 1}\n', b'{"epoch": 1, "validation": 3}\n'])
def test_a_row_that_lacks_its_scores_is_named(run, toy_experiment, toy_dataset, line):
    file = run.path / "metrics.jsonl"
    file.write_bytes(line + b"".join(file.read_bytes().splitlines(keepends=True)[1:]))
    (run.path / "results.json").unlink()
    with pytest.raises(UserError, match=r"metrics\.jsonl, line 1 is damaged"):
        fit(toy_experiment, toy_dataset, run, Settings())


TREE = {"kernel": jnp.arange(6.0)}


def test_a_checkpoint_is_held_against_its_own_checksum(tmp_path, caplog):
    """Other values under the old checksum, written by orbax itself, which finds nothing wrong with them."""
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        checkpoints.save(step, TREE)
    checkpoints.close()
    checksum = checkpoint._sealed(TREE)["checksum"]
    with ocp.StandardCheckpointer() as writer:
        changed = {"tree": {"kernel": TREE["kernel"].at[3].add(1e-6)}, "checksum": checksum}
        writer.save(tmp_path / "2" / "state", changed, force=True)
    checkpoints = Checkpoints(tmp_path)
    step, tree = checkpoints.restore(TREE)
    assert step == 1
    assert "2 is damaged; falling back" in caplog.text
    np.testing.assert_array_equal(tree["kernel"], TREE["kernel"])
    assert checkpoints.read(2, TREE) is None
    checkpoints.close()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(28, "No space left on device"), r"out of space at .*\(No space left on device\): make room"),
        (OSError(122, "Disk quota exceeded"), r"out of space at .*\(Disk quota exceeded\)"),
        (ValueError("RESOURCE_EXHAUSTED: ... [os_error_code='28']"), "out of space at .*No space left on device"),
        (OSError(5, "Input/output error"), "cannot be written: Input/output error"),
        (RuntimeError("a\nb"), "cannot be written: a b; what was saved before is whole, and the same command resumes"),
    ],
)
@pytest.mark.parametrize("call", ["save", "wait"])
def test_a_write_that_fails_is_one_line(tmp_path, monkeypatch, error, message, call):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, TREE)
    checkpoints.wait()

    def fail(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints._manager, {"save": "save", "wait": "wait_until_finished"}[call], fail)
        with pytest.raises(UserError, match=message) as caught:
            checkpoints.save(2, TREE) if call == "save" else checkpoints.wait()
    assert "\n" not in str(caught.value)
    checkpoints.close()  # says nothing more
    assert Checkpoints(tmp_path, read_only=True).restore(TREE)[0] == 1


def test_an_error_in_an_earlier_write_is_not_lost_on_closing(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    monkeypatch.setattr(checkpoints._manager, "close", lambda: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(UserError, match="out of space"):
        checkpoints.close()


def test_what_orbax_logs_of_each_thread_is_said_once(caplog):
    from absl import logging

    record = logging.get_absl_logger().makeRecord("absl", 40, "/x/orbax/future.py", 1, "a hundred lines", (), None)
    logging.get_absl_logger().handle(record)
    logging.warning("ours")
    assert [one.message for one in caplog.records] == ["ours"]


def test_the_best_of_equal_epochs_is_the_first():
    from seqjax.training.best import best_epoch

    losses = [3.0, 1.0, 1.0, 2.0]
    assert best_epoch([{"epoch": k, "validation": {"loss": loss}} for k, loss in enumerate(losses, 1)]) == 2
    assert best_epoch([]) == 0


def test_patience_ends_what_has_not_improved_for_so_long(toy_experiment):
    rows = [{"epoch": k + 1, "validation": {"loss": loss}} for k, loss in enumerate([3.0, 1.0, 2.0, 1.0, 1.5])]
    ended = [is_enough(dataclasses.replace(toy_experiment, patience=3), rows[:count]) for count in range(6)]
    assert ended == [False, False, False, False, False, True], "an equal loss is no better one"
    assert not is_enough(toy_experiment, rows)
