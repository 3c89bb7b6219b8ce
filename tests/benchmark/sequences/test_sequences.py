"""W7 to W9: the same logits of two batches in a row, and the same loss, in every library from the same weights."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recurrent_cases import flax_parameters
from seqjax.benchmark.sequences.data import host_batches
from seqjax.benchmark.worker import build
from seqjax.benchmark.workloads import SEQUENCES, find
from seqjax.training.state import count_parameters
from sequence_peers import as_peers, cells, ours, torch_weights

NAMES = ["W7", "W8", "W9"]
close = lambda *arrays: np.testing.assert_allclose(*arrays, rtol=2e-4, atol=2e-5)


def check_logits(targets, found, expected):
    """Of real tokens."""
    real = targets != 0
    close(np.asarray(found)[real], np.asarray(expected)[real])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_flax_computes_what_ours_does(name):
    workload, params, batches = ours(name)
    params = as_peers(params)
    peer: Any = build("flax", workload, 1)
    kind, cell = ("GRU", "GRUCell") if name == "W8" else ("LSTM", "OptimizedLSTMCell")
    tree = {f"{cell}_{k}": flax_parameters(kind, weights) for k, weights in enumerate(cells(params))}
    if name == "W8":
        tree |= {part: params[part] for part in ("bridge", "readout", "output")}
        tree |= params["attend"] | {part: params[f"{part}_embedding"] for part in ("source", "target")}
    else:
        tree["Dense_0"] = params["Dense_0"]
        tree |= {"Embed_0": params["Embedding_0"]} if name == "W9" else {}
    assert jax.tree.map(np.shape, {"params": tree}) == jax.tree.map(np.shape, peer.state[0])
    carry, given = jax.tree.map(jnp.copy, (peer.carry, {"params": tree}))  # what is given is used up
    with jax.numpy_rank_promotion("allow"):  # Linen's Dense
        for inputs, targets, logits, _ in batches:
            found, carry = peer.apply(given, inputs, carry)
            check_logits(targets, found, logits)
        *_, loss = peer.step((given, peer.state[1]), peer.carry, *batches[0][:2])
    close(float(loss), batches[0][3])


@pytest.mark.parametrize("name", NAMES)
def test_torch_computes_what_ours_does(name):
    pytest.importorskip("torch")
    workload, params, batches = ours(name)
    peer: Any = build("torch", workload, 1)
    torch_weights(name, params, peer.model)
    for (inputs, targets, logits, nats), batch in zip(batches, peer.batches, strict=False):
        order = np.arange(workload.batch)
        if name == "W9":
            order = np.argsort(-(inputs != 0).sum(axis=1), kind="stable")
        states = dict(getattr(peer.model, "states", {}))
        check_logits(targets[order], peer.model(*batch[0]).detach().numpy(), np.asarray(logits)[order])
        if name == "W7":
            peer.model.states = states
        close(float(peer.objective(*batch).detach()), nats)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_keras_computes_what_ours_does(name):
    pytest.importorskip("keras")
    from seqjax.benchmark.sequences.peer_keras import Keras

    workload, params, batches = ours(name)
    params = as_peers(params)
    with jax.numpy_rank_promotion("allow"):  # Keras relies on it
        peer = Keras(workload, workload.dataset(), 1)
        parts = ("kernel", "recurrent_kernel", "bias")
        recurrent = [[weights[part] for part in parts] for weights in cells(params)]
        if name == "W8":
            both = ("kernel", "bias")
            bridge, readout, output = (
                [params[part][name] for name in both] for part in ("bridge", "readout", "output")
            )
            named = {"embedding": [[params[f"{part}_embedding"]["embedding"]] for part in ("source", "target")]}
            named |= {"bidirectional": [recurrent[0] + recurrent[1]], "gru": [recurrent[2]]}
            attend = params["attend"]
            dense = [[attend["query"]["kernel"]], [attend["key"]["kernel"]]]
            dense = [bridge, *dense, readout, output]
            named |= {"additive_attention": [[attend["v"]]], "dense": dense}
        else:
            named = {"dense": [[params["Dense_0"]["kernel"], params["Dense_0"]["bias"]]]}
            named |= {"lstm": recurrent} if name == "W7" else {"bidirectional": [recurrent[0] + recurrent[1]]}
            named |= {"embedding": [[params["Embedding_0"]["embedding"]]]} if name == "W9" else {}
        layers = [layer for layer in peer.model.layers if layer.weights]
        for kind, weights in named.items():
            chosen = [layer for layer in layers if type(layer).__name__.lower() == kind.replace("_", "")]
            chosen.sort(key=lambda layer: [int(digits) for digits in layer.name.split("_") if digits.isdigit()])
            for layer, arrays in zip(chosen, weights, strict=True):
                layer.set_weights([np.asarray(array) for array in arrays])
        for (_, targets, logits, _), batch in zip(batches, peer.batches, strict=False):
            check_logits(targets, peer.model(batch[0]), logits)  # JAX's predict_on_batch drops the state
        if name != "W7":  # its state has gone on
            close(float(peer.model.test_on_batch(*peer.batches[0])), batches[0][3])


def test_rows_of_characters_go_on_where_those_before_ended():
    workload = find("W7").scaled(0.02)
    (first, targets), (second, _) = host_batches(workload, workload.dataset())[:2]
    np.testing.assert_array_equal(targets[:, :-1], first[0][:, 1:])
    np.testing.assert_array_equal(targets[:, -1], second[0][:, 0])


def test_requests_are_as_long_as_those_of_atis_and_batches_of_like_length():
    workload = find("W9")
    batches = host_batches(workload, workload.dataset())
    words = np.concatenate([(words != 0).sum(axis=1) for words, _ in batches])
    assert 10.7 < words.mean() < 11.5  # ATIS: 11.3
    assert 3.9 < words.std() < 4.7  # 4.4
    assert {words.shape[1] for words, _ in batches} == {8, 16, 46}  # as ATIS grouped
    for words, tags in batches:
        np.testing.assert_array_equal(words != 0, tags != 0)


def test_the_real_sizes_are_those_that_were_asked_for():
    from seqjax.benchmark.sequences.ours import model

    counted = {}
    for name in NAMES:
        workload = find(name)
        inputs, _ = host_batches(workload, workload.dataset())[0]
        variables = jax.eval_shape(model(workload).init, jax.random.key(0), inputs)
        counted[name] = count_parameters(variables["params"])
    lstm = lambda features, units: 4 * units * (features + units + 1)
    gru = lambda features, units: 3 * units * (features + units + 2)
    assert counted["W7"] == lstm(66, 512) + 513 * 66
    assert counted["W9"] == 1000 * 128 + 2 * lstm(128, 128) + 257 * 128
    decoder = gru(256, 256) + 513 * 256 + (256 + 512 + 1) * 256 + (1024 + 1) * 256 + 257 * 8000
    assert counted["W8"] == 2 * 8000 * 256 + 2 * gru(256, 256) + decoder
    assert [workload.batch for workload in SEQUENCES.values()] == [64, 64, 32, 1, 64]
