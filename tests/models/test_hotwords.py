"""The detector of hotwords: causal, and the same from a stream in pieces of any length."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recurrent_reference import apply
from seqjax.layers.recurrent import GRU
from seqjax.models.hotwords import HotwordDetector

MODEL = HotwordDetector(GRU(8, return_sequences=True, return_state=True), 5, filters=(3, 4))
X = np.random.default_rng(0).normal(size=(2, 23, 12)).astype(np.float32)
FRESH = np.ones(2, bool)
PARAMS = jax.jit(MODEL.init)(jax.random.key(0), (X, FRESH))["params"]
WHOLE, STATE = apply(MODEL, {"params": PARAMS}, X, method="run")


@pytest.mark.parametrize("piece", [pytest.param(1, marks=pytest.mark.slow), 7, 22])
def test_pieces_with_the_state_handed_on_are_the_whole(piece):
    state, found = None, []
    for k in range(0, X.shape[1], piece):
        some, state = apply(MODEL, {"params": PARAMS}, X[:, k : k + piece], state, method="run")
        found.append(some)
    np.testing.assert_allclose(np.concatenate(found, axis=1), WHOLE, atol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), state, STATE)


def test_an_answer_depends_on_what_was_heard_before_it_alone():
    changed = X.copy()
    changed[:, 10] += 1
    other, _ = apply(MODEL, {"params": PARAMS}, changed, method="run")
    np.testing.assert_array_equal(other[:, :10], WHOLE[:, :10])
    assert np.abs(other[:, 10] - WHOLE[:, 10]).min() > 0


def test_the_carry_goes_on_and_where_a_row_is_fresh_it_begins_anew():
    variables = jax.jit(MODEL.init)(jax.random.key(0), (X[:, :4], FRESH))
    assert all(not leaf.any() for leaf in jax.tree.leaves(variables["carry"]))
    first, carry = apply(MODEL, variables, (X[:, :10], FRESH), mutable="carry")
    goes_on = np.array([False, True])
    second, _ = apply(MODEL, {**variables, **carry}, (X[:, 10:], goes_on), mutable="carry")
    anew, _ = apply(MODEL, {"params": PARAMS}, X[:, 10:], method="run")
    np.testing.assert_allclose(first, WHOLE[:, :10], atol=1e-6)
    np.testing.assert_allclose(second[0], WHOLE[0, 10:], atol=1e-6)
    np.testing.assert_allclose(second[1], anew[1], atol=1e-6)


def test_mean_and_deviation_are_the_datas_and_not_learned():
    known = {**PARAMS, "mean": jnp.full(12, 0.5), "deviation": jnp.full(12, 2.0)}
    moved, _ = apply(MODEL, {"params": known}, X * 2 + 0.5, method="run")
    np.testing.assert_allclose(moved, WHOLE, atol=1e-5)
    slopes = jax.jit(jax.grad(lambda params: MODEL.apply({"params": params}, X, method="run")[0].sum()))(PARAMS)
    assert not np.any(slopes["mean"])
    assert np.any(slopes["Dense_0"]["kernel"])
