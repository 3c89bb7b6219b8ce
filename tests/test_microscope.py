"""python -m seqjax.microscope: from a run's folder to numbers, a summary and pictures."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest

import tiny_runs
from places import ROOT
from seqjax import microscope
from seqjax.runs import commands
from seqjax.training.program import Settings
from seqjax.training.workdir import Workdir
from tool_calls import called


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two epochs with both directions of an LSTM."""
    folder = tmp_path_factory.mktemp("microscope") / "run"
    knobs = {"options": ["units=3", "sequence_length=8", "epochs=2"], "data": "sample", "data_dir": folder}
    commands.train("jena_bilstm", Workdir(folder), settings=Settings(devices=1), **knobs)
    return folder


@pytest.mark.slow
def test_a_run_is_looked_into_along_training(run, tmp_path):
    done = called(microscope, f"--workdir={run}", f"--output={tmp_path}", f"--data_dir={tmp_path}", "--examples=2")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "microscope.json").read_text())
    names = [stage["name"] for stage in found["stages"]]
    best = Workdir(run).results()["best_epoch"]
    assert names == ["start", *(f"epoch {n}" + (" (best)" if n == best else "") for n in (1, 2))]
    paths = [(layer["path"], layer["reverse"], layer["steps"]) for layer in found["stages"][1]["layers"]]
    assert paths == [("layer/forward", False, [8, 8]), ("layer/backward", True, [8, 8])]
    _, params, _ = commands.opened(Workdir(run), [], tmp_path)
    kernel = np.asarray(params["layer"]["backward"]["cell"]["recurrent_kernel"], float)
    layer = found["stages"][best]["layers"][1]
    assert layer["radius"]["f"] == pytest.approx(np.abs(np.linalg.eigvals(kernel[:, 3:6])).max())
    assert set(layer["loss"]) == {"h", "c", "x"}
    assert set(layer["gates"]) == set("ifgo")
    assert layer["jacobian"]["largest"]["mean"][0] == 0 != layer["jacobian"]["largest"]["mean"][-1]
    rows = list(csv.DictReader((tmp_path / "microscope.csv").read_text().splitlines()))
    one = [r for r in rows if (r["stage"], r["layer"], r["quantity"]) == (names[best], layer["path"], "log10 |dL/dx|")]
    assert [float(r["mean"]) for r in one if r["lag"] != "8"] == layer["loss"]["x"]["mean"][:-1]
    summary = (tmp_path / "summary.md").read_text()
    assert summary.count("| LSTM 3") == 0
    assert summary.count("layer/backward (backwards), LSTM 3") == 3
    for name in ("layer_forward_gradients", "layer_forward_gates", "layer_backward_gradients", "layer_backward_gates"):
        assert f"({name}.svg)" in summary
        assert (tmp_path / f"{name}.svg").read_text().count("<path") > 5


@pytest.mark.slow
def test_a_run_without_a_recurrent_layer_is_refused_in_a_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tiny_runs.folder(tmp_path))
    tiny_runs.train(tmp_path / "run")
    done = called(microscope, f"--workdir={tmp_path / 'run'}", f"--output={tmp_path / 'out'}")
    assert done.returncode == 2
    assert done.stderr == f"seqjax: {tmp_path / 'run'} is a run of tiny: Line has no recurrent layer\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "give --workdir=RUN --output=DIR"),
        (["runs/jena"], "'runs/jena' is not a flag"),
        (["--workdir=nowhere", "--output=out"], "workdir nowhere holds no run"),
        (["--workdir=nowhere", "--output=out", "--examples=0"], "--examples must be at least 1, not 0"),
        (["--workdir=nowhere", f"--output={__file__}"], "is not a folder"),
    ],
)
def test_a_wrong_call_is_one_line(flags, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = called(microscope, *flags)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr


def test_help_needs_no_heavy_library():
    code = """
import sys
sys.modules.update(jax=None, tensorflow=None, matplotlib=None)
from seqjax import microscope
from seqjax.lecture import mechanisms
for tool in (microscope, mechanisms):
    sys.argv = [tool.__name__, "--help"]
    tool.run()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "--workdir" in done.stdout
    assert "--make" in done.stdout
