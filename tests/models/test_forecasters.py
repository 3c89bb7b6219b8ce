"""The baselines and the remedies of the recurrent rows, against plain formulas and Keras."""

import functools

import jax
import numpy as np
import pytest

from seqjax import experiment as experiments
from seqjax.errors import UserError
from seqjax.layers.recurrent import LSTM
from seqjax.models.forecasters import (
    Drift,
    InputBatchNorm,
    LastValue,
    Normalized,
    RecurrentForecaster,
    Rescaled,
    SeasonalNaive,
)
from seqjax.training.state import count_parameters, create_state

WINDOWS = np.random.default_rng(0).normal(size=(5, 6, 3)).astype(np.float32)
FULL = np.random.default_rng(1).normal(size=(4, 120, 14)).astype(np.float32)


def experiment(name, **knobs):
    return experiments.load(experiments.find(name))(**knobs)


# Baselines


def test_drift_prolongs_the_line_from_first_to_last():
    line = 3 - 0.5 * np.arange(9, dtype=np.float32)
    windows = np.stack([line[:6], 2 * line[:6]])[:, :, None]
    np.testing.assert_allclose(Drift(column=0, ahead=3).apply({}, windows), [line[8], 2 * line[8]], rtol=1e-6)
    y = WINDOWS[:, :, 1]
    expected = y[:, -1] + 24 * (y[:, -1] - y[:, 0]) / 5
    np.testing.assert_allclose(Drift(column=1, ahead=24).apply({}, WINDOWS), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("ahead", "season", "seasons", "position"),
    [(2, 2, 1, 5), (1, 2, 1, 4), (2, 4, 1, 3), (1, 2, 3, 0), (3, 2, 1, 4), (7, 4, 1, 4), (4, 4, 2, 1)],
)
def test_seasonal_naive_is_seasons_before_the_target(ahead, season, seasons, position):
    assert (5 + ahead - position) % season == 0  # the target's row is 5 + ahead
    found = SeasonalNaive(2, ahead, season, seasons).apply({}, WINDOWS)
    np.testing.assert_array_equal(found, WINDOWS[:, position, 2])


def test_a_normalized_forecast_is_a_change_from_the_windows_last_row():
    inner = RecurrentForecaster(LSTM(4))
    changes, level = WINDOWS - WINDOWS[:, -1:], WINDOWS[:, -1]
    forecast = {}
    for how in ("series", "window", "last"):
        model = Normalized(inner, how, epsilon=0.25)
        params = jax.jit(model.init)(jax.random.key(0), (changes, level))
        forecast[how] = lambda windows, model=model, params=params: model.apply(params, windows)
        own = lambda seen, params=params: inner.apply({"params": params["params"]["forecaster"]}, seen)
        size = np.sqrt(WINDOWS.var(1, keepdims=True) + 0.25)
        expected = {
            "series": lambda own=own: own(WINDOWS) - WINDOWS[:, -1, 0],
            "window": lambda own=own, size=size: size[:, 0, 0] * own((WINDOWS - WINDOWS.mean(1, keepdims=True)) / size),
            "last": lambda own=own: own(changes),
        }[how]()
        np.testing.assert_allclose(forecast[how]((changes, level)), expected, rtol=1e-4, atol=1e-5)
    for how in ("window", "last"):  # wherever the window is
        np.testing.assert_array_equal(forecast[how]((changes, level + 7)), forecast[how]((changes, level)))
        naive = Normalized(RecurrentForecaster(LSTM(4), start_at_zero=True), how)
        start = naive.apply(jax.jit(naive.init)(jax.random.key(0), (changes, level)), (changes, level))
        np.testing.assert_array_equal(start, 0)
    with pytest.raises(UserError, match="normalize=median is unknown; choices: series, window, last"):
        Normalized(inner, "median").init(jax.random.key(0), (changes, level))


def test_baselines_refuse_windows_that_are_too_short():
    with pytest.raises(UserError, match=r"sequence_length \(for this season\) must be at least 7, not 6"):
        SeasonalNaive(0, ahead=4, season=5, seasons=2).apply({}, WINDOWS)
    with pytest.raises(UserError, match="sequence_length must be at least 2"):
        Drift(0, 1).apply({}, WINDOWS[:, :1])


def test_a_day_ahead_the_seasonal_naive_row_is_naive_and_at_another_horizon_it_is_not():
    seasonal, naive = (experiment(f"jena_{name}").model for name in ("seasonal_naive", "naive"))
    np.testing.assert_array_equal(seasonal.apply({}, FULL), naive.apply({}, FULL))
    half = experiment("jena_seasonal_naive", horizon=12).model
    np.testing.assert_array_equal(half.apply({}, FULL), FULL[:, -13, 1])
    older = experiment("jena_seasonal_naive", days=3).model
    np.testing.assert_array_equal(older.apply({}, FULL), FULL[:, -49, 1])


def test_a_rescaled_forecast_is_in_the_targets_units():
    scale = np.float32([[10, 2], [10, 2], [0, 1], [5, 3], [0, 0]])
    found = Rescaled(LastValue(column=1)).apply({}, (WINDOWS, scale))
    np.testing.assert_allclose(found, scale[:, 0] + scale[:, 1] * WINDOWS[:, -1, 1], rtol=1e-6)


# Remedies


def test_batch_normalisation_at_the_input_is_that_of_keras():
    keras = pytest.importorskip("keras")
    inputs = WINDOWS * np.float32([1, 2, 0.5]) + np.float32([0, 1, -1])
    scale, bias = np.float32([1, 2, 3]), np.float32([0.1, 0.2, 0.3])
    layer = keras.layers.BatchNormalization()
    params = {"params": {"scale": scale, "bias": bias}}
    with jax.numpy_rank_promotion("allow"):
        layer.build(inputs.shape)
        layer.set_weights([scale, bias, np.zeros(3), np.ones(3)])  # the moving averages of standardised inputs
        expected = [np.asarray(layer(inputs, training=False)), np.asarray(layer(inputs, training=True))]
    found = [InputBatchNorm().apply(params, inputs, train=train) for train in (False, True)]
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-4, atol=1e-5)
    assert np.abs(found[0] - found[1]).max() > 0.1
    moments = inputs.mean((0, 1)), inputs.var((0, 1))
    known = InputBatchNorm(moments=tuple(tuple(map(float, moment)) for moment in moments))
    np.testing.assert_allclose(known.apply(params, inputs, train=False), found[1], rtol=1e-4, atol=1e-5)


def test_dense_layers_stand_between_the_state_and_the_output():
    model = RecurrentForecaster(LSTM(4), dense_layers=2, dense_units=5)
    variables = jax.jit(model.init)(jax.random.key(0), WINDOWS)
    state = LSTM(4).apply({"params": variables["params"]["layer"]}, WINDOWS)
    for name in ("Dense_0", "Dense_1"):
        layer = variables["params"][name]
        state = np.maximum(state @ layer["kernel"] + layer["bias"][None, :], 0)
    layer = variables["params"]["Dense_2"]
    expected = (state @ layer["kernel"] + layer["bias"][None, :])[:, 0]
    np.testing.assert_allclose(model.apply(variables, WINDOWS), expected, rtol=1e-5, atol=1e-6)


PARAMETERS = [  # LSTM 16 on 14 features: 4 * 16 * (14 + 16 + 1) = 1984, and Dense 1
    ({}, 1984 + 17),
    ({"units": 8}, 4 * 8 * (14 + 8 + 1) + 9),
    ({"layers": 2}, 1984 + 4 * 16 * (16 + 16 + 1) + 17),
    ({"bidirectional": True}, 2 * 1984 + 33),
    ({"layers": 2, "bidirectional": True}, 2 * 1984 + 2 * 4 * 16 * (32 + 16 + 1) + 33),
    ({"dense_layers": 1}, 1984 + 16 * 17 + 17),
    ({"dense_layers": 2, "dense_units": 8}, 1984 + 8 * 17 + 8 * 9 + 9),
    ({"batch_norm": True}, 28 + 1984 + 17),
    ({"layer_norm": True}, 1984 + 2 * 64 + 2 * 16 + 17),
    ({"cell": "gru"}, 3 * 16 * (14 + 16 + 2) + 17),
    ({"cell": "gru", "units": 32, "layers": 2, "recurrent_dropout": 0.5, "dropout": 0.5}, 10_977),
    ({"cell": "simple_rnn"}, 513),
    ({"cell": "mingru"}, 2 * 16 * (14 + 1) + 17),
    ({"cell": "minlstm"}, 3 * 16 * (14 + 1) + 17),
    ({"cell": "lru"}, 3 * 16 + 3 * 14 * 16 + 2 * 16 * 16 + 17),
    ({"units": 32, "recurrent_dropout": 0.25, "dropout": 0.5}, 6_049),
]


@pytest.mark.parametrize(("knobs", "count"), PARAMETERS)
def test_parameters_of_the_remedies(knobs, count):
    state = jax.eval_shape(lambda x: create_state(experiment("jena_recurrent", **knobs), x), FULL)
    assert count_parameters(state.params) == count


def test_without_remedies_it_is_the_plain_lstm():
    plain, any_ = (create_state(experiment(name), FULL) for name in ("jena_lstm", "jena_recurrent"))
    jax.tree.map(np.testing.assert_array_equal, plain.params, any_.params)
    assert jax.tree.structure(plain.opt_state) == jax.tree.structure(any_.opt_state)


@pytest.mark.parametrize(
    "knobs",
    [
        *({"activation": "relu"}, {"initializer": "torch"}, {"layer_norm": True}, {"batch_norm": True}),
        *({"layers": 2}, {"bidirectional": True}, {"cell": "gru"}, {"dense_layers": 1}),
    ],
)
def test_every_remedy_changes_the_forecasts(knobs):
    plain, changed = (experiment("jena_recurrent", units=4, **k) for k in ({}, knobs))
    first, second = (
        jax.jit(functools.partial(e.model.apply, train=True))(
            {"params": create_state(e, FULL).params}, FULL, rngs={"dropout": jax.random.key(0)}
        )
        for e in (plain, changed)
    )
    assert np.abs(first - second).max() > 1e-4
