"""Every file in experiments/: it runs, has the specified parameters, and is documented."""

import ast
import re
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from places import DATA, ROOT
from seqjax import experiment as experiments
from seqjax.report import runs
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
}
NAMES = experiments.names()


def test_every_row_of_the_table_is_here():
    assert set(PARAMETERS) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_those_of_the_lecture(name):
    experiment = experiments.load(experiments.find(name))()
    windows, tokens = np.zeros((1, 120, 14), np.float32), np.zeros((1, 600), np.int32)
    inputs = windows if name.startswith("jena") else tokens
    if hasattr(experiment.model, "example"):  # its inputs are of another kind
        inputs = experiment.model.example()
    if name.startswith("csv"):
        inputs = (windows, np.ones((1, 2), np.float32))  # with the target's scale
    state = jax.eval_shape(lambda x: create_state(experiment, x), inputs)
    assert count_parameters(state.params) == PARAMETERS[name]
    said = re.search(r"([\d,]+|No) parameters", experiments.listing(name).description)
    assert said, "the first line of the docstring ends with the number of parameters"
    assert int(said[1].replace(",", "").replace("No", "0")) == PARAMETERS[name]


@pytest.mark.parametrize("name", NAMES)
def test_what_the_list_reads_is_what_runs(name):
    assert experiments.load(experiments.find(name))().lecture == experiments.listing(name).lecture


@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_a_short_file_that_imports_no_other(name):
    text = experiments.find(name).read_text()
    assert len(text.splitlines()) <= (65 if name == "jena_recurrent" else 51)  # the one that has all the knobs
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


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("jena") and PARAMETERS[n]])
def test_purge_and_repair_are_knobs_of_every_learned_forecast(name):
    source = experiments.load(experiments.find(name))(purge=True, repair=False).source
    assert (source.purge, source.repair) == (True, False)


@pytest.mark.parametrize("name", ["csv_lstm", "csv_naive"])
def test_purge_is_a_knob_of_the_rows_of_any_csv(name):
    assert experiments.load(experiments.find(name))(purge=True).source.purge


KEPT = ROOT / "experiments" / "results"


SETS = sorted(path.parent.name for path in KEPT.glob("*/results.json") if not path.with_name("metrics.jsonl").exists())


@pytest.mark.parametrize("name", SETS)
def test_sets_of_runs_that_are_kept_go_on_under_the_knobs_of_today(name, tmp_path):
    workdir = Workdir(Path(shutil.copytree(KEPT / name, tmp_path / name)))
    config, before = workdir.config() or {}, workdir.results() or {}
    function = experiments.load(experiments.find(config["experiment"]))
    options = [f"{knob}={value}" for knob, value in config["options"].items()]
    groups = before.get("values", [before])
    sweep = f"{config['swept']}={','.join(group['value'] for group in groups)}" if config["swept"] else None
    planned = members.plan(function, options, len(groups[0]["seeds"]), sweep)
    run = lambda those: {member.folder: 0 for member in those}
    results = members.train(config["experiment"], function, workdir, planned, options=options, data="real", run=run)
    assert results.items() >= (before | {"options": results["options"]}).items()


@pytest.mark.slow
def test_the_kept_fingerprints_are_still_those_of_the_data():
    """Of files at hand: a source's new option, at its default, makes no other data."""
    if not (DATA / "tensorflow_datasets" / "imdb_reviews").is_dir():
        pytest.skip(f"no IMDB reviews in {DATA}")
    for name in ("imdb_unigram", "word2vec"):
        config = Workdir(KEPT / name / "seed_0").config() or {}
        experiment = experiments.load(experiments.find(name))(**config["options"])
        assert experiment.source.load("real", DATA).fingerprint == config["fingerprint"]


def test_results_that_are_kept_are_whole_and_real():
    kept = runs.find(KEPT).runs
    for run in kept:
        assert run.results is not None, run.path
        assert run.config["data"] == "real"
        assert run.results["parameters"] == PARAMETERS[run.config["experiment"]]
        assert len(run.rows) == run.config["options"].get("epochs", 0), run.path
    assert "jena_lstm epochs=60" in {row.label for row in runs.group(kept)}, "knobs are told from defaults"
