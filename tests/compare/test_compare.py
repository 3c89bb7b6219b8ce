"""Keras beside the rows: the mirrored models follow ours, and their own runs are kept and resumed."""

import json
import subprocess
import sys

import numpy as np
import pytest

keras_lecture = pytest.importorskip("keras_lecture", reason="keras is not installed", exc_type=ImportError)

from seqjax import experiment as experiments  # noqa: E402
from seqjax.compare import __main__ as command  # noqa: E402
from seqjax.compare import follow, free  # noqa: E402
from seqjax.compare.mirror import mirror, vectors  # noqa: E402
from seqjax.data.dataset import Dataset  # noqa: E402
from seqjax.data.series import weather  # noqa: E402
from seqjax.errors import UserError  # noqa: E402
from seqjax.report import runs, table  # noqa: E402

ROWS = 600
SMALL = ["sequence_length=8", "batch_size=64"]
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


def load(source):
    """A random walk in 14 columns; reviews of random words."""
    rng = np.random.default_rng(0)
    if hasattr(source, "horizon"):
        walk = np.cumsum(rng.normal(size=(ROWS, 14)), axis=0) * 0.1
        times = np.datetime64("2009-01-01T00:00:00") + np.arange(ROWS) * np.timedelta64(1, "h")
        columns = weather.COLUMNS
        made = weather.Weather(columns, times, walk)
        return source.dataset(made, "walk", 0) if hasattr(source, "file") else source.dataset(made, "walk")
    ids = np.stack([1 + rng.permutation(48)[:10] for _ in range(96)])
    lengths = rng.integers(1, 11, (96, 1))
    bags = source.encoding in ("multi_hot", "tf_idf")
    tokens = np.where(np.arange(10) < lengths, ids, 50 if bags else 0).astype(np.int32)
    inputs = (tokens, rng.random(tokens.shape).astype(np.float32)) if source.encoding == "tf_idf" else tokens
    labels = (tokens[:, 0] > 24).astype(np.float32)
    parts = {part: np.arange(96, dtype=np.int32) for part in ("train", "validation", "test")}
    take = lambda arrays, ids: tuple(a[ids] for a in arrays) if isinstance(arrays, tuple) else arrays[ids]
    gather = lambda arrays, ids: (take(arrays["inputs"], ids), arrays["labels"][ids])
    return Dataset({"inputs": inputs, "labels": labels}, gather, parts, "words", "f00d")


def knobs(name, settings):
    function = experiments.load(experiments.find(name))
    return function, experiments.options(function, settings)


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
def test_a_rescaled_forecaster_follows_keras():
    found = followed("csv_lstm", [*SMALL, "units=4", "horizon=2"])
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


# Free


@pytest.fixture
def free_run(monkeypatch, tmp_path):
    source = type(knobs("jena_dense", [])[0]().source)
    monkeypatch.setattr(source, "load", lambda self, data, data_dir: load(self))

    def run(*settings, seeds=(0,)):
        said = []
        function, options = knobs("jena_dense", [*SMALL, "delay=10", "epochs=2", "units=2", *settings])
        with keras_lecture.allowed():
            found = free.run(
                "jena_dense", function, options, "real", tmp_path, seeds, tmp_path / "k/d.json", said.append
            )
        return found, said

    return run


def test_free_runs_differ_by_seed_repeat_themselves_and_resume(free_run, tmp_path):
    first, said = free_run(seeds=[1])
    assert len(said) == 2
    both, said = free_run(seeds=[0, 1])
    assert sum("finished already" in line for line in said) == 1
    assert [row["seed"] for row in both["seeds"]] == [0, 1]
    assert both["seeds"][1] == first["seeds"][0]
    assert both["seeds"][0]["test"] != both["seeds"][1]["test"]
    assert json.loads((tmp_path / "k/d.json").read_text())["seeds"] == both["seeds"]
    row = both["seeds"][0]
    assert set(row["test"]) == {"loss", "mae"}
    best = min(row["history"], key=lambda epoch: epoch["validation"]["loss"])
    assert (row["best_epoch"], row["validation"]) == (best["epoch"], best["validation"])
    assert row["parameters"] == 8 * 14 * 2 + 2 + 3
    (tmp_path / "k/d.json").unlink()
    again, _ = free_run(seeds=[1])
    assert again["seeds"][0]["test"] == pytest.approx(first["seeds"][0]["test"], rel=1e-6)
    with pytest.raises(UserError, match=r"is of options=.* choose another"):
        free_run("units=3")
    older = json.loads((tmp_path / "k/d.json").read_text())
    del older["options"]["purge"]
    (tmp_path / "k/d.json").write_text(json.dumps(older))
    assert free_run(seeds=[1])[0]["seeds"] == older["seeds"]
    (tmp_path / "k/d.json").write_text("[]")
    with pytest.raises(UserError, match="is no result of a comparison"):
        free_run()


@pytest.mark.parametrize(("flags", "folder"), [([], "runs"), (["--output=k.json"], "DIR, a folder above that file")])
def test_free_scores_are_followed_by_the_command_that_shows_ours_beside(monkeypatch, capsys, flags, folder):
    row = {"seed": 0, "test": {"mae": 2.5}, "best_epoch": 7}
    monkeypatch.setattr(free, "run", lambda *arguments: {"seeds": [row]})
    command.FLAGS.unparse_flags()
    assert command.main(command.FLAGS(["compare", "--experiment=jena_dense", "--free", *flags])[1:]) == 0
    scores, _, last = capsys.readouterr().out.splitlines()
    assert scores == "keras jena_dense, seed 0: test mae 2.5000, best epoch 7"
    assert f"python -m seqjax.report --runs={folder}" in last


def test_an_epoch_feeds_every_example_once_in_a_new_order():
    function, options = knobs("jena_dense", [*SMALL, "delay=10", "units=2"])
    experiment = function(**options)
    dataset = load(experiment.source)
    with keras_lecture.allowed():
        found = mirror(experiment, options, dataset.example())
    fed = free.feeder(found, dataset, "train", 64)
    fed.shuffle(3, 1)
    targets = lambda: np.concatenate([fed[k][1] for k in range(len(fed))])
    first = targets()
    fed.shuffle(3, 2)
    second = targets()
    expected = dataset.gather(dataset.arrays, dataset.parts["train"])[1]
    np.testing.assert_array_equal(np.sort(first), np.sort(expected))
    np.testing.assert_array_equal(np.sort(second), np.sort(expected))
    assert not np.array_equal(first, second)
    plain = free.feeder(found, dataset, "train", 64)
    np.testing.assert_array_equal(plain[1][1], expected[64:128])


def test_initial_values_that_keras_has_not_are_refused(tmp_path):
    function, options = knobs("jena_recurrent", ["initializer=torch", "layers=2"])
    with pytest.raises(UserError, match="initializer=torch has no counterpart"):
        free.run("jena_recurrent", function, options, "real", tmp_path, [0], tmp_path / "k.json")


def test_the_report_finds_what_is_written(free_run, tmp_path):
    free_run(seeds=[0])
    found = runs.find(tmp_path)
    assert (len(found.runs), [entry["experiment"] for entry in found.keras]) == (0, ["jena_dense"])
    assert table.rows(runs.group(found.runs), found.keras) == []


# The command


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
    for arguments, message in wrong.items():
        done = call(*arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert message in done.stderr


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
