"""The benchmark's workloads at a fiftieth of their size: data, and the same models in every library."""

import dataclasses
from typing import Any

import jax
import numpy as np
import pytest

from seqjax.benchmark.worker import build, peak_memory_mb, run_block
from seqjax.benchmark.workloads import WORKLOADS, find, lengths

PARAMETERS = {
    "W1": 2_001, "W2": 10_977, "W3": 5_194_049, "W3m": 5_194_049, "W3b": 5_128_513, "W4": 320_033, "W4-512": 320_033,
    "W5": 3_873, "W6": 2_099_713,
}  # fmt: skip


def test_reviews_have_the_stated_lengths_and_as_many_different_tokens_as_the_real_ones():
    counts = lengths(512, 600, np.random.default_rng(0))
    assert abs(counts.mean() - 235) < 1
    assert 10 <= counts.min() < 60
    assert counts.max() == 600
    distinct = {}
    for name in ("W3", "W3m"):
        batches = find(name).host_batches(find(name).dataset())
        distinct[name] = np.mean([len(np.unique(tokens)) for tokens, _ in batches])
        assert len(batches) == 16
        assert batches[0][0].shape == (32, 600)
    assert 3_700 < distinct["W3"] < 4_100  # IMDB: 3,862
    assert 1_850 < distinct["W3m"] < 2_150  # IMDB: 1,965


def test_masked_reviews_are_padded_at_the_end_only():
    dataset = find("W3m").dataset()
    for row in dataset.arrays["tokens"][:50]:
        length = (row != 0).sum()
        assert (row[:length] > 0).all()
        assert not row[length:].any()
    assert find("W3").dataset().arrays["tokens"].min() > 0


def test_bags_are_the_same_for_ours_and_for_the_peers():
    workload = find("W4").scaled(0.02)
    dataset = workload.dataset()
    tokens, labels = dataset.gather(dataset.arrays, dataset.parts["train"][: workload.batch])
    vectors, targets = workload.host_batches(dataset)[0]
    assert vectors.shape == (workload.batch, workload.features)
    for row, vector in zip(tokens, vectors, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(vector), row[row < workload.features])
        assert 0 < vector.sum() < len(row)
    np.testing.assert_array_equal(targets, labels)


def test_windows_are_those_of_the_series():
    dataset = find("W6").scaled(0.02).dataset()
    x, y = find("W6").scaled(0.02).host_batches(dataset)[1]
    start = dataset.parts["train"][8 + 3]
    np.testing.assert_array_equal(x[3], dataset.arrays["series"][start : start + 10])
    assert x.shape == (8, 10, 10)
    assert y[3] == dataset.arrays["target"][start + 9 + 24]


@pytest.mark.parametrize("name", WORKLOADS)
def test_ours_has_the_lectures_parameters(name):
    from seqjax.benchmark.ours import experiment
    from seqjax.training.state import count_parameters, create_state

    workload = find(name)
    example = dataclasses.replace(workload, batches=1, batch=1).dataset().example()
    state = jax.eval_shape(lambda x: create_state(experiment(workload), x), example)
    assert count_parameters(state.params) == PARAMETERS[name]


@pytest.mark.parametrize("name", WORKLOADS)
def test_flax_has_the_same_parameters(name):
    from seqjax.benchmark.peer_flax import Model

    workload = find(name)
    small = dataclasses.replace(workload, batches=1, batch=1)
    x, _ = small.host_batches(small.dataset())[0]
    params = jax.eval_shape(lambda x: Model(workload).init(jax.random.key(0), x, False), x)
    fewer = 2 * 2 * 32 if name == "W2" else 0  # Linen's GRU has 4 biases a unit, Keras's 6
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == PARAMETERS[name] - fewer


@pytest.mark.parametrize("name", WORKLOADS)
def test_torch_has_the_same_parameters(name):
    pytest.importorskip("torch")
    from seqjax.benchmark.peer_torch import make_model

    more = {"W1": 64, "W6": 2048, "W3": 256, "W3m": 256, "W3b": 256}.get(name, 0)  # a second bias in every LSTM
    assert sum(p.numel() for p in make_model(find(name)).parameters()) == PARAMETERS[name] + more


@pytest.mark.parametrize("name", ["W2", *(pytest.param(n, marks=pytest.mark.slow) for n in ("W3", "W3b", "W4", "W5"))])
def test_keras_has_the_same_parameters(name):
    keras = pytest.importorskip("keras")
    from seqjax.benchmark.peer_keras import make_layers

    workload = find(name)
    shape = (workload.features,) if workload.kind == "bag" else (workload.steps, workload.features)
    tokens = workload.kind == "bilstm"
    inputs = keras.Input(shape[:1] if tokens else shape, dtype="int32" if tokens else "float32")
    with jax.numpy_rank_promotion("allow"):  # Keras relies on it
        assert keras.Sequential([inputs, *make_layers(workload)]).count_params() == PARAMETERS[name]


@pytest.mark.parametrize("name", ["W1", "W3"])
def test_cudnns_model_is_torchs(monkeypatch, name):
    """The same numbers from the same weights, which torch keeps apart and cuDNN in one vector: biases come last."""
    torch = pytest.importorskip("torch")
    from seqjax.benchmark import peer_cudnn, peer_torch

    def reference(x, h, c, weights, lengths, features, units, layers, dropout, both):
        parts = peer_cudnn.rnn.unpack_lstm_weights(weights, features, units, layers, both)
        return peer_cudnn.rnn.lstm_ref(x, h, c, *parts, lengths, features, units, layers, dropout, both)

    monkeypatch.setattr(peer_cudnn.rnn, "lstm", reference)
    workload = find(name).scaled(0.02)
    model: Any = peer_torch.make_model(workload).eval()
    directions = ["_l0", "_l0_reverse"] if workload.text else ["_l0"]
    kinds = [("weight_ih", "weight_hh"), ("bias_ih", "bias_hh")]
    names = [part + direction for pair in kinds for direction in directions for part in pair]
    numbers = lambda tensor: tensor.detach().numpy()
    params: Any = {
        "weights": np.concatenate([numbers(getattr(model.lstm, part)).reshape(-1) for part in names]),
        "Dense_0": {"kernel": numbers(model.head.weight).T, "bias": numbers(model.head.bias)},
    }
    if workload.text:
        params["Embed_0"] = {"embedding": numbers(model.embedding.weight)}
    x, _ = workload.host_batches(workload.dataset())[0]
    ours = peer_cudnn.Model(workload)
    initial = jax.eval_shape(lambda x: ours.init(jax.random.key(0), x, False), x)["params"]
    assert jax.tree.map(np.shape, params) == jax.tree.map(lambda leaf: leaf.shape, initial)
    inputs = torch.from_numpy(x).long() if workload.text else torch.from_numpy(x)
    with jax.numpy_rank_promotion("allow"):  # Linen's Dense
        outputs: Any = ours.apply({"params": params}, x, False)
    np.testing.assert_allclose(outputs, numbers(model(inputs)), rtol=1e-4, atol=1e-5)


def test_torchs_loop_without_dropout_is_its_own_gru(monkeypatch):
    torch = pytest.importorskip("torch")
    from seqjax.benchmark import peer_torch

    model = peer_torch.make_model(find("W2").scaled(0.02))
    x = torch.randn(8, 10, 14)
    monkeypatch.setattr(peer_torch.functional, "dropout", lambda x, *_: x)
    torch.testing.assert_close(model.train()(x), model.eval()(x))


def test_ours_takes_the_steps_it_is_asked_for():
    ours: Any = build("seqjax", find("W4").scaled(0.02), 1)
    assert ours.steps_at_once == 32
    ours.train(64)
    before = jax.device_get(ours.state.params)
    assert int(ours.state.step) == 64
    assert float(ours.state.sums["weight"]) == 64 * 8
    block = run_block(ours.infer, 96)
    assert block["steps"] == 96
    assert block["seconds"] > 0
    assert 50 < block["peak_memory_mb"] <= round(peak_memory_mb(), 1)
    jax.tree.map(np.testing.assert_array_equal, before, jax.device_get(ours.state.params))
    ids = np.concatenate([stack.ids for stack in ours.program.stacks])
    assert (np.bincount(ids.reshape(-1)) == 32).all()  # every example equally often


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("implementation", ["seqjax", "flax", "torch"])
def test_every_implementation_runs_every_workload(implementation, name):
    pytest.importorskip(implementation)
    made = build(implementation, find(name).scaled(0.02), 1)
    made.infer(made.steps_at_once)
    made.train(made.steps_at_once)
