"""Run folders that 02ee2b9 really made go on, evaluate and predict; every old name of a module is answered.

What is in tests/old_runs was made by `python -m seqjax.main` of 02ee2b9: csv_unfinished was ended by SIGTERM within its
fourth epoch, csv_finished is the same run gone on with there, and recorded.json what its commands wrote and printed.
"""

import json
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from absl import logging

from places import ROOT
from seqjax import old_names, trust
from seqjax.runs import commands
from seqjax.training.program import Settings
from seqjax.training.workdir import Workdir

OLD = ROOT / "tests" / "old_runs"
RECORDED = json.loads((OLD / "recorded.json").read_text())
IMPORTS = """
from seqjax import analogies, metrics
from seqjax.data.blocks import Blocks
from seqjax.data.cooccurrence import Cooccurrences
from seqjax.data.csv_table import Form
from seqjax.data.csv_windows import CsvWindows
from seqjax.data.imdb import LENGTH, Reviews
from seqjax.data.jena import TEMPERATURE, Windows
from seqjax.data.pretrained import PretrainedReviews
from seqjax.data.vectorizer import Vectorizer
from seqjax.experiment import Experiment
from seqjax.models.classifiers import BagOfWordsClassifier, ConvClassifier, RecurrentClassifier
from seqjax.models.composite import Bidirectional, Stacked
from seqjax.models.forecasters import ConvForecaster, DenseForecaster, Drift, LastValue, RecurrentForecaster
from seqjax.models.forecasters import Rescaled, SeasonalNaive
from seqjax.models.glove import GloVe
from seqjax.models.recurrent import GRU, LSTM, SimpleRNN
from seqjax.models.transformer import TransformerClassifier
from seqjax.models.word2vec import Word2Vec
from seqjax.optimizers import adagrad_rows, optimizer as optimizer_named, rmsprop
"""
"""Of all experiment files and the README of 02ee2b9."""


@pytest.fixture
def run(tmp_path):
    """Unpack an old run's folder."""

    def unpack(name):
        with tarfile.open(OLD / f"{name}.tar.gz") as archive:
            archive.extractall(tmp_path, filter="data")
        trust.remember((tmp_path / name / "experiment.py").read_text())  # as their owner says by --trust
        return Workdir(tmp_path / name)

    return unpack


def values(lines):
    """Windows' ends and dates, and forecasts, which 02ee2b9 printed to a hundredth."""
    cells = [line.split(",") for line in lines[1:]]
    return [row[:2] for row in cells], np.array([float(row[2]) for row in cells])


def predicted(workdir, name):
    with (OLD / name).open() as stream:
        return list(commands.predict(workdir, stream, name))


def test_an_unfinished_run_goes_on_to_the_recorded_end(run):
    workdir, expected = run("csv_unfinished"), RECORDED["csv"]
    assert len(workdir.rows()) == 3
    options = [f"{knob}={value}" for knob, value in workdir.config()["options"].items() if value not in ("", None)]
    found = commands.train("csv_lstm", workdir, options=options, data_dir=OLD, settings=Settings())
    rows = [{key: row[key] for key in ("epoch", "step", "train", "validation")} for row in workdir.rows()]
    for row, wanted in zip(rows, expected["rows"], strict=True):
        assert (row["epoch"], row["step"]) == (wanted["epoch"], wanted["step"])
        for part in ("train", "validation"):
            assert row[part] == pytest.approx(wanted[part], rel=1e-5)
    assert found["best_epoch"] == expected["best_epoch"]
    for part in ("validation", "test"):
        assert {key: found[part][key] for key in expected[part]} == pytest.approx(expected[part], rel=1e-5)


@pytest.mark.parametrize(
    ("name", "file"), [("csv", "load.csv"), pytest.param("jena", "weather.csv", marks=pytest.mark.slow)]
)
def test_a_finished_run_evaluates_and_predicts_as_recorded(run, name, file):
    workdir, expected = run(f"{name}_finished"), RECORDED[name]
    found = commands.evaluate(workdir, data_dir=OLD)
    for part in ("validation", "test"):
        assert {key: found[part][key] for key in expected[part]} == pytest.approx(expected[part], rel=1e-5)
    dates, forecasts = values(predicted(workdir, file))
    wanted_dates, wanted = values(expected["predict"])
    assert dates[: len(wanted)] == wanted_dates
    np.testing.assert_allclose(forecasts[: len(wanted)], wanted, atol=0.0051)


def test_old_names_are_answered_under_strict_warnings_and_said_once():
    every = "\n".join(f"import {name}" for name in old_names.MOVED)
    same = """
import seqjax.layers.recurrent, seqjax.data.text.encodings, seqjax.training.state, seqjax.runs.many_program
assert LSTM is seqjax.layers.recurrent.LSTM
from seqjax.data.text import Vocabulary, tokens
assert Vocabulary is seqjax.data.text.encodings.Vocabulary and tokens.Corpus
from seqjax.data import series
assert series.fingerprint is seqjax.data.series.sources.fingerprint and not hasattr(series, 'nothing')
from seqjax import train, together, fit, commands
assert train.create_state is seqjax.training.state.create_state and train.Program and train.Settings
assert together.ManyProgram is seqjax.runs.many_program.ManyProgram and together.Together
for wrong in ('from seqjax.train import nothing', 'import seqjax.nothing', 'from seqjax.data.text import nothing'):
    try: exec(wrong)
    except ImportError: continue
    raise SystemExit(wrong)
"""
    command = [sys.executable, "-W", "error", "-c", IMPORTS + every + same]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if "old names" in line]
    assert len(said) == 1
    assert said[0].endswith("seqjax.metrics is seqjax.training.metrics now; old names are answered until seqjax 0.3")


def test_a_run_of_today_says_nothing_of_old_names(monkeypatch):
    said = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: said.append(text % values))
    monkeypatch.setattr(old_names, "_said", [])
    from seqjax.data.series import jena
    from seqjax.data.text import encodings

    assert jena.Windows
    assert encodings.Vocabulary
    assert said == []
    from seqjax.data import text

    assert text.Vocabulary is encodings.Vocabulary
    assert text.encode_int is encodings.encode_int
    assert len(said) == 1


def test_no_module_stands_at_an_old_name():
    """Or it would be taken instead of the new one."""
    for name in old_names.MOVED:
        path = ROOT.joinpath(*name.split("."))
        assert not path.with_suffix(".py").exists()
        assert not path.is_dir()


def test_importing_seqjax_imports_nothing_heavy():
    code = "import sys, seqjax; print(sorted({name.partition('.')[0] for name in sys.modules} & set(sys.argv[1:])))"
    heavy = ["jax", "flax", "numpy", "absl", "tensorflow"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\n"
