"""Every file in experiments/: it runs, has the specified parameters, and is documented."""

import ast
import json
import re

import jax
import numpy as np
import pytest

from places import DATA, ROOT
from seqjax import experiment as experiments
from seqjax.report import kept, runs
from seqjax.runs import members
from seqjax.training.state import count_parameters, create_state
from seqjax.training.workdir import Workdir

PARAMETERS = {  # EXPERIMENTS.md, the lecture's model summaries
    "jena_naive": 0,
    "jena_dense": 26_913,
    "jena_conv1d": 3_873,
    "jena_simple_rnn": 513,
    "jena_lstm": 2_001,
    "jena_lstm_dropout": 6_049,
    "jena_stacked_gru": 10_977,
    "jena_lstm_reversed": 2_001,
    "jena_bilstm": 4_001,
    "jena_drift": 0,
    "jena_seasonal_naive": 0,
    "jena_recurrent": 2_001,
    "jena_quantiles": 16_287,
    "csv_naive": 0,
    "csv_lstm": 6_049,
    "imdb_unigram": 320_033,
    "imdb_bigram": 320_033,
    "imdb_bigram_tfidf": 320_033,
    "imdb_onehot_bilstm": 5_128_513,
    "imdb_bilstm": 5_194_049,
    "imdb_bilstm_masked": 5_194_049,
    "imdb_glove": 2_034_113,
    "imdb_word2vec": 5_194_049,
    "imdb_conv1d": 5_177_409,
    "imdb_transformer": 1_339_553,
    "word2vec": 10_240_000,
    "glove": 10_280_000,
    "atis_bilstm": 286_528,
    "digit_words": 83_314,
    "digits_gru": 81_562,
    "keyword_gru": 99_924,
    "text_bow": 320_033,
    "text_bilstm": 5_194_049,
    "trec_bilstm": 476_646,
    "sms_spam": 664_897,
    "multi30k_gru": 5_364_848,
    "spa_eng_gru": 8_443_848,
    "addition_seq2seq": 337_166,
    "adding": 13_121,
    "copying": 73_091,
    "shakespeare_lstm": 1_219_650,
    "moving_digits": 185_882,
    "ts_gru": 12_929,
    "forda_gru": 29_249,
    "bots_gru": 4_241,
    "m4_hourly_gru": 52_297,
    "etth1_gru": 95_233,
    "csv_forecast": 11_401,
    "nab_gru": 5_922,
    "nab_autoencoder": 4_200,
    "csv_anomalies": 5_922,
    "random_walk": 273,
}
TOLD = {"shakespeare_lstm": {"vocabulary_size": 66}}
"""What the real data tell."""
RESIZED = {"shakespeare_lstm_budget": 108_354, "trec_bilstm_glove": 2_176_646, "multi30k_gru_none": 5_102_448}
RESIZED |= {"forda_gru_last": 12_929, "forda_gru_max": 12_929}
HORIZONS = {24: 57_793, 48: 70_273, 168: 132_673, 336: 220_033, 720: 419_713}
RESIZED |= {f"etth1_gru_horizon={hours}": size for hours, size in HORIZONS.items()}
"""Kept rows of another size than their experiment's own: LSTM 128 over 66 symbols; 12,000 words, LSTM 128; no
convolution; as many answers as hours."""
NAMES = experiments.names()


def test_every_row_of_the_table_is_here():
    assert set(PARAMETERS) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_those_of_the_lecture(name):
    experiment = experiments.load(experiments.find(name))(**TOLD.get(name, {}))
    windows, tokens = np.zeros((1, 120, 14), np.float32), np.zeros((1, 600), np.int32)
    inputs = windows if name.startswith("jena") else (windows, windows[:, 0]) if name.startswith("csv") else tokens
    if name == "adding":
        inputs = windows[:, :, :2]
    if name == "random_walk":
        inputs = windows[:, :, :1], windows[:, 0, :1]
    if hasattr(experiment.model, "example"):  # its inputs are of another kind
        inputs = experiment.model.example()
    state = jax.eval_shape(lambda x: create_state(experiment, x), inputs)
    assert count_parameters(state.params) == PARAMETERS[name]
    said = re.search(r"([\d,]+|No) parameters", experiments.listing(name).description)
    assert said, "the first line of the docstring ends with the number of parameters"
    assert int(said[1].replace(",", "").replace("No", "0")) == PARAMETERS[name]


LINEAR = {  # cell -> parameters of a layer of U units over D features
    "mingru": lambda d, u: 2 * u * (d + 1),
    "minlstm": lambda d, u: 3 * u * (d + 1),
    "lru": lambda d, u: 3 * u + 3 * d * u + 2 * u * u,
}


@pytest.mark.parametrize("cell", LINEAR)
@pytest.mark.parametrize(
    ("name", "knobs", "features", "layers", "rest"),
    [
        ("jena_recurrent", {}, 14, 1, 5),
        ("imdb_bilstm_masked", {"vocabulary_size": 9, "embedding_size": 3}, 3, 2, 9 * 3 + 2 * 4 + 1),
        ("shakespeare_lstm", {"vocabulary_size": 9, "embedding_size": 3}, 3, 1, 9 * 3 + 9 * (4 + 1)),
    ],
)
def test_the_lectures_rows_take_cells_that_are_linear_in_their_state(cell, name, knobs, features, layers, rest):
    experiment = experiments.load(experiments.find(name))(cell=cell, units=4, **knobs)
    inputs = np.zeros((1, 5, 14), np.float32) if name.startswith("jena") else np.zeros((1, 5), np.int32)
    if hasattr(experiment.model, "example"):
        inputs = experiment.model.example()
    state = jax.eval_shape(lambda x: create_state(experiment, x), inputs)
    assert count_parameters(state.params) == layers * LINEAR[cell](features, 4) + rest


@pytest.mark.parametrize("name", NAMES)
def test_what_the_list_reads_is_what_runs(name):
    assert experiments.load(experiments.find(name))().lecture == experiments.listing(name).lecture


@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_a_short_file_that_imports_no_other(name):
    text = experiments.find(name).read_text()
    assert len(text.splitlines()) <= (80 if name.startswith("csv") else 65)  # how tables are written takes knobs
    imported = [node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    assert not any(module.startswith("experiments") for module in imported if module)
    assert f"--experiment={name}" in text


@pytest.mark.parametrize("name", NAMES)
def test_every_knob_is_keyword_only_with_a_default_that_reads_back(name):
    function = experiments.load(experiments.find(name))
    defaults = experiments.options(function, [])
    assert "seed" in defaults
    settings = [f"{knob}={value}" for knob, value in defaults.items()]
    assert experiments.options(function, settings) == defaults


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith(("imdb", "word2vec", "glove"))])
def test_how_words_are_spelled_are_knobs_of_every_row_of_reviews(name):
    stem = {} if name == "imdb_glove" else {"stem": "english"}  # GloVe's words are no stems
    knobs = {"fold_accents": True, "strip_special": True, **stem}
    source = experiments.load(experiments.find(name))(**knobs).source
    reviews = getattr(source, "reviews", source)
    assert {knob: getattr(reviews, knob) for knob in knobs} == knobs


@pytest.mark.parametrize(
    "name", [n for n in NAMES if n.startswith("jena_") and PARAMETERS[n] and n != "jena_quantiles"]
)
def test_purge_and_repair_are_knobs_of_every_learned_forecast(name):
    source = experiments.load(experiments.find(name))(purge=True, repair=False).source
    assert (source.purge, source.repair) == (True, False)


@pytest.mark.parametrize("name", ["csv_lstm", "csv_naive", "csv_anomalies"])
def test_how_a_table_is_written_are_knobs_of_the_rows_of_any_table(name):
    knobs = {"encoding": "latin-1", "decimal": ",", "thousands": ".", "comment": "#", "delimiter": ";", "sort": True}
    knobs |= {"series": "shop", "doubled": "mean", "missing": -1.0, "format": "unix", "time": "t"}
    form = experiments.load(experiments.find(name))(**knobs).source.form
    assert {knob: getattr(form, knob) for knob in knobs} == knobs


KEPT = ROOT / "experiments" / "results"
ROWS = {path.stem: path for path in sorted(KEPT.glob("*.json"))}


def rows_of(path):
    return list(kept.unpacked(json.loads(path.read_text()), path))


@pytest.mark.parametrize("name", [name for name in ROWS if len(rows_of(ROWS[name])) > 1])
def test_rows_that_are_kept_go_on_as_sets_under_the_knobs_of_today(name, tmp_path):
    """Laid out as the folders that they were, more seeds can be asked for, and the summary is that of their scores."""
    found = rows_of(ROWS[name])
    config = found[0].config
    for run in found:
        workdir = tmp_path / f"seed_{run.seed}"
        workdir.mkdir()
        (workdir / "results.json").write_text(json.dumps(run.results))
        (workdir / "config.json").write_text(json.dumps(run.config))
    shared = {knob: value for knob, value in config["options"].items() if knob != "seed"}
    common = {"kind": "members", "experiment": config["experiment"], "data": "real", "options": shared, "swept": None}
    (tmp_path / "config.json").write_text(json.dumps(common))
    function = experiments.load(experiments.find(config["experiment"]))
    options = [f"{knob}={value}" for knob, value in shared.items()]
    today = {"options": experiments.options(function, [*options, f"seed={found[0].seed}"])}
    today |= {"defaults": experiments.options(function, []), "experiment": config["experiment"], "data": "real"}
    Workdir(tmp_path / f"seed_{found[0].seed}").check(today)  # or the member would not go on
    planned = members.plan(function, options, len(found), None)
    assert [member.seed for member in planned] == [run.seed for run in found]
    run = lambda those: {member.folder: 0 for member in those}
    results = members.train(
        config["experiment"], function, Workdir(tmp_path), planned, options=options, data="real", run=run
    )
    scores = [run.results or {} for run in found]
    assert results["parameters"] == scores[0]["parameters"]
    for part in ("validation", "test"):
        for metric, said in results[part].items():
            values = [score[part][metric] for score in scores]
            assert said["mean"] == pytest.approx(np.mean(values))
            assert said["std"] == pytest.approx(np.std(values, ddof=1))
            assert said["count"] == len(values)


@pytest.mark.slow
def test_the_kept_fingerprints_are_still_those_of_the_data():
    """Of files at hand: a source's new option, at its default, makes no other data."""
    if not (DATA / "tensorflow_datasets" / "imdb_reviews").is_dir():
        pytest.skip(f"no IMDB reviews in {DATA}")
    for name in ("imdb_unigram", "word2vec"):
        config = rows_of(ROWS[name])[0].config
        experiment = experiments.load(experiments.find(name))(**config["options"])
        assert experiment.source.load("real", DATA).fingerprint == config["fingerprint"]


def test_results_that_are_kept_are_whole_and_real():
    found = runs.find(KEPT).runs
    assert {run.path.stem for run in found} == set(ROWS)
    assert len(found) >= 152
    for run in found:
        assert run.results is not None, run.path
        assert run.config["data"] == "real"
        assert run.results["parameters"] == RESIZED.get(run.path.stem, PARAMETERS[run.config["experiment"]])
        assert len(run.rows) == run.config["options"].get("epochs", 0), run.path
        assert len(run.config["fingerprint"]) == 64
        assert run.config["versions"].keys() >= {"jax", "flax", "numpy"}
    grouped = runs.group(found)
    assert len(grouped) == len(ROWS), "a file is a row"
    assert "jena_lstm epochs=60" in {row.label for row in grouped}, "knobs are told from defaults"


def test_what_is_kept_is_small_and_one_file_a_row():
    files = [path for path in KEPT.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".npz"}
    assert {path.parent.relative_to(KEPT).as_posix() for path in files} <= {".", "keras", "lecture", "speed"}
    assert {path.stem for path in files if path.suffix == ".npz"} <= set(ROWS)
    assert sum(path.stat().st_size for path in files) < 3_000_000
