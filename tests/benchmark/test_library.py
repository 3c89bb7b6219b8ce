"""The layers of the benchmark alone, L32 to L512 and S1: the same numbers in every library, from the same weights."""

import dataclasses
import importlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmark_calls import call
from recurrent_cases import flax_parameters
from seqjax.benchmark import table
from seqjax.benchmark.worker import IMPLEMENTATIONS, build
from seqjax.benchmark.workloads import LIBRARY, STREAMS, WORKLOADS, find, named

__all__ = ["call"]

NAMES = ["L32", "L32-gru", "L32-bi", "L32-masked"]
close = lambda *arrays: np.testing.assert_allclose(*arrays, rtol=2e-4, atol=2e-6)


def tiny(name, **changed):
    return dataclasses.replace(find(name).scaled(0.02), features=5, units=7, **changed)


def directions(tree):
    """Of ours: the weights or gradients of one direction or of both."""
    return [tree["params"][name]["cell"] for name in ("forward", "backward") if name in tree["params"]] or [
        tree["params"]["cell"]
    ]


def shaken(params):
    """Biases are mostly zero at first."""
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: leaf + jnp.asarray(rng.normal(scale=0.1, size=leaf.shape), leaf.dtype), params)


def real(workload, lengths):
    """[B, T, 1]: only outputs of real steps are compared."""
    return (np.arange(workload.steps) < lengths[:, None])[:, :, None]


@pytest.mark.parametrize(("name", "members"), [*((name, 1) for name in NAMES), ("L32-masked", 2)])
def test_torch_computes_what_ours_does(name, members):
    pytest.importorskip("torch")
    from seqjax.interop.torch_modules import TorchModule

    workload = tiny(name, members=members)
    ours, theirs = build("seqjax", workload, 1), build("torch", workload, 1)  # type: Any, Any
    ours.params = shaken(ours.params)
    (loss, gradients), outputs = ours.step(ours.params, ours.batches[0]), ours.apply(ours.params, ours.batches[0])
    for m, layer in enumerate(theirs.layers):
        member = (lambda leaf, m=m: np.asarray(leaf)[m]) if members > 1 else np.asarray
        for made, weights in zip(TorchModule(layer).layers(), directions(ours.params), strict=True):
            made.write(jax.tree.map(member, weights))  # type: ignore[arg-type]
        lengths = member(workload.host_batches(workload.dataset())[0][1])
        order = np.argsort(-lengths, kind="stable")
        found = theirs.outputs(layer, *theirs.batches[0][m]).detach().numpy()
        close(found, (member(outputs) * real(workload, lengths))[order])
    theirs.train(1)
    for m, layer in enumerate(theirs.layers):
        for parameter in layer.parameters():
            parameter.data = parameter.grad
        for made, wanted in zip(TorchModule(layer).layers(), directions(gradients), strict=True):
            found = made.read()
            if workload.cell == "lstm":
                found["bias"] /= 2  # it is the sum of two alike
            for part, expected in wanted.items():
                close(found[part], np.asarray(expected)[m] if members > 1 else expected)
    assert float(loss) > 0


@pytest.mark.parametrize("name", NAMES)
def test_flax_computes_what_ours_does(name):
    workload = tiny(name)
    ours, theirs = build("seqjax", workload, 1), build("flax", workload, 1)  # type: Any, Any
    ours.params = shaken(ours.params)
    kind = {"lstm": "LSTM", "gru": "GRU"}[workload.cell]
    trees = [{"cell": flax_parameters(kind, weights)} for weights in directions(ours.params)]
    params = {"params": dict(zip(("forward_rnn", "backward_rnn"), trees, strict=True)) if workload.both else trees[0]}
    assert jax.tree.map(np.shape, params) == jax.tree.map(np.shape, theirs.params)
    _, lengths = workload.host_batches(workload.dataset())[0]
    mask = real(workload, lengths)
    batch = ours.batches[0]
    close(theirs.apply(params, batch) * mask, ours.apply(ours.params, batch) * mask)
    (loss, gradients), (expected, own) = theirs.step(params, batch), ours.step(ours.params, batch)
    close(loss, expected)
    squares = lambda tree: sum(float((leaf**2).sum()) for leaf in jax.tree.leaves(tree))
    if kind == "LSTM":  # the GRU's biases are fewer in Flax
        close(squares(gradients), squares(own))


def test_members_have_weights_and_batches_of_their_own():
    ours: Any = build("seqjax", tiny("L32", members=3), 1)
    alone: Any = build("seqjax", tiny("L32"), 1)
    loss, gradients = ours.step(ours.params, ours.batches[1])
    losses = []
    for m in range(3):
        member = jax.tree.map(lambda leaf, m=m: leaf[m], (ours.params, ours.batches[1]))
        one, gradient = alone.step(*member)
        jax.tree.map(lambda leaf, each, m=m: close(leaf[m], each), gradients, gradient)
        losses.append(one)
    close(loss, sum(losses))
    assert len({float(each) for each in losses}) == 3


def whole(workload, weights):
    """The state of our layer after the whole stream, by one call over all its steps."""
    from seqjax.layers import LSTM

    x = np.concatenate([x for x, _ in workload.host_batches(workload.dataset())], axis=1)
    layer = LSTM(workload.units, return_state=True, backend="scan")
    return layer.apply({"params": {"cell": weights}}, jnp.asarray(x))[1]  # type: ignore[index]


@pytest.mark.parametrize("name", ["seqjax", "torch", "flax", "onnxruntime", "keras-jax"])
def test_a_stream_ends_in_the_state_of_the_whole_sequence(name):
    for package in IMPLEMENTATIONS[name].packages:
        pytest.importorskip(package)
    workload = dataclasses.replace(find("S1"), batches=30)
    with jax.numpy_rank_promotion("allow" if name == "keras-jax" else "raise"):  # Keras relies on it
        stream: Any = build(name, workload, 1)
        stream.infer(30)
    if name == "seqjax":
        weights, state = stream.params["params"]["cell"], stream.state
    elif name == "torch":
        from seqjax.interop.torch_modules import TorchModule

        weights, state = TorchModule(stream.cell).layers()[0].read(), [part.numpy() for part in stream.state]
    elif name == "flax":
        cell, state = stream.params["params"], stream.state[::-1]
        joined = lambda letter, part: np.concatenate([cell[letter + gate][part] for gate in "ifgo"], axis=-1)
        weights = {"kernel": joined("i", "kernel"), "recurrent_kernel": joined("h", "kernel")}
        weights["bias"] = joined("h", "bias")
    elif name == "keras-jax":
        weights = dict(zip(("kernel", "recurrent_kernel", "bias"), map(np.asarray, stream.cell.weights), strict=True))
        state = stream.state
    else:
        made = importlib.import_module("seqjax.benchmark.peer_onnx").weights(workload)
        reordered = lambda gates: np.concatenate([np.split(gates, 4)[k] for k in (0, 2, 3, 1)]).T  # of i, o, f, c
        weights = {"kernel": reordered(made["W"][0]), "recurrent_kernel": reordered(made["R"][0])}
        weights["bias"] = sum(map(reordered, np.split(made["B"][0], 2)))
        state = [stream.state[part].numpy()[0] for part in ("h", "c")]
    for part, expected in zip(state, whole(workload, weights), strict=True):
        assert np.abs(expected).max() > 0.05
        close(np.asarray(part), expected)


def test_all_sizes_are_there_and_none_of_them_by_default(call):
    assert len(LIBRARY) == 20
    assert not set(WORKLOADS) & set(LIBRARY | STREAMS)
    assert named(["W1", "library", "L32-bi", "S1"]) == ["W1", *LIBRARY, "S1"]
    sizes = {name: (w.units, w.batch, w.steps, w.features) for name, w in LIBRARY.items() if "-" not in name}
    assert sizes == {
        "L32": (32, 64, 100, 32), "L64": (64, 64, 100, 64), "L128": (128, 64, 100, 64),
        "L256": (256, 64, 100, 128), "L512": (512, 64, 64, 256),
    }  # fmt: skip
    code, _, err = call("--workloads=S1", "--modes=train")
    assert (code, err) == (2, "seqjax: S1 has no mode 'train'; choices: infer\n")


@pytest.mark.slow
def test_microseconds_are_told_too(call):
    code, out, err = call("--workloads=S1", "--peers=", "--blocks=1", "--block_seconds=0")
    assert code == 0, err
    lines = [line.split() for line in out.splitlines()]
    assert lines[2][:2] == ["S1", "infer"]
    assert 0.001 < float(lines[2][2]) < 1
    assert out.splitlines()[4].startswith("peak memory of the whole process")
    assert lines[6][:2] == ["S1", "infer"]
    assert 50 < float(lines[6][2]) < 5000
    row = {"workload": "S1", "mode": "infer", "implementation": "seqjax", "tuned": False, "milliseconds": 0.0110382}
    assert table.comparison([row]).split()[-2] == "0.01104"
