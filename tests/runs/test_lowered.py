"""Every row's steps lower for devices that are not here, over a mesh of 2 x 4, and say what they exchange."""

import importlib.util

import jax
import numpy as np
import pytest

from seqjax import experiment as experiments
from seqjax.errors import UserError
from seqjax.layers.backends import choice
from seqjax.layers.recurrent import LSTM
from seqjax.runs import commands
from seqjax.runs.lowered import Steps, as_on, collectives, lowered, two_by_four

QUICK = ["jena_lstm"]
KNOBS = {"forda_gru": ["classes=3"], "imdb_word2vec": None}
"""Of the generated data; None: it needs a run of another experiment."""
ALONE = {"jena_naive", "jena_drift", "jena_seasonal_naive", "csv_naive"}
"""Have no parameters, so no gradients to sum."""


def steps_of(name, tmp_path):
    knobs = KNOBS.get(name, [])
    if knobs is None:
        pytest.skip("it begins with the vectors of another run")
    function = experiments.load(experiments.find(name))
    options = experiments.options(function, [])
    experiment = experiments.build(function, options)
    try:
        dataset = experiment.source.load("sample", tmp_path)
    except UserError:
        options = experiments.options(function, knobs)
        experiment = experiments.build(function, options)
        dataset = experiment.source.load("sample", tmp_path)
    return Steps(commands.as_told(function, options, dataset), dataset)


def check(name, tmp_path):
    steps = steps_of(name, tmp_path)
    for platform in ("cuda", "tpu"):
        train, evaluate = (
            lowered(part, platform, two_by_four()).as_text() for part in (steps.train(), steps.evaluate())
        )
        for text in (train, evaluate):
            assert '"data"=2, "model"=4' in text  # the mesh stands in the program
            assert '{"data"}' in text  # and something is split over it
            assert "seqjax_" not in text  # no kernel of ours for CPUs
    return collectives(train)


def test_a_row_lowers_for_both(tmp_path):
    assert check("jena_lstm", tmp_path)["all-reduce"] >= 1  # explicit: the gradient of what runs within shard_map


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in experiments.names() if name not in QUICK])
def test_every_row_lowers_for_both(name, tmp_path):
    if name == "forda_gru":
        pytest.skip("its generated data have three classes, the row two")
    check(name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jena_lstm", "imdb_unigram", "imdb_bilstm_masked", "shakespeare_lstm"])
def test_a_row_compiles_for_tpus_that_are_not_here(name, tmp_path, monkeypatch):
    """By XLA's own compiler for TPUs, which needs none: all exchanges stand in what it makes."""
    if importlib.util.find_spec("libtpu") is None:
        pytest.skip("pip install libtpu")
    for variable, value in {
        "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
        "TPU_SKIP_MDS_QUERY": "1",
        "TPU_WORKER_HOSTNAMES": "localhost",
        "TPU_WORKER_ID": "0",
    }.items():
        monkeypatch.setenv(variable, value)
    from jax.experimental import topologies

    devices = topologies.get_topology_desc("v5e:2x4", "tpu").devices
    mesh = jax.sharding.Mesh(np.array(devices).reshape(2, 4), ("data", "model"))
    compiled = lowered(steps_of(name, tmp_path).train(), "tpu", mesh).compile()
    assert collectives(compiled.as_text())["all-reduce"] >= 1
    assert compiled.cost_analysis()["flops"] > 0


def test_a_layer_takes_the_backend_of_the_device_that_is_meant():
    with as_on("tpu"):
        assert choice.choose(LSTM(16), masked=False, dropped=False).backend == "fused"
    with as_on("cuda"):  # cuDNN where JAX's plugin for CUDA is installed
        assert choice.choose(LSTM(512), masked=False, dropped=False).backend in ("fused", "cudnn")
    assert jax.default_backend() == "cpu"


def test_collectives_are_counted_in_both_kinds_of_text():
    text = """
    %3 = "stablehlo.all_reduce"(%2) <{}> ({
    %all-reduce.1 = f32[4]{0} all-reduce(%x), channel_id=1, to_apply=%region
    ROOT %g = f32[8]{0} all-gather-start(%y), dimensions={0}
    %d = f32[8]{0} all-gather-done(%g)
    """
    assert collectives(text) == {"all-reduce": 2, "all-gather": 1}
