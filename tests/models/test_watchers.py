"""Models that expect a row, or rebuild a window: their shapes, and where they begin."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.layers.recurrent import GRU
from seqjax.models import watchers


def seen(columns=2, rows=5, batch=3):
    keys = jax.random.split(jax.random.key(0), 3)
    shapes = [leaf.shape for leaf in watchers.example(rows, columns)]
    return tuple(jax.random.normal(key, (batch, *shape[1:])) for key, shape in zip(keys, shapes, strict=True))


def test_a_forecaster_begins_near_the_last_value_and_has_one_answer_a_column():
    model, inputs = watchers.RowForecaster(GRU(4), 4), seen()
    params = model.init(jax.random.key(1), inputs)
    out = model.apply(params, inputs)
    np.testing.assert_allclose(out, jax.nn.sigmoid(watchers.STAY) * inputs[0][:, -1], rtol=1e-5)
    moved = jax.tree.map(lambda leaf: leaf + 0.1, params)
    last = inputs[0].at[0].add(1.0)
    changed = model.apply(moved, (last, *inputs[1:]))
    assert not np.allclose(changed[0], model.apply(moved, inputs)[0])
    np.testing.assert_allclose(changed[1:], model.apply(moved, inputs)[1:], rtol=1e-5)


def test_a_far_value_is_no_larger_an_input_than_a_few_deviations():
    model, inputs = watchers.RowForecaster(GRU(4), 4), seen(columns=1)
    params = jax.tree.map(lambda leaf: leaf + 0.1, model.init(jax.random.key(1), inputs))
    far = (inputs[0].at[:, 1].set(50.0).at[:, 0].set(-50.0), *inputs[1:])
    farther = (inputs[0].at[:, 1].set(5e6).at[:, 0].set(-5e6), *inputs[1:])
    np.testing.assert_allclose(model.apply(params, far), model.apply(params, farther), rtol=1e-5)


def test_an_autoencoder_rebuilds_its_window_through_a_few_numbers():
    model, inputs = watchers.WindowAutoencoder(GRU(4), 2), seen()
    params = model.init(jax.random.key(1), inputs)
    rebuilt, window = model.apply(params, inputs)
    assert rebuilt.shape == window.shape == (3, 5, 2)
    np.testing.assert_array_equal(window, inputs[0])
    assert params["params"]["Dense_0"]["kernel"].shape == (4, 2)
    assert params["params"]["Dense_1"]["kernel"].shape == (2, 10)


@pytest.mark.parametrize(
    ("model", "said"),
    [(watchers.RowForecaster(GRU(4), 0), "units"), (watchers.WindowAutoencoder(GRU(4), 0), "kept")],
)
def test_no_units_are_refused(model, said):
    with pytest.raises(UserError, match=f"{said} must be at least 1"):
        model.init(jax.random.key(0), jax.tree.map(jnp.asarray, seen()))
