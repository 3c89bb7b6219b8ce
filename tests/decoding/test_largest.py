"""The k largest against a stable sort in NumPy."""

import jax
import numpy as np
import pytest

from seqjax.decoding.largest import largest


@pytest.mark.parametrize(("width", "k"), [(1, 1), (5, 5), (64, 1), (300, 1), (1000, 3), (1001, 7), (4099, 40)])
def test_it_is_a_stable_sort(width, k):
    rng = np.random.default_rng(width)
    x = rng.normal(size=(20, width)).astype(np.float32)
    x[:10] = np.round(x[:10])  # mostly equals
    x[8:] = np.where(rng.random(x[8:].shape) < 0.9, -np.inf, x[8:])
    x[18] = -np.inf
    values, places = jax.jit(largest, static_argnums=1)(x, k)
    expected = np.argsort(-x, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(places, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(x, expected, axis=1))
