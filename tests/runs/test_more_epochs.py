"""More epochs of a run that there is: what they would have been from the start, or refused with nothing touched."""

import json
import shutil

import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.report import runs as report_runs
from seqjax.report import table
from seqjax.training import fit
from seqjax.training.workdir import Workdir
from tiny_runs import evaluate, folder, rows, scores, state, train


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return folder(tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of four epochs from the start, and a finished one of two."""
    path = folder(tmp_path_factory.mktemp("made"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        train(path / "four", "epochs=4")
        train(path / "two", "epochs=2")
    return path


def copied(made, here):
    shutil.copytree(made / "two", here / "run")
    return here / "run"


def assert_same(run, whole):
    assert rows(run) == rows(whole)
    assert scores(run) == scores(whole)
    for mine, theirs in zip(state(run), state(whole), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    config, other = (json.loads((path / "config.json").read_text()) for path in (run, whole))
    assert config["options"] == other["options"]
    assert config["options"]["epochs"] == 4
    assert config.keys() == other.keys()


def test_a_finished_run_goes_on_to_the_same_bits(made, here):
    run = copied(made, here)
    train(run, "epochs=4")
    assert_same(run, made / "four")
    before = (run / "results.json").stat().st_mtime_ns
    train(run, "epochs=4")
    assert (run / "results.json").stat().st_mtime_ns == before


class Killed(BaseException):
    """Stands for kill -9."""


SLOW = pytest.mark.slow


@pytest.mark.parametrize("place", [pytest.param("config", marks=SLOW), "epoch", pytest.param("results", marks=SLOW)])
def test_a_kill_in_between_leaves_a_run_that_goes_on(made, here, monkeypatch, place):
    run = copied(made, here)
    before = (run / "results.json").read_bytes()

    def die(*arguments, **keywords):
        raise Killed

    owner, name = {
        "config": (fit, "fit"),
        "epoch": (fit.Training, "_finish_epoch"),
        "results": (Workdir, "write_results"),
    }[place]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, die)
        with pytest.raises(Killed):
            train(run, "epochs=4")
    assert (run / "results.json").read_bytes() == before
    assert json.loads((run / "config.json").read_text())["options"]["epochs"] == 4
    assert evaluate(run)["best_epoch"] == (4 if place == "results" else 2)
    found = report_runs.find(here).runs
    assert [one.results for one in found] == [None]
    assert table.unfinished(found)[0]["epochs"] == 4
    with pytest.raises(UserError, match=r"holds a run with epochs=4, not 2; .*epochs may only grow"):
        train(run, "epochs=2")
    train(run, "epochs=4")
    assert_same(run, made / "four")
    assert report_runs.find(here).runs[0].results["options"]["epochs"] == 4


@pytest.mark.slow
def test_an_unfinished_run_goes_on_too(made, here, monkeypatch):
    run = here / "run"

    def die(*arguments):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Workdir, "write_results", die)
        with pytest.raises(Killed):
            train(run, "epochs=2")
    train(run, "epochs=4")
    assert_same(run, made / "four")


def test_fewer_epochs_a_larger_default_and_other_knobs_are_refused(made, here):
    run = here / "run"
    shutil.copytree(made / "four", run)
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    for options, message in (
        (["epochs=3"], r"holds a run with epochs=4, not 3; .*or the same options to resume it: epochs may only grow"),
        ([], "holds a run with epochs=4, not 2; .*epochs may only grow"),
        (["epochs=5", "learning_rate=0.1"], r"holds a run with learning_rate=0\.01, not 0\.1"),
        (["epochs=5", "seed=1"], "holds a run with seed=0, not 1"),
    ):
        with pytest.raises(UserError, match=message):
            train(run, *options)
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before


def test_a_default_does_not_make_a_run_grow(here):
    train(here / "run", "epochs=1")
    with pytest.raises(UserError, match=r"epochs=1, not 2; .*\(--set=epochs=2 trains it on\)"):
        train(here / "run")
    with pytest.raises(UserError, match="holds a run with epochs=1, not 2"):
        evaluate(here / "run", "epochs=2")
    assert evaluate(here / "run", "learning_rate=0.01")["best_epoch"] == 1


@pytest.mark.slow
def test_a_run_from_no_epochs_at_all(made, here):
    train(here / "run", "epochs=0")
    train(here / "run", "epochs=4")
    assert_same(here / "run", made / "four")


def test_a_schedule_over_the_epochs_makes_another_run(here):
    train(here / "run", "schedule=true", "epochs=1")
    before = {file: file.read_bytes() for file in (here / "run").rglob("*") if file.is_file()}
    with pytest.raises(UserError, match="a run with epochs=1, which it depends on: epochs=2 is another run"):
        train(here / "run", "schedule=true", "epochs=2")
    assert {file: file.read_bytes() for file in (here / "run").rglob("*") if file.is_file()} == before
