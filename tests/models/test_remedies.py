"""Layers by their remedies: each starts as its paper says."""

from typing import Any, get_args

import jax
import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.models.remedies import Remedy, remedied

U = 6


def start(remedy, steps=100) -> Any:
    layer = remedied(remedy, U, steps)
    return layer.init(jax.random.key(0), np.ones((1, 2, 3), np.float32))["params"]


def test_each_starts_as_its_paper_says():
    made = jax.jit(lambda: {remedy: start(remedy) for remedy in get_args(Remedy)})()
    assert len(made) == 13
    recurrent = {name: np.asarray(p["cell"]["recurrent_kernel"]) for name, p in made.items() if "cell" in p}
    np.testing.assert_array_equal(recurrent["irnn"], np.eye(U))
    assert np.abs(np.asarray(made["irnn"]["cell"]["kernel"])).max() < 0.01
    np.testing.assert_allclose(recurrent["orthogonal"] @ recurrent["orthogonal"].T, np.eye(U), atol=1e-6)
    assert np.abs(recurrent["none"] @ recurrent["none"].T - np.eye(U)).max() > 0.1
    bias = {name: np.asarray(made[name]["cell"]["bias"]).reshape(4, U) for name in made if name.startswith("lstm")}
    assert not bias["lstm"].any()
    np.testing.assert_array_equal(bias["lstm_forget_1"], np.repeat([[0], [1], [0], [0]], U, 1))
    np.testing.assert_array_equal(bias["lstm_chrono"][0], -bias["lstm_chrono"][1])
    assert (bias["lstm_chrono"][1] >= 0).all()
    assert bias["lstm_chrono"][1].max() <= np.log(99)
    assert np.ptp(bias["lstm_chrono"][1]) > 0.5
    assert not bias["lstm_chrono"][2:].any()


def test_a_dense_layer_stands_before_the_linear_one():
    layer, inputs = remedied("lru_relu", U, 100, return_sequences=True), np.ones((2, 3, 4), np.float32)
    params: Any = layer.init(jax.random.key(0), inputs)["params"]
    first = params["Dense_0"]
    between = np.maximum(inputs @ np.asarray(first["kernel"]) + np.asarray(first["bias"]), 0)
    expected = remedied("lru", U, 100, return_sequences=True).apply({"params": params["layer"]}, between)
    np.testing.assert_allclose(layer.apply({"params": params}, inputs), expected, rtol=1e-5, atol=1e-6)


def test_an_unknown_remedy_is_refused():
    wrong: Any = "hope"
    with pytest.raises(UserError, match="remedy=hope: choose none, relu, irnn"):
        remedied(wrong, U, 5)
