"""The k largest against a stable sort in NumPy."""

import jax
import numpy as np
import pytest

from seqjax.decoding import largest as module
from seqjax.decoding.largest import largest, most_probable
from seqjax.layers.backends import native_library


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


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(("width", "k"), [(1, 1), (5, 5), (300, 1), (1001, 7), (4099, 40)])
def test_the_most_probable_tokens_are_those_of_log_softmax(width, k, native, monkeypatch):
    if native and (fault := native_library.refusal()):
        pytest.skip(fault)
    monkeypatch.setattr(module, "LARGE", 1 if native else 10**9)
    rng = np.random.default_rng(width)
    logits = rng.normal(size=(70, width)).astype(np.float32) * 5
    logits[:30] = np.round(logits[:30])  # mostly equals
    logits[20:60] = np.where(rng.random(logits[20:60].shape) < 0.9, -np.inf, logits[20:60])
    logits[60] = -np.inf
    logits[61, width // 2] = np.nan
    never = tuple({width // 3, width - 1}) if width > 1 else ()
    values, tokens = jax.jit(most_probable, static_argnums=(1, 2))(logits, k, never)
    allowed = logits.copy()
    allowed[:, list(never)] = -np.inf
    finite = np.arange(70) != 61
    expected = np.argsort(-allowed[finite], axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(tokens[finite], expected)
    total = np.exp(logits[finite].astype(np.float64)).sum(axis=1, keepdims=True)
    total = np.log(np.where(total == 0, 1, total))
    np.testing.assert_allclose(values[finite], np.take_along_axis(allowed[finite], expected, axis=1) - total, atol=2e-5)
    assert np.isnan(values[61]).all()
