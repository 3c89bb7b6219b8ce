"""seqjax.interop: every kind of layer to and from Keras and PyTorch, files, and the refusals."""

import subprocess
import sys
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

keras = pytest.importorskip("keras")

import keras_lecture  # noqa: E402
from keras_lecture import allowed  # noqa: E402
from seqjax import experiment as experiments  # noqa: E402
from seqjax.errors import UserError  # noqa: E402
from seqjax.interop import (  # noqa: E402
    Adapter,
    from_keras,
    from_keras_file,
    from_torch,
    load_safetensors,
    save_safetensors,
    to_keras,
    to_torch,
)
from seqjax.interop import __main__ as command  # noqa: E402
from seqjax.interop.experiments import evaluate  # noqa: E402
from seqjax.layers.composite import Bidirectional, Stacked  # noqa: E402
from seqjax.layers.embeddings import Embedding  # noqa: E402
from seqjax.layers.recurrent import GRU, LSTM, SimpleRNN  # noqa: E402
from seqjax.models.classifiers import RecurrentClassifier  # noqa: E402

L = keras.layers
VECTORS = np.zeros((2, 6, 3), np.float32)
IDS = np.zeros((2, 6), np.int32)
SEQUENCES: Any = {"return_sequences": True}
START = {"recurrent_initializer": "zeros"}  # overwritten in any case; Keras takes its time for an orthogonal matrix

KERAS = {
    "all kinds, stacked": (
        lambda: [
            L.SimpleRNN(4, **SEQUENCES, **START),
            L.LSTM(3, **SEQUENCES, **START),
            L.GRU(4, **SEQUENCES, **START),
            L.GRU(4, **SEQUENCES, **START, reset_after=False),
        ],
        Stacked([SimpleRNN(4), LSTM(3), GRU(4), GRU(4, reset_after=False, **SEQUENCES)]),
        VECTORS,
    ),
    "from the end": (lambda: [L.LSTM(4, **START, go_backwards=True)], LSTM(4, reverse=True), VECTORS),
    "bidirectional": (
        lambda: [L.Bidirectional(L.GRU(4, **START), merge_mode="sum")],
        Bidirectional(GRU(4), merge="sum"),
        VECTORS,
    ),
    "stacked cells": (
        lambda: [L.RNN([L.LSTMCell(4, **START), L.GRUCell(3, **START)], **SEQUENCES)],
        Stacked([LSTM(4), GRU(3, **SEQUENCES)]),
        VECTORS,
    ),
    "dense": (lambda: [L.TimeDistributed(L.Dense(4))], nn.Dense(4), VECTORS),
    "convolution": (lambda: [L.Conv1D(4, 3, padding="same")], nn.Conv(4, (3,)), VECTORS),
    "embedding": (lambda: [L.Embedding(9, 4)], Embedding(9, 4), IDS),
}


def keras_model(make, example):
    """With random weights everywhere, biases too."""
    with allowed():
        model = keras.Sequential([keras.Input(example.shape[1:], dtype=str(example.dtype)), *make()])
        rng = np.random.default_rng(0)
        model.set_weights([rng.normal(size=w.shape, scale=0.5).astype(w.dtype) for w in model.get_weights()])
    return model


def same_trees(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("kind", KERAS)
def test_keras_round_trip(kind):
    make, module, example = KERAS[kind]
    model = keras_model(make, example)
    params, difference = from_keras(model, module, example)
    assert difference < 3e-6
    with allowed():
        weights = model.get_weights()
        model.set_weights([np.zeros_like(weight) for weight in weights])
    assert to_keras(params, module, model, example) < 3e-6
    with allowed():
        same_trees(model.get_weights(), weights)
    assert jax.tree.structure(params) == jax.tree.structure(
        jax.eval_shape(module.init, jax.random.key(0), example)["params"]
    )


def torch_pairs():
    from torch import nn as tnn

    return {
        "simple_rnn": (tnn.RNN(3, 4, batch_first=True), SimpleRNN(4, **SEQUENCES), VECTORS, Adapter()),
        "lstm, final state too": (
            tnn.LSTM(3, 4, batch_first=True),
            LSTM(4, return_state=True, **SEQUENCES),
            VECTORS,
            Adapter(),
        ),
        "gru, time first": (
            tnn.GRU(3, 4),
            GRU(4, **SEQUENCES),
            VECTORS,
            Adapter(lambda x: x.swapaxes(0, 1), lambda y: y.swapaxes(0, 1)),
        ),
        "bidirectional, stacked": (
            tnn.GRU(3, 4, num_layers=2, bidirectional=True, batch_first=True),
            Stacked([Bidirectional(GRU(4)), Bidirectional(GRU(4, **SEQUENCES))]),
            VECTORS,
            Adapter(),
        ),
        "cell": (tnn.LSTMCell(3, 4), LSTM(4), VECTORS[:, :1], Adapter(lambda x: x[:, 0])),
        "dense": (tnn.Linear(3, 4), nn.Dense(4), VECTORS, Adapter()),
        "convolution": (
            tnn.Conv1d(3, 4, 3),
            nn.Conv(4, (3,), padding="VALID"),
            VECTORS,
            Adapter(lambda x: x.swapaxes(1, 2), lambda y: y.swapaxes(1, 2)),
        ),
        "embedding": (tnn.Embedding(9, 4), Embedding(9, 4), IDS, Adapter()),
    }


TORCH = (
    "simple_rnn",
    "lstm, final state too",
    "gru, time first",
    "bidirectional, stacked",
    "cell",
    "dense",
    "convolution",
    "embedding",
)


@pytest.mark.parametrize("kind", TORCH)
def test_torch_round_trip(kind):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    peer, module, example, adapter = torch_pairs()[kind]
    first = {name: value.clone() for name, value in peer.state_dict().items()}
    params, difference = from_torch(peer, module, example, adapter)
    assert difference < 3e-6
    scaled = jax.tree.map(lambda p: 1.5 * p + 0.01, params)
    assert to_torch(scaled, module, peer, example, adapter) < 3e-6
    same_trees(from_torch(peer, module, example, adapter).params, scaled)
    assert to_torch(params, module, peer, example, adapter) < 3e-6
    for name, value in peer.state_dict().items():
        if "bias" not in name or isinstance(peer, torch.nn.GRU | torch.nn.Linear | torch.nn.Conv1d):
            assert torch.equal(value, first[name]), name  # one bias of ours cannot keep their two apart


def torch_classifier(torch, units=4):
    class Classifier(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(20, 5)
            self.lstm = torch.nn.LSTM(5, units, bidirectional=True, batch_first=True)
            self.dropout = torch.nn.Dropout(0.5)
            self.last = torch.nn.Linear(2 * units, 1)

        def forward(self, ids):
            _, (h, _) = self.lstm(self.embedding(ids))
            return torch.sigmoid(self.last(self.dropout(torch.cat([h[0], h[1]], dim=1))))

    return Classifier()


def test_a_whole_torch_model_keeps_its_mode():
    torch = pytest.importorskip("torch")
    model = torch_classifier(torch)
    assert model.training  # dropout must rest while it is compared
    module = RecurrentClassifier(20, 5, Bidirectional(LSTM(4)), dropout=0.5)
    params, difference = from_torch(model, module, IDS, Adapter(outputs=jax.nn.sigmoid))
    assert difference < 1e-6
    assert model.training
    np.testing.assert_array_equal(params["Dense_0"]["kernel"], model.last.weight.detach().numpy().T)


def test_what_does_not_compute_the_same_is_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(UserError, match=r"the outputs of the module and of the PyTorch module differ by .*activation"):
        from_torch(torch.nn.RNN(3, 4, batch_first=True), SimpleRNN(4, True, activation="sigmoid"), VECTORS)
    broken = torch.nn.Linear(3, 4)
    torch.nn.init.constant_(broken.bias, float("nan"))
    with pytest.raises(UserError, match="differ by nan"):
        from_torch(broken, nn.Dense(4), VECTORS)
    with pytest.raises(UserError, match=r"output of shape \(2, 4\), but the PyTorch module \(2, 6, 4\)"):
        from_torch(torch.nn.LSTM(3, 4, batch_first=True), LSTM(4), VECTORS)


def test_padding_that_only_one_side_masks_is_found():
    """Weights of a masked Keras model fit the unmasked module: only the outputs tell."""
    embedding, lstm = L.Embedding(20, 5, mask_zero=True), L.Bidirectional(L.LSTM(4, **START))
    model = keras_model(lambda: [embedding, lstm, L.Dense(1)], IDS)
    padded = np.array([[3, 4, 5, 0, 0, 0], [1, 0, 0, 0, 0, 0]], np.int32)
    with pytest.raises(UserError, match="mask"):
        from_keras(model, RecurrentClassifier(20, 5, Bidirectional(LSTM(4)), 0.0), padded)
    masked = RecurrentClassifier(20, 5, Bidirectional(LSTM(4)), 0.0, mask_padding=True)
    assert from_keras(model, masked, padded).difference < 1e-6


def test_structures_that_differ_are_named():
    torch = pytest.importorskip("torch")
    t = torch.nn
    for peer, module, message in (
        (t.LSTM(3, 5), LSTM(4), r"layer LSTM/l0 .* has kernel \[3, 20\], but layer cell of the module has \[3, 16\]"),
        (
            t.GRU(3, 4),
            GRU(4, reset_after=False),
            r"bias \[2, 12\], but layer cell .* \[12\]; a GRU has two rows of bias",
        ),
        (t.GRU(3, 4), LSTM(4), r"kernel \[3, 12\], but .* \[3, 16\]"),
        (t.GRU(3, 4), LSTM(3, peephole="full"), r"recurrent_kernel \[4, 12\], but"),
        (t.LSTM(3, 4), LSTM(4, peephole="full"), r"has no peephole_kernel, but layer cell .* has \[4, 4\]"),
        (t.LSTM(3, 4, num_layers=2), LSTM(4), r"layer LSTM/l1 .*kernel \[4, 16\].* is one too many"),
        (t.LSTM(3, 4), Bidirectional(LSTM(4)), r"layer backward/cell .*kernel \[3, 16\].* has no counterpart"),
        (t.Linear(3, 4), nn.Dense(4, use_bias=False), r"has bias \[4\], but .* has none"),
        (t.LayerNorm(3), nn.Dense(4), "a LayerNorm with weight, bias, is not known here"),
        (t.LSTM(3, 4, proj_size=2), LSTM(4), "proj_size=2; only 0"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            from_torch(peer, module, VECTORS, Adapter(outputs=lambda y: y))
        assert "\n" not in str(caught.value)


def test_structures_that_differ_from_keras_are_named():
    model = keras_model(lambda: [L.Dense(4), L.BatchNormalization()], VECTORS)
    with pytest.raises(UserError, match=r"layer batch_norm.* of the Keras model \(gamma \[4\].* is one too many"):
        from_keras(model, nn.Dense(4), VECTORS)
    with pytest.raises(UserError, match=r"has kernel \[3, 4\], but layer \(the module itself\) .* has \[3, 5\]"):
        from_keras(model, nn.Dense(5), VECTORS)

    class Composite(L.Layer):
        def build(self, shape):
            self.first, self.second = L.Dense(3), L.Dense(3)
            self.first.build(shape)
            self.second.build(shape)

        def call(self, x):
            return self.second(self.first(x))

    with pytest.raises(UserError, match="a Composite, is made of layers not known here"):
        from_keras(keras_model(lambda: [Composite()], VECTORS), nn.Dense(3), VECTORS)


def test_a_missing_bias_is_zero_and_nothing_else():
    torch = pytest.importorskip("torch")
    peer = torch.nn.LSTM(3, 4, bias=False, batch_first=True)
    module = LSTM(4, return_sequences=True)
    params = from_torch(peer, module, VECTORS).params
    np.testing.assert_array_equal(params["cell"]["bias"], np.zeros(16))
    assert to_torch(params, module, peer, VECTORS) < 1e-6
    before = peer.weight_ih_l0.clone()
    changed = jax.tree.map(lambda p: p + 1, params)
    with pytest.raises(UserError, match=r"layer cell of the module has a bias that is not zero, but layer LSTM/l0"):
        to_torch(changed, module, peer, VECTORS)
    assert torch.equal(before, peer.weight_ih_l0)


def test_parameters_of_another_module_are_not_exported():
    torch = pytest.importorskip("torch")
    params = nn.Dense(4).init(jax.random.key(0), VECTORS)["params"]
    peer = torch.nn.Linear(3, 4)
    with pytest.raises(UserError, match="params lacks kernel; it has params/"):
        to_torch({"params": params}, nn.Dense(4), peer, VECTORS)
    with pytest.raises(UserError, match=r"kernel of params is \[3, 4\], but \[3, 5\] is wanted"):
        to_torch(params, nn.Dense(5), peer, VECTORS)
    with pytest.raises(UserError, match="params has extra, which is not wanted"):
        to_torch({**params, "extra": jnp.ones(1)}, nn.Dense(4), peer, VECTORS)


def test_safetensors_keep_values_types_and_layout(tmp_path):
    params = {
        "layer": {"kernel": np.arange(6, dtype=np.float64).reshape(2, 3).T, "bias": jnp.arange(3, dtype=jnp.bfloat16)},
        "scale": jnp.float32(2.5),
        "ids": np.array([7], np.int32),
    }
    save_safetensors(params, tmp_path / "a.safetensors")
    for read in (
        load_safetensors(tmp_path / "a.safetensors"),
        load_safetensors(tmp_path / "a.safetensors", like=params),
    ):
        same_trees(read, params)
        assert jax.tree.map(lambda a: a.dtype, read) == jax.tree.map(lambda a: a.dtype, params)
        assert jax.tree.map(np.shape, read) == jax.tree.map(np.shape, params)


def test_safetensors_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    save_safetensors({"layer": {"kernel": np.ones((2, 3), np.float32)}}, path)
    for like, message in (
        ({"layer": {"kernel": np.ones((3, 2), np.float32)}}, r"layer/kernel of .* is \[2, 3\], but \[3, 2\] is wanted"),
        ({"layer": {"kernel": np.ones((2, 3), np.float16)}}, "layer/kernel of .* is float32, but float16 is wanted"),
        ({"dense": {"kernel": np.ones((2, 3), np.float32)}}, "lacks dense/kernel; it has layer/kernel"),
        ({}, "has layer/kernel, which is not wanted"),
    ):
        with pytest.raises(UserError, match=message):
            load_safetensors(path, like=like)
    path.write_bytes(path.read_bytes()[:-5])
    for damaged in (path, tmp_path / "none.safetensors"):
        with pytest.raises(UserError, match=f"{damaged.name} cannot be read as safetensors"):
            load_safetensors(damaged)
    with pytest.raises(UserError, match="cannot be written"):
        save_safetensors({"a": np.ones(1)}, tmp_path / "no" / "folder.safetensors")


def saved(name, folder):
    """A trained-looking lecture model in a file; -> (path, pair)."""
    pair = keras_lecture.pair(name)
    rng = np.random.default_rng(0)
    with allowed():
        pair.keras_model.set_weights([w + rng.normal(size=w.shape, scale=0.3) for w in pair.keras_model.get_weights()])
        pair.keras_model.save(folder / f"{name}.keras")
    return folder / f"{name}.keras", pair


@pytest.mark.parametrize("name", keras_lecture.QUICK)
def test_an_imported_file_evaluates_as_in_keras(name, tmp_path):
    path, pair = saved(name, tmp_path)
    params, difference = from_keras_file(path, pair.experiment)
    assert difference < 1e-5
    ours = evaluate(params, pair.experiment, pair.dataset)
    with allowed():
        targets = pair.dataset.arrays["targets"]
        theirs = pair.keras_model.evaluate(pair.keras_inputs, targets, batch_size=64, verbose=0, return_dict=True)
    assert ours.keys() == theirs.keys()
    for metric, value in theirs.items():
        np.testing.assert_allclose(ours[metric], value, rtol=1e-5, err_msg=metric)


def run_command(capsys, monkeypatch, *arguments):
    for name in command.FLAGS:
        command.FLAGS[name].unparse()
    monkeypatch.setattr(sys, "argv", ["seqjax.interop", *map(str, arguments)])
    command.run()
    return capsys.readouterr()


def test_the_command_writes_and_tests(tmp_path, capsys, monkeypatch):
    """At the lecture's own sizes, as `jena_dense` of 26,913 parameters has them."""
    with allowed():
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((120, 14)), L.Flatten(), L.Dense(16, "relu"), L.Dense(1)])
        model.save(tmp_path / "jena_dense.keras")
        weights = model.get_weights()
    output = tmp_path / "o.safetensors"
    arguments = (tmp_path / "jena_dense.keras", "--experiment=jena_dense", f"--output={output}", "--data=sample")
    said = run_command(capsys, monkeypatch, *arguments).out
    assert "26,913 parameters" in said
    assert "jena_dense: test loss" in said
    written = load_safetensors(output)
    np.testing.assert_array_equal(written["Dense_0"]["kernel"], weights[0])

    experiment = experiments.load(experiments.find("jena_dense"))()
    dataset = experiment.source.load("sample", tmp_path)
    assert f"mae {evaluate(written, experiment, dataset)['mae']:.4f}" in said
    other = experiments.load(experiments.find("jena_dense"))(sequence_length=60)
    with pytest.raises(UserError, match=r"Dense_0/kernel of the imported model is \[1680, 16\], but \[840, 16\]"):
        evaluate(written, other, other.source.load("sample", tmp_path))


def test_the_command_refuses_in_one_line(tmp_path, capsys, monkeypatch):
    (tmp_path / "bad.keras").write_bytes(b"no zip")
    (tmp_path / "model.h5").write_bytes(b"")
    bad, out = tmp_path / "bad.keras", "--output=x"
    for arguments, message in (
        ([], "give one MODEL.keras, not 0"),
        (["a.keras"], "--experiment=NAME is missing; choices: "),
        (["a.keras", "--experiment=jena_lstm"], "nothing to do: give --output"),
        (["a.keras", "--experiment=jena_lstn", out], "did you mean 'jena_lstm'?"),
        (["a.keras", "--experiment=jena_lstm", out, "--set=unit=3"], "no knob 'unit'"),
        (["a.keras", "--experiment=jena_lstm", out], "a.keras does not exist"),
        ([tmp_path / "model.h5", "--experiment=jena_lstm", out], "model.h5 is not a .keras file"),
        ([bad, "--experiment=jena_lstm", out], "bad.keras cannot be read by Keras"),
        (["a.keras", "--ouput=x"], "Did you mean: output ?"),
    ):
        with pytest.raises(SystemExit, match="2"):
            run_command(capsys, monkeypatch, *arguments)
        said = capsys.readouterr().err
        assert message in said
        assert said.startswith("seqjax: ")
        assert said.count("\n") == 1


def test_a_file_of_another_experiment_is_refused(tmp_path):
    path, pair = saved("imdb_unigram", tmp_path)
    load = lambda name, **knobs: experiments.load(experiments.find(name))(**knobs)
    with pytest.raises(UserError, match=r"has kernel \[50, 4\], but .* has \[50, 5\]"):
        from_keras_file(path, load("imdb_unigram", vocabulary_size=50, units=5))
    with pytest.raises(UserError, match=r"inputs of shape \(None, 50\), but the experiment's are \[B, T, D\]"):
        from_keras_file(path, load("jena_lstm"))
    assert from_keras_file(path, pair.experiment).difference < 1e-5


def test_the_libraries_are_imported_late():
    code = (
        "import sys, seqjax.interop; print(sorted({'keras', 'torch', 'tensorflow', 'safetensors'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
