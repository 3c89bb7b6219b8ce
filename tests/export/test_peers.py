"""Keras and PyTorch: the same predictions from their own files; what they lack is refused by name."""

import json
import runpy

import jax
import numpy as np
import pytest

from export_rows import small
from seqjax.errors import UserError
from seqjax.export import peers, preprocessing

KERAS = (
    "jena_lstm",
    "jena_dense",
    "jena_stacked_gru",
    "jena_bilstm",
    "imdb_unigram",
    "imdb_bilstm",
    "imdb_bilstm_masked",
)
TORCH = (*KERAS, "jena_simple_rnn", "jena_lstm_reversed", "sms_spam", "adding", "atis_bilstm")


def random_inputs(name, inputs):
    rng = np.random.default_rng(1)
    if np.issubdtype(inputs.dtype, np.floating):
        return rng.normal(size=inputs.shape).astype(np.float32)
    ids = np.stack([rng.permutation(np.arange(1, 49))[: inputs.shape[1]] for _ in inputs]).astype(np.int32)
    padding = 50 if name == "imdb_unigram" else 0
    ids[1, 4:], ids[2, 1:], ids[3] = padding, padding, padding
    return ids


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in KERAS])
def test_keras(name):
    pytest.importorskip("keras")
    from keras_lecture import allowed
    from seqjax.export import keras_file

    experiment, params, inputs = small(name)
    inputs = random_inputs(name, inputs)
    facts = peers.describe(experiment.model, params, inputs)
    ours = jax.jit(experiment.model.apply)({"params": params}, inputs)
    with allowed():
        _, run, difference = keras_file.write(experiment.model, params, facts, inputs)
        np.testing.assert_allclose(run(inputs), ours, atol=1e-5)
    assert difference < 1e-5


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in TORCH])
def test_torch(name, tmp_path):
    torch = pytest.importorskip("torch")
    safe = pytest.importorskip("safetensors.numpy")
    from seqjax.export import torch_module

    experiment, params, inputs = small(name)
    inputs = random_inputs(name, inputs)
    facts = peers.describe(experiment.model, params, inputs)
    weights, _, difference = torch_module.write(experiment.model, params, facts, inputs)
    assert difference < 1e-5
    (tmp_path / "model.py").write_text(preprocessing.script("torch"))
    (tmp_path / "model.json").write_text(json.dumps(facts))
    (tmp_path / "model.safetensors").write_bytes(safe.save(weights))
    model = runpy.run_path(str(tmp_path / "model.py"))["load"]()
    with torch.no_grad():
        theirs = model(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(theirs, jax.jit(experiment.model.apply)({"params": params}, inputs), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "knobs", "said"),
    [
        ("imdb_transformer", {}, "TransformerClassifier is not among"),
        ("imdb_onehot_bilstm", {}, "a model that reads one-hot vectors"),
        ("imdb_bigram_tfidf", {}, "counts or TF-IDF"),
        ("trec_bilstm", {}, "with filters"),
        ("jena_recurrent", {"cell": "lru"}, "LRU"),
        ("jena_recurrent", {"layer_norm": True}, "LSTM with layer_norm=True"),
        ("jena_recurrent", {"batch_norm": True}, "batch_norm"),
        ("jena_recurrent", {"activation": "softsign"}, "LSTM with activation='softsign'"),
    ],
)
def test_what_they_lack_is_refused_by_name(name, knobs, said):
    experiment, params, inputs = small(name, **knobs)
    with pytest.raises(UserError, match=f"{said}.*choices: --to=onnx, --to=stablehlo"):
        peers.describe(experiment.model, params, inputs)


def test_what_keras_computes_otherwise_is_refused():
    from seqjax.export import keras_file

    experiment, params, inputs = small("atis_bilstm")
    with pytest.raises(UserError, match="Keras's Bidirectional gives zeros there; choices: --to=onnx, --to=torch"):
        keras_file.build(peers.describe(experiment.model, params, inputs))
