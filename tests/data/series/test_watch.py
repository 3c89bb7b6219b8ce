"""What is seen of a row under watch: nothing that comes after it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.data.series import watch
from seqjax.errors import UserError


def made(rows=400, step_minutes=60, columns=2, seed=0, trained=100, name="a"):
    rng = np.random.default_rng(seed)
    times = np.datetime64("2020-01-01", "us") + np.arange(rows) * np.timedelta64(step_minutes, "m")
    return watch.watched(name, times, 5 + 3 * rng.normal(size=(rows, columns)), trained)


def cut(one, rows):
    return dataclasses.replace(one, times=one.times[:rows], values=one.values[:rows])


def test_the_past_alone_is_seen_of_a_row():
    """It is the same to the bit when the series ends there, and whatever comes after."""
    gather, whole = watch.Watch(rows=8, horizon=3), made()
    for row in (0, 1, 5, 30, 200, 399):
        seen, actual = gather(watch.arrays_of([whole]), np.array([row]))
        ended, last = gather(watch.arrays_of([cut(whole, row + 1)]), np.array([row]))
        changed = dataclasses.replace(whole, values=np.where(np.arange(400)[:, None] > row, 1e9, whole.values))
        other, _ = gather(watch.arrays_of([changed]), np.array([row]))
        for mine, theirs, again in zip(seen, ended, other, strict=True):
            np.testing.assert_array_equal(mine, theirs)
            np.testing.assert_array_equal(mine, again)
        np.testing.assert_array_equal(actual.values, last.values)


def test_a_window_ends_some_rows_before_and_the_first_row_stands_for_what_is_before_it():
    gather, one = watch.Watch(rows=4, horizon=2), made()
    scaled = (one.values - one.mean) / one.std
    arrays = watch.arrays_of([made(50, seed=1, trained=20), one])
    seen, actual = gather(arrays, np.array([50 + 10, 50 + 3]))
    np.testing.assert_allclose(seen.values[0], scaled[5:9], rtol=1e-6)
    np.testing.assert_allclose(seen.values[1], scaled[[0, 0, 0, 1]], rtol=1e-6)
    np.testing.assert_allclose(actual.values, scaled[[10, 3]], rtol=1e-6)
    assert seen.context.shape == (2, 4, watch.CLOCK + 2 * 2 + 2)
    own, _ = watch.Watch(rows=4, horizon=0)(arrays, np.array([60]))
    np.testing.assert_allclose(own.values[0, -1], scaled[10], rtol=1e-6)


def test_the_same_time_of_yesterday_and_of_last_week_is_known_where_there_was_one():
    one = made(trained=340)
    assert (one.day, one.week) == (24, 168)
    scaled, gather = (one.values - one.mean) / one.std, watch.Watch(rows=2, horizon=1)
    seen, _ = gather(watch.arrays_of([one]), np.array([10, 100, 300]))
    yesterday, week, known = seen.now[:, 4:6], seen.now[:, 6:8], seen.now[:, 8:]
    np.testing.assert_allclose(yesterday[1:], scaled[[76, 276]], rtol=1e-5)
    np.testing.assert_allclose(week[2], scaled[132], rtol=1e-5)
    assert known.tolist() == [[0, 0], [1, 0], [1, 1]]
    assert not yesterday[0].any()
    assert not week[:2].any()
    behind = made(60, trained=48, name="b")
    seen, _ = gather(watch.arrays_of([one, behind]), np.array([400 + 10, 400 + 30]))
    assert seen.now[:, 8].tolist() == [0, 1], "yesterday is not in the series before"
    assert not seen.now[0, 4:8].any()
    short = made(trained=100)
    assert (short.day, short.week) == (24, 0), "of a week there are not two in the training rows"
    assert (made(trained=40).day, made(step_minutes=1440).day) == (0, 0)


def test_training_rows_count_for_the_loss_when_trained_on_and_the_last_fifth_when_validated():
    one = made()
    arrays, gather, parts = watch.arrays_of([one]), watch.Watch(4, 1), watch.parts_of([one])
    assert parts["train"].tolist() == list(range(401, 480))
    assert gather(arrays, parts["train"])[1].weight.all()
    weight = gather(arrays, parts["test"])[1].weight
    assert np.flatnonzero(weight).tolist() == list(range(80, 100))
    some = watch.parts_of([dataclasses.replace(one, tuned=False), made(50, trained=20)])
    assert some["validation"].tolist() == list(range(400, 450))


def test_a_traced_gather_is_the_same_as_one_of_numpy():
    one, gather = made(trained=340), watch.Watch(5, 2)
    arrays = watch.arrays_of([one, made(30, trained=10)])
    ids = np.array([0, 7, 333, 429, 430 + 50])
    mine = gather(arrays, ids)
    theirs = jax.jit(gather)(jax.tree.map(jnp.asarray, arrays), jnp.asarray(ids))
    jax.tree.map(np.testing.assert_array_equal, mine, tuple(theirs))


def test_the_last_row_of_the_last_rows_is_seen_as_in_the_whole_series():
    one, gather = made(trained=340), watch.Watch(6, 2)
    whole, _ = gather(watch.arrays_of([one]), np.array([390]))
    short = gather.reach + 1 + one.week
    tail = dataclasses.replace(one, times=one.times[391 - short : 391], values=one.values[391 - short : 391])
    for mine, theirs in zip(watch.last_row(gather, tail), whole, strict=True):
        np.testing.assert_array_equal(mine, theirs[0])


def test_a_constant_series_is_measured_by_its_own_size():
    times = np.datetime64("2020-01-01", "us") + np.arange(50) * np.timedelta64(1, "h")
    assert watch.watched("a", times, np.full((50, 1), -40.0), 20).std.tolist() == [40]
    assert watch.watched("a", times, np.zeros((50, 1)), 20).std.tolist() == [1]
    with pytest.raises(UserError, match="a: column 'value' has the deviation 1e-33"):
        watch.watched("a", times, np.full((50, 1), 1e-33), 20)
