"""One program of many runs, and the single runs that each must equal."""

import json
from pathlib import Path

import jax
import numpy as np
import optax
import pytest

from seqjax import experiment as experiments
from seqjax.data.dataset import Dataset
from seqjax.experiment import Experiment
from seqjax.runs import commands, members
from seqjax.runs.together import Together
from seqjax.training import metrics
from seqjax.training.program import Program, Settings
from seqjax.training.state import create_state
from seqjax.training.workdir import Workdir
from tiny_experiment import TINY

SETTINGS = Settings(steps_per_dispatch=4, checkpoint_seconds=0.0, devices=1)
TOLERANCE = {"rtol": 1e-4, "atol": 1e-6}


def series() -> Dataset:
    rng = np.random.default_rng(0)
    arrays = {"x": rng.normal(size=(60, 7, 3)).astype(np.float32), "y": rng.normal(size=60).astype(np.float32)}
    gather = lambda arrays, ids: (arrays["x"][ids], arrays["y"][ids])
    return Dataset(arrays, gather, {"train": np.arange(30), "validation": np.arange(30, 60)}, "toy", "f00d")


def value(model, loss=metrics.squared_error, seed=0) -> Experiment:
    return Experiment(None, model, loss, {"mae": metrics.absolute_error}, optax.rmsprop(0.01), 2, 8, seed)


def trained(program: Program, experiment: Experiment, steps: int):
    state = program.place(create_state(experiment, program.dataset.example()))
    for batch in program.batches("train", 0, steps, experiment.seed):
        state, _ = program.train(state, batch)
    return state


def assert_close(found, expected):
    numbers = lambda state: jax.tree.leaves(state.replace(key=jax.random.key_data(state.key)))
    for a, b in zip(numbers(found), numbers(expected), strict=True):
        assert np.isfinite(a).all()  # NaN would be close to NaN
        np.testing.assert_allclose(a, b, **TOLERANCE)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "tiny.py").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def many(folder, seeds, sweep=None, options=("seed=3",)):
    """What --members=vmap does."""
    function = experiments.load(folder / "experiments" / "tiny.py")
    planned = members.plan(function, options, seeds, sweep)
    workdir = Workdir(folder / "many")
    run = Together("tiny", workdir.path, options, "sample", folder, SETTINGS, {})
    return members.train("tiny", function, workdir, planned, options=options, data="sample", run=run)


def single(folder, seed, path="alone", *options):
    """What its own command does, and what a process of --members=processes does."""
    options = [f"seed={seed}", *options]
    return commands.train(
        "tiny", Workdir(folder / path), options=options, data="sample", data_dir=folder, settings=SETTINGS
    )


def assert_same_run(found: Path, expected: Path):
    """Rows, results and configuration, but for times."""
    rows = [Workdir(path).rows() for path in (found, expected)]
    assert len(rows[0]) == len(rows[1]) > 0
    for a, b in zip(*rows, strict=True):
        assert (a["epoch"], a["step"]) == (b["epoch"], b["step"])
        for part in ("train", "validation"):
            assert a[part] == pytest.approx(b[part], rel=1e-4)
    a, b = (json.loads((path / "results.json").read_text()) for path in (found, expected))
    assert a.keys() == b.keys()
    same = ("experiment", "options", "parameters", "best_epoch", "lecture", "data", "optimum")
    assert {key: a[key] for key in same} == {key: b[key] for key in same}
    for part in ("validation", "test"):
        assert a[part] == pytest.approx(b[part], rel=1e-4)
    a, b = (json.loads((path / "config.json").read_text()) for path in (found, expected))
    assert a == b
    files = lambda path: {file.name for file in path.iterdir() if file.name != ".lock"}
    assert files(found) == files(expected)
