"""Models that expect a row, or rebuild a window: their shapes, and where they begin."""

import jax
import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.layers.recurrent import GRU
from seqjax.models import watchers


def seen(columns=2, rows=5, batch=3):
    rng = np.random.default_rng(0)
    shapes = [leaf.shape for leaf in watchers.example(rows, columns)]
    return tuple(np.float32(rng.normal(size=(batch, *shape[1:]))) for shape in shapes)


def test_a_forecaster_begins_near_the_last_value_and_has_one_answer_a_column():
    model, inputs = watchers.RowForecaster(GRU(4), 4), seen()
    params = jax.jit(model.init)(jax.random.key(1), inputs)
    answer = jax.jit(model.apply)
    out = answer(params, inputs)
    np.testing.assert_allclose(out, jax.nn.sigmoid(watchers.STAY) * inputs[0][:, -1], rtol=1e-5)
    moved = jax.tree.map(lambda leaf: leaf + 0.1, params)
    last = inputs[0] + np.float32([1, 0, 0])[:, None, None]
    changed = answer(moved, (last, *inputs[1:]))
    assert not np.allclose(changed[0], answer(moved, inputs)[0])
    np.testing.assert_allclose(changed[1:], answer(moved, inputs)[1:], rtol=1e-5)


def test_a_far_value_is_no_larger_an_input_than_a_few_deviations():
    model, inputs = watchers.RowForecaster(GRU(4), 4), seen(columns=1)
    params = jax.tree.map(lambda leaf: leaf + 0.1, jax.jit(model.init)(jax.random.key(1), inputs))
    far, farther = ((inputs[0].copy(), *inputs[1:]) for _ in range(2))
    for (values, *_), size in ((far, 50.0), (farther, 5e6)):
        values[:, :2] = np.float32([-size, size])[None, :, None]
    answer = jax.jit(model.apply)
    np.testing.assert_allclose(answer(params, far), answer(params, farther), rtol=1e-5)


def test_an_autoencoder_rebuilds_its_window_through_a_few_numbers():
    model, inputs = watchers.WindowAutoencoder(GRU(4), 2), seen()
    params = jax.jit(model.init)(jax.random.key(1), inputs)
    rebuilt, window = jax.jit(model.apply)(params, inputs)
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
        jax.eval_shape(model.init, jax.random.key(0), seen())
