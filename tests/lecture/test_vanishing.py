"""What is left of a change: known where it is known, and as the pictures say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.layers.lru import LRU
from seqjax.lecture import vanishing


def test_inputs_are_those_of_the_adding_problem():
    x = vanishing.inputs(101, seed=3)
    assert x.shape == (101, 2)
    assert (x[:, 0] >= 0).all()
    assert (x[:, 0] < 1).all()
    marks = np.flatnonzero(x[:, 1])
    assert len(marks) == 2
    assert marks[0] < 50 <= marks[1]
    np.testing.assert_array_equal(x, vanishing.inputs(101, seed=3))


def test_a_relu_that_begins_as_the_identity_loses_only_what_is_off():
    (one,) = vanishing.fadings("irnn", 40, 8, 1, [0, 1, 40])
    np.testing.assert_array_equal(one.largest, [0, 0, 0])  # units above 0 hand on 1
    layer, x = vanishing.remedied("irnn", 8, 40), vanishing.inputs(40, 0)
    p = layer.init(jax.random.key(0), jnp.asarray(x, jnp.float32)[None])["params"]["cell"]
    h, on = np.zeros(8), np.ones(8)
    for row in x:
        h = np.maximum(row @ np.asarray(p["kernel"], np.float64) + h, 0)
        on *= h > 0
    assert 10 ** one.typical[2] == pytest.approx(np.sqrt(on.mean()))


@pytest.mark.slow
def test_the_modulus_is_the_memory():
    lags, steps = [0, 1, 10, 60], 60
    with jax.enable_x64(True):
        layer = LRU(6, least=0.5, most=0.99, return_state=True, param_dtype=jnp.float64, backend="scan")
        x = jnp.asarray(vanishing.inputs(steps, 0))[None]
        params = layer.init(jax.random.key(0), x)["params"]
        end = lambda h, steps: layer.apply({"params": params}, x[:, :steps], initial_state=h[None])[1][0]
        h = jnp.full(6, 0.3 + 0.1j)
        whole = [np.linalg.svd(jax.jacrev(end, holomorphic=True)(h, k), compute_uv=False) for k in (10, 60)]
    modulus = vanishing.moduli(params)
    for values, k in zip(whole, (10, 60), strict=True):
        np.testing.assert_allclose(values, np.sort(modulus**k)[::-1], rtol=1e-10)
    found = vanishing.of_eigenvalues(modulus, lags)
    np.testing.assert_allclose(10 ** found.largest[2:], [v[0] for v in whole], rtol=1e-10)
    np.testing.assert_allclose(10 ** found.smallest[2:], [v[-1] for v in whole], rtol=1e-10)
    np.testing.assert_allclose(10 ** found.typical[2:], [np.sqrt(np.mean(v**2)) for v in whole], rtol=1e-10)


@pytest.mark.slow
def test_what_is_measured_can_be_drawn():
    found = vanishing.measured(steps=20, units=3, seeds=2, remedies=["none", "lstm_chrono"])
    assert found["lags"] == [0, 1, 2, 3, 5, 7, 10, 14, 20]
    assert list(found["chrono"]) == ["20"]
    for one in found["remedies"].values():
        middle, low, high = np.array(one["largest"]).T
        assert (low <= middle).all()
        assert (middle <= high).all()
        assert middle[0] == 0
    assert found["chrono"]["20"]["largest"] == found["remedies"]["lstm_chrono"]["largest"][-1]
    figure = vanishing.picture(found)
    assert "2 seeds" in figure.caption
    assert figure.svg.count("<path") > 10
    assert len(found["rings"][1]["moduli"]) == 3
    assert vanishing.rings(found).svg.count("<path") > 10
    with pytest.raises(UserError, match="remedy=lru_2: choose none"):
        vanishing.fadings("lru_2", 5, 2, 1)
