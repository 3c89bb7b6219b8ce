"""More epochs of the runs of --seeds and --sweep: of all of them or of none."""

import json
import subprocess
import sys

import numpy as np
import pytest

from places import ROOT
from seqjax import experiment as experiments
from seqjax.errors import UserError
from seqjax.runs import members
from seqjax.training.workdir import Workdir
from tiny_runs import folder, rows, scores, state, train


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return folder(tmp_path)


def many(here, seeds, *options, sweep=None, first=0):
    """Train in this process, a member after the other."""
    function = experiments.load(here / "experiments" / "tiny.py")
    planned = members.plan(function, [*options, f"seed={first}"], seeds, sweep)

    def run(planned):
        for member in planned:
            train(here / "many" / member.folder, *options, *member.settings)
        return {member.folder: 0 for member in planned}

    workdir = Workdir(here / "many")
    given = {"options": [*options, f"seed={first}"], "data": "real", "run": run}
    return members.train("tiny", function, workdir, planned, **given)


@pytest.mark.slow
def test_all_runs_go_on_and_the_common_folder_says_so(here):
    many(here, 2, "epochs=1")
    with pytest.raises(UserError, match="holds a run with epochs=1, not 2, in seed_1, which is not asked for"):
        many(here, 1, "epochs=2")
    with pytest.raises(UserError, match=r"epochs=1, not 2; .*--set=epochs=2 trains it on"):
        many(here, 2)
    assert json.loads((here / "many" / "config.json").read_text())["options"]["epochs"] == 1
    results = many(here, 2, "epochs=2")
    assert json.loads((here / "many" / "config.json").read_text())["options"]["epochs"] == 2
    assert results["options"]["epochs"] == 2
    assert [row["epoch"] for row in rows(here / "many" / "seed_1")] == [1, 2]
    assert results["seeds"][1]["test"] == scores(here / "many" / "seed_1")["test"]
    with pytest.raises(UserError, match="holds a run with epochs=2, not 1"):
        many(here, 2, "epochs=1")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["vmap", "processes"])
@pytest.mark.parametrize("more", [["--seeds=2"], ["--sweep=learning_rate=0.1,0.01"]], ids=["seeds", "sweep"])
def test_both_ways_of_training_go_on(here, way, more):
    def call(epochs, path):
        command = [sys.executable, "-m", "seqjax.main", "--experiment=tiny", "--notune", f"--workdir={path}"]
        command += [f"--members={way}", f"--set=epochs={epochs}", *more]
        environment = {**__import__("os").environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    call(1, "grown")
    call(3, "grown")
    assert "finished already" in call(3, "grown")
    call(3, "whole")
    found = sorted(file.parent.relative_to(here / "whole") for file in (here / "whole").rglob("metrics.jsonl"))
    assert len(found) == 2
    for run in found:
        assert rows(here / "grown" / run) == rows(here / "whole" / run)
        assert scores(here / "grown" / run) == scores(here / "whole" / run)
        for mine, theirs in zip(state(here / "grown" / run), state(here / "whole" / run), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert (here / "grown" / "results.json").exists()
