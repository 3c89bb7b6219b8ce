"""The layers against PyTorch (packed sequences for lengths), from the same weights: outputs, states and gradients."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

from recurrent_cases import (
    FLAX,
    KINDS,
    NEVER_EMPTY,
    _double_precision,
    all_close,
    as_list,
    cases,
    check_flax,
    directions,
    ours,
    problem,
    real,
    weights,
    wide,
    with_gradients,
)
from seqjax.layers.composite import Bidirectional

__all__ = ["_double_precision"]


def swap_z_and_r(array):
    """PyTorch's GRU has the order r, z, n; ours is z, r, h. On the last axis, there or back."""
    first, second, third = np.split(np.asarray(array), 3, axis=-1)
    return np.concatenate([second, first, third], axis=-1)


def torch_layer(torch, kind, case, directions):
    """A torch module in float64 with the weights of 1 or 2 directions."""
    module = {"SimpleRNN": torch.nn.RNN, "LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}[kind]
    layer = module(case.features, case.units, batch_first=True, bidirectional=len(directions) == 2).double()
    order = swap_z_and_r if kind == "GRU" else np.asarray
    for suffix, p in zip(("", "_reverse"), directions, strict=False):
        bias = np.atleast_2d(p["bias"])
        values = {
            "weight_ih": order(p["kernel"]).T,
            "weight_hh": order(p["recurrent_kernel"]).T,
            "bias_ih": order(bias[0]),
            "bias_hh": order(bias[1]) if len(bias) == 2 else np.zeros_like(bias[0]),
        }
        for name, value in values.items():
            getattr(layer, f"{name}_l0{suffix}").data = torch.tensor(np.ascontiguousarray(value))
    return layer


def torch_gradients(layer, kind, suffix):
    """The gradients of one direction, under our names and in our layout."""
    order = swap_z_and_r if kind == "GRU" else np.asarray
    get = lambda name: getattr(layer, f"{name}_l0{suffix}").grad.numpy()
    bias = order(get("bias_ih"))
    if kind == "GRU":
        bias = np.stack([bias, order(get("bias_hh"))])
    return {"kernel": order(get("weight_ih").T), "recurrent_kernel": order(get("weight_hh").T), "bias": bias}


def torch_run(torch, layer, case, inputs, state):
    """Packed sequences: -> (outputs, states, leaves) of a torch layer; padded outputs are zero."""
    x = torch.tensor(inputs, requires_grad=True)
    initial = [torch.tensor(s, requires_grad=True) for s in state]
    pack, unpack = torch.nn.utils.rnn.pack_padded_sequence, torch.nn.utils.rnn.pad_packed_sequence
    packed = pack(x, torch.tensor(case.lengths), batch_first=True, enforce_sorted=False)
    y, final = layer(packed, tuple(initial) if len(initial) > 1 else initial[0])
    y, _ = unpack(y, batch_first=True, total_length=case.time)
    return y, as_list(final), x, initial


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_torch(kind):
    check_torch(kind, NEVER_EMPTY)


def check_torch(kind, case):
    """PyTorch on packed sequences, which it knows forwards only."""
    torch = pytest.importorskip("torch")
    case = dataclasses.replace(case, reverse=False)
    parameters, (inputs, state, projections) = weights(kind, case), problem(kind, case)
    layer = torch_layer(torch, kind, case, [parameters])
    y, final, x, initial = torch_run(torch, layer, case, inputs, [s[None] for s in state])
    expected = [y, *(f[0] for f in final)]
    sum((torch.tensor(p) * r).sum() for p, r in zip(projections, expected, strict=True)).backward()
    results, gradients = ours(kind, case, case.mask)
    all_close(real(results, case.mask), [e.detach().numpy() for e in expected])
    states = [i.grad.numpy()[0] for i in initial]
    all_close(gradients, (torch_gradients(layer, kind, ""), x.grad.numpy(), states))


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_torch_bidirectional(kind):
    check_torch_bidirectional(kind, NEVER_EMPTY)


def check_torch_bidirectional(kind, case):
    """Both directions over packed sequences (lengths of 0 are held against NumPy below)."""
    torch = pytest.importorskip("torch")
    pair = [weights(kind, case, seed) for seed in (0, 1)]
    inputs, state, _ = problem(kind, case)
    layer = torch_layer(torch, kind, case, pair)
    y, _, x, _ = torch_run(torch, layer, case, inputs, [np.zeros((2, *s.shape)) for s in state])
    projection = np.random.default_rng(case.seed).normal(size=y.shape)
    (torch.tensor(projection) * y).sum().backward()
    model = Bidirectional(KINDS[kind][0](case.units, return_sequences=True, param_dtype=jnp.float64))
    run = lambda params, inputs: [model.apply({"params": params}, inputs, jnp.asarray(case.mask))]
    results, (params, dx) = with_gradients(run, case.mask, [projection], directions(pair), inputs)
    all_close(real(results, case.mask), [y.detach().numpy()])
    expected = directions([torch_gradients(layer, kind, suffix) for suffix in ("", "_reverse")])
    all_close((params, dx), (expected, x.grad.numpy()))


@pytest.mark.slow
@pytest.mark.parametrize("kind", FLAX)
@pytest.mark.parametrize("check", [check_torch, check_flax])
@wide
@given(case=cases(1))
def test_torch_and_flax_widely(check, kind, case):
    check(kind, case)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@wide
@given(case=cases(1))
def test_torch_bidirectional_widely(kind, case):
    check_torch_bidirectional(kind, case)
