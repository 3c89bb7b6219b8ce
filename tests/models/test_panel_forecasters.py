"""Forecasters of a panel: a decoder fed the truth and one that feeds on itself are the same; and what they see."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import panels
from seqjax.data.series import panel_parts
from seqjax.data.series.panel_windows import Windows
from seqjax.errors import UserError
from seqjax.models import autoregressive, distributions, panel_inputs
from seqjax.models.panel_forecasters import forecaster
from seqjax.training.forecasting import Paths, Quantiles

LEVELS = (0.1, 0.5, 0.9)
SHAPE = Windows(8, 5, LEVELS, season=4)
OPTIONS = {"units": 6, "seasons": (4, 2), "embedding_size": 3, "series_count": 6}


def windows(rows=6, past=True, shift=0.0):
    found = panels.small(shift=shift)
    if not past:
        found = dataclasses.replace(found, roles=dataclasses.replace(found.roles, past=()), values=found.values[:, :2])
    made = SHAPE.dataset(found, panel_parts.by_rows(found.bounds, 6, 7), "test", {})
    ids = np.concatenate([made.parts["train"][::9], made.parts["test"]])[-rows:]
    return jax.tree.map(jnp.asarray, made.gather(made.arrays, ids))


def random(model, history, size=0.2):
    """Parameters none of which is 0."""
    params = jax.jit(model.init)({"params": jax.random.key(0), "dropout": jax.random.key(1)}, history)["params"]
    rng = np.random.default_rng(2)
    return jax.tree.map(lambda leaf: leaf + np.float32(size * rng.normal(size=leaf.shape)), params)


def answers(model, params, *histories):
    """Of each, by one program if they are of one shape."""
    answer = jax.jit(lambda history: model.apply({"params": params}, history))
    return [answer(history) for history in histories]


@pytest.mark.parametrize(
    ("name", "cell", "layers"), [pytest.param("student_t", "gru", 1, marks=pytest.mark.slow), ("quantiles", "lstm", 2)]
)
def test_a_decoder_fed_the_truth_is_one_that_goes_step_by_step(name, cell, layers):
    history, _ = windows(past=False)
    head = distributions.head(name, LEVELS)
    model = forecaster("paths", head, 8, 5, cell=cell, layers=layers, **OPTIONS)
    params = random(model, history)
    fed_with = jax.jit(lambda future: model.apply({"params": params}, history._replace(future=future)))
    key = jax.random.key(3)
    run = jax.jit(
        lambda history, key, count: autoregressive.paths(model, params, history, key, count), static_argnums=2
    )
    own = run(history, key, None)  # along its own point forecasts
    fed: Any = fed_with(own[:, 0])
    np.testing.assert_allclose(head.point(fed), own[:, 0], rtol=1e-5, atol=1e-5)
    assert float(jnp.abs(own).max()) > 0.1
    drawn = run(history, key, 7)
    for path in (0, 6):  # the last draw of a path is of the distribution that the path up to there leads to
        fed = fed_with(drawn[:, path])
        keys = jax.random.split(jax.random.split(key, 5)[4], 7)
        last = jax.tree.map(lambda leaf: leaf[:, 4], fed)
        np.testing.assert_allclose(head.sample(keys[path], last), drawn[:, path, 4], atol=1e-5)


@pytest.mark.parametrize("decoder", ["direct", "paths", "median"])
def test_an_answer_sees_nothing_behind_its_origin_and_nothing_of_other_windows(decoder):
    history, _ = windows(past=False)
    head = distributions.head("student_t", LEVELS)
    model = forecaster(decoder, head, 8, 5, **OPTIONS)
    params = random(model, history)
    kind = Quantiles(head, LEVELS) if decoder == "direct" else Paths(head, LEVELS, 9 if decoder == "paths" else None)
    answer = jax.jit(lambda history: kind(model, params, history))
    found = answer(history)
    assert found.shape == (6, 5, 3)
    np.testing.assert_array_equal(answer(history._replace(future=history.future + jnp.nan)), found)
    known = np.array(history.known)
    known[:, -1] += 1.0  # what is known ahead of the last step moves that step alone
    moved = np.asarray(answer(history._replace(known=known)) != found)
    assert moved[:, -1].any()
    assert not moved[:, :-1].any()
    turn = [5, 0, 2, 2, 3, 4]  # the third stays
    others = jax.tree.map(lambda leaf: leaf[np.array(turn)], history)
    np.testing.assert_allclose(answer(others)[2], found[2], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("normalize", ["mean", "window"])
def test_what_stands_before_a_series_changes_nothing(normalize):
    """Padding on the left: whatever is there, be it NaN, and patches of several steps."""
    history, _ = windows(rows=30)
    assert not history.valid.all()
    head = distributions.head("quantiles", LEVELS)
    model = forecaster("direct", head, 8, 5, patch=3, linear=True, normalize=normalize, **OPTIONS)
    params = random(model, history)
    valid, known = np.asarray(history.valid)[:, :, None], np.array(history.known)
    known[:, :8] = np.where(valid, known[:, :8], 99.0)
    changes = np.where(valid, np.asarray(history.changes), np.float32(99))
    found, other = answers(model, params, history, history._replace(known=known, changes=changes))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(other, found, atol=1e-6)


def test_a_longer_context_that_is_not_there_changes_nothing():
    """Steps before a series hold the state still: of a window of 8 and one of 14, six of them empty, it is the same."""
    history, _ = windows(rows=30)
    head = distributions.head("quantiles", LEVELS)
    short, long = (forecaster("direct", head, context, 5, patch=2, **OPTIONS) for context in (8, 14))
    params = random(short, history)
    front = lambda leaf: np.pad(leaf, [(0, 0), (6, 0)] + [(0, 0)] * (leaf.ndim - 2))
    names = ("changes", "seen", "valid", "known")
    longer = history._replace(**{name: front(getattr(history, name)) for name in names})
    (one,), (other,) = answers(short, params, history), answers(long, params, longer)
    np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("normalize", ["last", "window"])
def test_the_level_of_a_series_does_not_matter(normalize):
    """Forecasts are changes: of a series that stands 2^20 higher they are the same."""
    near, far = (windows(rows=20, shift=shift)[0] for shift in (0.0, 2.0**20))
    head = distributions.head("student_t", LEVELS)
    model = forecaster("direct", head, 8, 5, normalize=normalize, **OPTIONS)
    params = random(model, near)
    mine, other = (head.point(answer) for answer in answers(model, params, near, far))
    np.testing.assert_allclose(mine, other, atol=1e-5)


def test_before_training_a_forecast_is_the_naive_or_the_seasonal_naive_one():
    history, _ = windows(rows=12)
    head = distributions.head("quantiles", LEVELS)
    whole = np.asarray(history.valid).all(axis=1)
    for around in (False, True):
        options = {"normalize": "last", "around_season": around, **OPTIONS}
        model = forecaster("direct", head, 8, 5, **options)
        answer, _ = jax.jit(model.init_with_output)(jax.random.key(0), history)
        point = np.asarray(head.point(answer))
        seasonal = np.asarray(history.changes)[:, [4, 5, 6, 7, 4], 0]
        np.testing.assert_allclose(point[whole], (seasonal if around else seasonal * 0)[whole], atol=1e-6)


def test_in_training_a_series_is_sometimes_an_unknown_one():
    history, _ = windows(past=False)
    model = panel_inputs.About(6, 3, unknown=0.5)
    variables = jax.jit(model.init, static_argnums=2)(jax.random.key(0), history, False)
    known, unknown = (
        np.asarray(model.apply(variables, history._replace(series=number), False))
        for number in (history.series, history.series * 0)
    )
    assert not np.all(known == unknown, axis=1).any()
    many = jax.jit(jax.vmap(lambda key: model.apply(variables, history, True, rngs={"dropout": key})))
    drawn = np.asarray(many(jax.random.split(jax.random.key(1), 200)))
    taken = (drawn == np.asarray(unknown)[None]).all(axis=2)
    assert 0.4 < taken.mean() < 0.6
    assert ((drawn == np.asarray(known)[None]).all(axis=2) | taken).all()


def test_options_that_make_no_sense_are_refused():
    head = distributions.head("quantiles", LEVELS)
    history = panel_inputs.example(8, 5, 2, past=1)
    run = lambda model: jax.eval_shape(model.init, jax.random.key(0), history)
    with pytest.raises(UserError, match="decoder=beam: choose direct"):
        forecaster("beam", head, 8, 5)
    with pytest.raises(UserError, match="patch is of decoder=direct"):
        forecaster("paths", head, 8, 5, patch=2)
    with pytest.raises(UserError, match="takes no past features"):
        run(forecaster("paths", head, 8, 5))
    for decoder in ("direct", "paths"):
        with pytest.raises(UserError, match="seasons: 9 rows are more than context=8"):
            run(forecaster(decoder, head, 8, 5, seasons=(9,)))
    with pytest.raises(UserError, match="normalize=best is unknown"):
        run(forecaster("direct", head, 8, 5, normalize="best"))
    with pytest.raises(UserError, match="cell=rnn"):
        forecaster("direct", head, 8, 5, cell="rnn")
    with pytest.raises(UserError, match="normalize=window: a negative binomial is told in units of a window's mean"):
        forecaster("direct", distributions.head("negative_binomial", LEVELS), 8, 5, normalize="window")
