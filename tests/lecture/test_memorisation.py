"""Gaps between training and validation: of runs whose errors are known."""

import json
import re

import numpy as np
import pytest
from scipy import stats

from seqjax.lecture import memorisation
from seqjax.runs import commands
from seqjax.training.program import Settings
from seqjax.training.workdir import Workdir
from tiny_experiment import TINY
from tool_calls import called


def runs(*gaps):
    curves = {"train": [2.0, 1.0], "validation": [2.5, 1.5]}
    return [
        {"seed": k, "train": 1.0, "validation": 1 + gap, "gap": gap, "curves": curves} for k, gap in enumerate(gaps)
    ]


FACTS = {"metric": "mae", "runs": {"base": runs(0.1, 0.2, 0.3), "fresh=true": runs(0.2, 0.35, 0.35)}}


def test_gaps_are_compared_seed_by_seed():
    base, fresh = memorisation.gaps(FACTS).values()
    assert base[0].mean == pytest.approx(0.2)
    assert base[1] is None
    apart = np.array([0.1, 0.15, 0.05])
    assert fresh[1].mean == pytest.approx(0.1)
    assert fresh[1].high == pytest.approx(0.1 + stats.t.ppf(0.975, 2) * apart.std(ddof=1) / 3**0.5)
    assert "| fresh=true | 1.0000 | 1.3000 | 0.3000 +- 0.2151 | +0.1000 (-0.0242 to +0.2242) |" in memorisation.table(
        FACTS
    )
    labels = set(re.findall("<!-- (.*?) -->", memorisation.figure(FACTS).svg))
    assert {"epoch", "mae", "fresh=true", "gap: validation mae - train mae, dropout off"} <= labels


@pytest.mark.slow
def test_a_run_is_asked_with_its_dropout_off(tmp_path, monkeypatch):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "tiny.py").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    assert "no run below none has finished" in called(memorisation, "--workdir=none").stderr
    workdir = Workdir(tmp_path / "knobs" / "base" / "seed_3")
    results = commands.train(
        "tiny", workdir, options=["seed=3"], data="sample", data_dir=tmp_path, settings=Settings(devices=1)
    )
    done = called(memorisation, "--workdir=knobs", "--output=said")
    assert done.returncode == 0, done.stderr
    (run,) = json.loads((tmp_path / "said" / "memorisation.json").read_text())["runs"]["base"]
    assert (run["seed"], run["validation"]) == (3, pytest.approx(results["validation"]["mae"]))
    assert run["gap"] == pytest.approx(run["validation"] - run["train"])
    x = np.random.default_rng(0).normal(size=(96, 3)).astype(np.float32)[:64]
    params = commands.opened(workdir, [], tmp_path)[1]["Dense_0"]
    without = np.abs(x @ params["kernel"] + params["bias"][None] - x[:, :1]).mean()
    assert run["train"] == pytest.approx(float(without), rel=1e-5)
