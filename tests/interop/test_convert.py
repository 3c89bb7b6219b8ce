"""seqjax.interop: every kind of layer to and from Keras and PyTorch."""

from typing import Any

import flax.linen as nn
import jax
import numpy as np
import pytest

keras = pytest.importorskip("keras")
from interop_pairs import IDS, START, VECTORS, L, keras_model, same_trees  # noqa: E402
from keras_lecture import allowed  # noqa: E402
from seqjax.interop import (  # noqa: E402
    Adapter,
    from_keras,
    from_torch,
    to_keras,
    to_torch,
)
from seqjax.layers.composite import Bidirectional, Stacked  # noqa: E402
from seqjax.layers.embeddings import Embedding  # noqa: E402
from seqjax.layers.recurrent import GRU, LSTM, SimpleRNN  # noqa: E402
from seqjax.models.classifiers import RecurrentClassifier  # noqa: E402

SEQUENCES: Any = {"return_sequences": True}
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


ONE_BY_ONE = ("from the end", "bidirectional", "stacked cells")
"""Their parts stand among all kinds, or among the rows of the lecture."""


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow) if kind in ONE_BY_ONE else kind for kind in KERAS]
)
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
