"""Clipping: against the powers of a linear recurrence, and a NumPy loop."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.lecture import clipping

T, U = 30, 3


def by_hand(recurrent, start, wanted, steps):
    """dJ/dR in NumPy, from the last step back."""
    states = [start]
    for _ in range(steps):
        states.append(states[-1] @ recurrent)
    found, backward = np.zeros_like(recurrent), wanted
    for t in range(steps, 0, -1):
        found += np.outer(states[t - 1], backward)
        backward = recurrent @ backward
    return found


@pytest.mark.parametrize("rho", [0.8, 1.3])
def test_clipping_shortens_what_explodes_and_leaves_what_vanishes(rho):
    rng = np.random.default_rng(0)
    recurrent = rho * np.linalg.qr(rng.normal(size=(U, U)))[0]
    start, wanted = (v / np.linalg.norm(v) for v in rng.normal(size=(2, U)))
    with jax.enable_x64(True):
        found = clipping.gradient(recurrent, start, wanted, T, clip_norm=1.0)
        expected = by_hand(recurrent, start, wanted, T)
        np.testing.assert_allclose(found.raw, expected, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(found.by_distance, rho ** np.arange(T), rtol=1e-12)
        size = np.linalg.norm(expected)
        if rho > 1:
            assert size > 100
            np.testing.assert_allclose(found.used, expected / size, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(found.by_distance_used, rho ** np.arange(T) / size, rtol=1e-10)
        else:
            assert size < 0.1
            np.testing.assert_array_equal(found.used, found.raw)  # to the last bit
            np.testing.assert_array_equal(found.by_distance_used, found.by_distance)
        far = lambda reached: reached[20] / reached[0]
        np.testing.assert_allclose(far(found.by_distance_used), rho**20, rtol=1e-10)


def test_the_norm_is_steps_times_a_power():
    lengths = [1, 5, 40]
    with jax.enable_x64(True):
        raw, used = clipping.norms([1.1], lengths, 2.0)
    law = np.array([steps * 1.1 ** (steps - 1) for steps in lengths])
    np.testing.assert_allclose(raw[0], law, rtol=1e-12)
    np.testing.assert_allclose(used[0], np.minimum(law, 2.0), rtol=1e-12)


def test_a_gradient_of_nothing_stays():
    found = clipping.gradient(jnp.zeros((1, 1)), jnp.ones(1), jnp.ones(1), 3, 1.0)
    assert not np.asarray(found.used).any()
    np.testing.assert_array_equal(found.by_distance_used, [1, 0, 0])
    with pytest.raises(UserError, match="steps must be at least 1"):
        clipping.gradient(jnp.zeros((1, 1)), jnp.ones(1), jnp.ones(1), 0)


@pytest.mark.slow
def test_the_picture_has_its_axes_named():
    found = clipping.figure(steps=3)
    assert {"steps T", "steps back", "norm of dJ/dR"} <= set(re.findall("<!-- (.*?) -->", found.svg))
