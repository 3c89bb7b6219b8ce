"""A run folder brings a program: it runs if it is installed here, was trained with here, or --trust is given."""

import shutil
from pathlib import Path

import pytest

from command_calls import call
from seqjax import experiment as experiments
from seqjax.errors import UserError

__all__ = ["call"]
EVIL = "\nopen('witness', 'w').close()\n"


@pytest.fixture
def run(tmp_path, monkeypatch, call):
    """A run folder made here of an experiment of one's own, and the cache of somebody else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    Path("experiments").mkdir()
    naive = experiments.source(experiments.find("jena_naive"))
    Path("experiments/own.py").write_text(naive, encoding="utf-8")
    assert call("--experiment=own", "--data=sample", "--workdir=run")[0] == 0
    return Path("run")


def evaluated(call, *flags):
    return call("--mode=evaluate", "--workdir=run", *flags)


def test_ones_own_runs_need_no_trust_also_when_the_experiment_has_changed_since(call, run):
    (run / "experiment.py").write_text((run / "experiment.py").read_text() + "\n# changed\n")
    assert evaluated(call)[0] == 2
    changed = (run / "experiment.py").read_text()
    Path("experiments/other.py").write_text(changed.replace("\n", "\r\n"), newline="")
    assert evaluated(call)[0] == 0, "it is installed, under another name and with other line ends"
    Path("experiments/other.py").unlink()
    assert evaluated(call)[0] == 2
    shutil.rmtree(run)
    Path("experiments/own.py").write_text(changed)
    assert call("--experiment=own", "--data=sample", "--workdir=run")[0] == 0
    Path("experiments/own.py").write_text(changed + "# again\n")
    assert evaluated(call)[0] == 0, "it was trained with here"


def test_a_strangers_program_is_not_run(call, run, monkeypatch, tmp_path):
    with (run / "experiment.py").open("a") as file:
        file.write(EVIL)
    Path("some").touch()
    for flags in (
        ["--mode=evaluate"],
        ["--mode=predict", "--input=some"],
        ["--mode=stream"],
        ["--mode=generate"],
        ["--experiment=own", "--data=sample"],
    ):
        code, _, error = call("--workdir=run", *flags)
        assert (code, error.count("\n")) == (2, 1), (flags, error)
        assert "run/experiment.py is a program that would be run" in error
        assert "--trust" in error
        assert not Path("witness").exists(), flags
    code, _, error = evaluated(call, "--trust")
    assert (code, Path("witness").exists()) == (0, True), error
    assert evaluated(call)[0] == 0, "it is remembered"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    assert evaluated(call)[0] == 2


def test_what_cannot_be_remembered_is_said(call, run, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert evaluated(call)[0] == 0, "what is installed is known without a cache"
    code, _, error = evaluated(call, "--trust")
    assert (code, "--trust: there is no cache folder that can be written" in error) == (2, True)


def test_a_missing_copy_is_named(tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        experiments.load_copy(tmp_path / "experiment.py")
