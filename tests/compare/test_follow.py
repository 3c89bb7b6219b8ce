"""Keras beside the rows, step by step: the mirrored models follow ours."""

import functools
import json
import subprocess
import sys

import numpy as np
import pytest

keras_lecture = pytest.importorskip("keras_lecture", reason="keras is not installed", exc_type=ImportError)
from keras_rows import SMALL, knobs, load  # noqa: E402
from seqjax.compare import __main__ as command  # noqa: E402
from seqjax.compare import follow  # noqa: E402
from seqjax.compare.mirror import mirror, vectors  # noqa: E402
from seqjax.errors import UserError  # noqa: E402
from tool_calls import called  # noqa: E402

JENA = {
    "jena_dense": ["units=4"],
    "jena_conv1d": ["filters=2", "sequence_length=70"],
    "jena_simple_rnn": ["units=4", "activation=softsign", "optimizer=adam", "clip_norm=0.5"],
    "jena_lstm_dropout": ["units=4"],
    "jena_lstm_reversed": ["units=4"],
    "jena_bilstm": ["units=4"],
    "jena_stacked_gru": ["units=4"],
    "jena_recurrent": ["units=4", "cell=gru", "dense_layers=1", "optimizer=adamw", "clip_value=0.1", "batch_size=60"],
}
TEXT = {
    "imdb_unigram": ["units=4"],
    "imdb_bigram_tfidf": ["units=4"],
    "imdb_bilstm_masked": ["units=3", "embedding_size=4"],
    "imdb_onehot_bilstm": ["units=3"],
}


def followed(name, settings, steps=14):
    function, options = knobs(name, settings)
    with keras_lecture.allowed():
        return follow.follow(function, options, load, steps)


def quick(names, *chosen):
    """Each name, those that were not chosen marked slow."""
    return [pytest.param(name, marks=[pytest.mark.slow] * (name not in chosen)) for name in names]


@pytest.mark.parametrize("name", quick(JENA, "jena_dense"))
def test_forecasters_follow_keras(name):
    settings = [*SMALL, *JENA[name]]
    if "recurrent" not in name:
        settings += ["delay=72" if "conv" in name else "delay=10"]
    found = followed(name, settings)
    assert len(found.ours) == len(found.keras) == 14
    assert found.differences.max() < 1e-4
    assert found.ours[0] != found.ours[-1]


@pytest.mark.parametrize("name", quick(TEXT, "imdb_unigram"))
def test_classifiers_follow_keras(name):
    found = followed(name, [*TEXT[name], "vocabulary_size=50"])
    assert found.differences.max() < 1e-4
    assert found.ours[0] != found.ours[-1]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["series", "window", "last"])
def test_a_normalized_forecaster_follows_keras(how):
    found = followed("csv_lstm", [*SMALL, "units=4", "horizon=2", f"normalize={how}"])
    assert found.differences.max() < 1e-4


@pytest.mark.parametrize("wrong", ["learning rate", "epsilon"])
def test_what_differs_is_noticed_and_not_taken_for_rounding(monkeypatch, wrong):
    def mirrored(experiment, options, example):
        rate = options["learning_rate"] * (1.1 if wrong == "learning rate" else 1)
        found = mirror(experiment, {**options, "learning_rate": rate}, example)
        if wrong == "epsilon":
            found.model.optimizer.epsilon = 1e-2
        return found

    monkeypatch.setattr(follow, "mirror", mirrored)
    found = followed("jena_dense", [*SMALL, "units=4", "delay=10"])
    assert not found.agree(1e-4)
    assert 0 < found.rounding.max() < 1e-5
    assert "and by more than rounding explains" in found.explained(1e-4)
    assert "largest difference of 14 steps" in follow.lines(found)[-1]


def test_agreement_is_to_the_tolerance_and_rounding_only_explains():
    ours, close = np.array([100.0, 100.0, 100.0]), np.array([100.005, 100.0, 100.0])
    early, late = np.array([[100, 100.05, 100], [100, 100, 100.05]])
    near, exact = np.array([ours, [100, 100, 100.01], ours]), ours[None]  # of three neighbours one parts
    parted = follow.Followed(ours, late, near, 0.0)
    assert not parted.agree(1e-4)
    assert "from step 3 on, as ours does from itself" in parted.explained(1e-4)
    assert "from step 2 on, and by more than rounding explains" in follow.Followed(ours, early, near, 0.0).explained(
        1e-4
    )
    assert follow.Followed(ours, close, exact, 0.0).agree(1e-4)
    unknown = follow.Followed(ours, np.array([100, np.nan, 100]), exact, 0.0)
    assert not unknown.agree(1e-4)
    assert "from step 2 on, and by more" in unknown.explained(1e-4)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("jena_naive", [], "LastValue has no counterpart in Keras here, or nothing to train"),
        ("jena_recurrent", ["layer_norm=true"], "LSTM with layer_norm has no counterpart"),
        ("jena_recurrent", ["batch_norm=true"], "RecurrentForecaster with batch_norm has no counterpart"),
        ("jena_recurrent", ["clip_norm=1", "clip_value=1"], "Keras clips by norm or by value, not by both"),
    ],
)
def test_what_keras_has_not_is_said(name, settings, message):
    function, options = knobs(name, [*(SMALL if "recurrent" in name else []), *settings])
    experiment = function(**options)
    with pytest.raises(UserError, match=message), keras_lecture.allowed():
        mirror(experiment, options, np.zeros((1, 8, 14), np.float32))


def test_bags_become_vectors():
    ids = np.array([[0, 2, 3], [3, 3, 3]])
    np.testing.assert_array_equal(vectors(ids, 3), [[1, 0, 1], [0, 0, 0]])
    weights = np.float32([[0.5, 2, 0], [0, 0, 0]])
    np.testing.assert_array_equal(vectors((ids, weights), 3), [[0.5, 0, 2], [0, 0, 0]])


def call(*arguments, seconds=120):
    return subprocess.run(
        [sys.executable, "-m", "seqjax.compare", *arguments], capture_output=True, text=True, timeout=seconds
    )


def test_a_wrong_call_is_one_line_and_exit_code_2():
    wrong = {
        (): "--experiment=NAME is missing",
        ("--experiment=jena_lstn",): "did you mean 'jena_lstm'",
        ("--experiment=jena_lstm", "--set=unit=3"): "there is no knob 'unit'",
        ("--experiment=jena_lstm", "--free", "--seeds=a"): "whole numbers are expected",
        ("jena_lstm",): "is not a flag",
    }
    calls = [(functools.partial(called, command), arguments) for arguments in wrong] + [(call, ("jena_lstm",))]
    for run, arguments in calls:
        done = run(*arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert wrong[arguments] in done.stderr


def test_without_keras_it_says_how_to_get_it():
    code = (
        "import sys\nsys.modules['keras'] = None\nsys.argv = ['x', '--experiment=jena_lstm', '--data=sample']\n"
        "from seqjax.compare.__main__ import run\nrun()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "pip install 'seqjax[interop]'" in done.stderr


def test_help_needs_no_heavy_library():
    code = (
        "import sys, atexit\nnames = ('jax', 'keras', 'tensorflow', 'numpy')\n"
        "atexit.register(lambda: print('LOADED', [name for name in names if name in sys.modules]))\n"
        "from seqjax.compare.__main__ import run\nrun()\n"
    )
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, timeout=60)
    assert "--seeds" in done.stdout
    assert "LOADED []" in done.stdout


@pytest.mark.slow
def test_steps_of_a_row_in_float64(tmp_path):
    output = tmp_path / "steps.json"
    settings = ["--set=units=2", "--set=sequence_length=8", "--steps=9", f"--output={output}"]
    done = call("--experiment=jena_dense", "--data=sample", "--float64", *settings)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(output.read_text())
    assert (found["kind"], len(found["ours"]), len(found["keras"])) == ("keras_steps", 9, 9)
    assert found["largest_difference"] < 1e-7
    assert "    9  " in done.stdout


STEPS = {"jena_simple_rnn": 100, "imdb_onehot_bilstm": 9}
"""The one parts from itself after 140, started a rounding error away; the other takes Keras seconds a step."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [*(name for name in JENA if name != "jena_recurrent"), "jena_lstm", *TEXT, "imdb_bigram", "imdb_bilstm"]
)
def test_every_row_follows_keras_in_float64(name):
    """As the lecture has it, on the sample."""
    done = call(f"--experiment={name}", "--data=sample", "--float64", f"--steps={STEPS.get(name, 200)}", seconds=1800)
    assert done.returncode == 0, done.stdout + done.stderr
