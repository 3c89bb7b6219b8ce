"""Optimizers by name follow Keras's, clipping included."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seqjax.errors import UserError
from seqjax.training.optimizers import OPTIMIZERS, adagrad_rows, optimizer, reciprocal_root, rmsprop

KERAS = {
    "rmsprop": lambda keras, **clip: keras.optimizers.RMSprop(0.01, **clip),
    "adam": lambda keras, **clip: keras.optimizers.Adam(0.01, **clip),
    "adamw": lambda keras, **clip: keras.optimizers.AdamW(0.01, **clip),
    "adagrad": lambda keras, **clip: keras.optimizers.Adagrad(0.01, **clip),
    "sgd": lambda keras, **clip: keras.optimizers.SGD(0.01, **clip),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("clip", [{}, {"clip_norm": 1.5}, {"clip_value": 0.4}])
def test_it_follows_keras(name, clip):
    keras = pytest.importorskip("keras")
    rng = np.random.default_rng(0)
    params = {"a": rng.normal(size=(3, 2)).astype(np.float32), "b": rng.normal(size=4).astype(np.float32)}
    gradients = [jax.tree.map(lambda p: rng.normal(size=p.shape).astype(np.float32), params) for _ in range(20)]
    ours = optimizer(name, 0.01, **clip)
    state, reached = ours.init(params), params
    for gradient in gradients:
        updates, state = ours.update(gradient, state, reached)
        reached = optax.apply_updates(reached, updates)
    renamed = {{"clip_norm": "global_clipnorm", "clip_value": "clipvalue"}[key]: value for key, value in clip.items()}
    with jax.numpy_rank_promotion("allow"):
        theirs = KERAS[name](keras, **renamed)
        variables = [keras.Variable(value) for value in params.values()]
        for gradient in gradients:
            theirs.apply([keras.ops.convert_to_tensor(gradient[key]) for key in params], variables)
    for key, variable in zip(params, variables, strict=True):
        np.testing.assert_allclose(reached[key], keras.ops.convert_to_numpy(variable.value), rtol=2e-5, atol=2e-6)


def test_the_root_without_a_root():
    x = np.concatenate([np.logspace(-37, 38, 100_001), [1e-7, 1.0, np.inf, np.nan]]).astype(np.float32)
    found = np.asarray(reciprocal_root(jnp.asarray(x)))
    np.testing.assert_allclose(found, 1 / np.sqrt(x.astype(np.float64)), rtol=2e-7)
    with jax.enable_x64(True):
        assert reciprocal_root(jnp.float64(2)) == jax.lax.rsqrt(jnp.float64(2))


@pytest.mark.parametrize("rate", [0.01, optax.exponential_decay(0.01, 5, 0.5)])
def test_rmsprop_is_optaxs(rate):
    rng = np.random.default_rng(0)
    params = {"a": jnp.asarray(rng.normal(size=(30, 7)), jnp.float32)}
    ours, theirs = rmsprop(rate), optax.rmsprop(rate, decay=0.9, eps=1e-7)
    states = ours.init(params), theirs.init(params)
    assert jax.tree.structure(states[0]) == jax.tree.structure(states[1])  # so that either resumes the other's runs
    for step in range(30):
        gradient = {"a": jnp.asarray(rng.normal(size=(30, 7)) * 10.0 ** -(step % 9), jnp.float32)}
        (update, first), (expected, second) = (
            optimizer.update(gradient, state, params) for optimizer, state in zip((ours, theirs), states, strict=True)
        )
        states = first, second
        np.testing.assert_allclose(update["a"], expected["a"], rtol=1e-6, atol=0)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), *states)


def test_gradients_are_clipped():
    gradient = {"a": np.float32([3.0, -4.0]), "b": np.float32([0.0, 12.0])}  # norm 13

    def one_step(**clip):
        chosen = optimizer("sgd", 1.0, **clip)
        return chosen.update(gradient, chosen.init(gradient))[0]

    np.testing.assert_allclose(one_step(clip_norm=1.0)["a"], [-3 / 13, 4 / 13], rtol=1e-6)
    np.testing.assert_allclose(one_step(clip_norm=13.5)["b"], [0, -12], rtol=1e-6)
    np.testing.assert_allclose(one_step(clip_value=3.5)["a"], [-3, 3.5], rtol=1e-6)
    np.testing.assert_allclose(one_step(clip_value=3.0, clip_norm=1.0)["b"], [0, -3 / np.sqrt(27)], rtol=1e-6)


def test_wrong_names_and_bounds():
    with pytest.raises(UserError, match="optimizer 'adamm' is unknown; choose one of rmsprop, adam"):
        optimizer("adamm")
    with pytest.raises(UserError, match="clip_norm must be above 0, not 0"):
        optimizer(clip_norm=0)


@pytest.mark.parametrize("initial", [0.0, 0.5])
def test_adagrad_rows_has_one_rate_for_each_row(initial):
    gradients = np.random.default_rng(0).normal(size=(5, 3, 4)).astype(np.float32)
    gradients[:, 2] = 0
    transformation = adagrad_rows(0.3, initial)
    state, rows = transformation.init({"w": np.zeros((3, 4), np.float32)}), np.full((3, 1), initial)
    for gradient in gradients:
        updates, state = transformation.update({"w": gradient}, state)
        rows += np.mean(gradient**2, axis=1, keepdims=True)
        expected = np.divide(-0.3 * gradient, np.sqrt(rows), where=rows > 0, out=np.zeros((3, 4)))
        np.testing.assert_allclose(updates["w"], expected, rtol=1e-5)
