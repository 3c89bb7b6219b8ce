"""The layers against NumPy and Flax, from the same weights: outputs, states and gradients."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import recurrent_reference as reference
from recurrent_cases import (
    FORWARD,
    KINDS,
    NEVER_EMPTY,
    _double_precision,
    all_close,
    cases,
    check_flax,
    close,
    directions,
    drops,
    each_kind,
    each_way,
    gates,
    ours,
    problem,
    real,
    weights,
    wide,
)
from seqjax.layers.composite import Bidirectional

__all__ = ["_double_precision"]


@each_kind
@each_way
def test_numpy(kind, case):
    check_numpy(kind, case)


def check_numpy(kind, case):
    """Any mask, recurrent dropout masks tied or not; gradients by central differences."""
    rng = np.random.default_rng(case.seed)
    mask = case.mask & (rng.random(case.mask.shape) < 0.7)
    drop = drops(kind, case, gates(kind) if case.dropped else 1)
    parameters, (inputs, state, projections) = weights(kind, case), problem(kind, case)

    def expected(parameters, inputs, state):
        y, final = reference.run(kind.split()[0], parameters, inputs, mask, state, drop, case.reverse)
        return [y, *final]

    def loss(*arguments):
        return sum((p * r).sum() for p, r in zip(projections, real(expected(*arguments), mask), strict=True))

    arguments = (parameters, inputs, state)
    results, gradients = ours(kind, case, mask, drop)
    all_close(results, expected(*arguments))
    direction = jax.tree.map(lambda a: rng.normal(size=a.shape), arguments)
    nudged = lambda e: jax.tree.map(lambda a, d: a + e * d, arguments, direction)
    slope = (loss(*nudged(1e-5)) - loss(*nudged(-1e-5))) / 2e-5
    along = jax.tree.map(lambda g, d: float((np.asarray(g) * d).sum()), gradients, direction)
    assert sum(jax.tree.leaves(along)) == pytest.approx(slope, rel=1e-6, abs=1e-6)


@each_kind
def test_bidirectional_numpy(kind):
    """The last outputs of both directions; a row of length 0 stays at the initial state."""
    pair = [weights(kind, FORWARD, seed) for seed in (0, 1)]
    inputs, mask = problem(kind, FORWARD)[0], FORWARD.mask
    make, fields = KINDS[kind]
    model = Bidirectional(make(FORWARD.units, param_dtype=jnp.float64, **fields))
    y = jax.jit(model.apply)({"params": directions(pair)}, inputs, mask)
    last = [
        reference.run(kind.split()[0], p, inputs, mask, reverse=reverse)[1][0]
        for p, reverse in zip(pair, (False, True), strict=True)
    ]
    close(y, np.concatenate(last, axis=1))
    assert float(jnp.abs(y[1]).max()) == 0


@pytest.mark.parametrize(("kind", "reverse"), [("SimpleRNN", True), ("LSTM", False), ("LSTM", True), ("GRU", True)])
def test_flax(kind, reverse):
    check_flax(kind, dataclasses.replace(NEVER_EMPTY, reverse=reverse))


@pytest.mark.slow
@each_kind
@wide
@given(case=cases(0))
def test_numpy_widely(kind, case):
    check_numpy(kind, case)
