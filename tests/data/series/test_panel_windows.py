"""Windows over a panel: equal to a loop by hand; nothing from the future; a series alone is as in the panel."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import panels
from seqjax.data.dataset import Answers
from seqjax.data.series import calendar, panel, panel_parts, panel_truth, steps
from seqjax.data.series.panel_windows import Windows
from seqjax.errors import UserError

LEVELS = (0.1, 0.5, 0.9)
SHAPE = Windows(6, 4, LEVELS, season=5)


def dataset(found, shape=SHAPE):
    return shape.dataset(found, panel_parts.by_rows(found.bounds, 6, 7), "test", {})


def by_hand(found, k, c, origin, edge, context, horizon):
    """The window of one origin (a row of series k, from 0), in float64: a loop over steps and columns."""
    start, stop = found.bounds[k]
    values, columns = found.values[start:stop], [c, 2]

    def scale(column):
        own = [v for v in values[: edge - start, column] if not math.isnan(v)]
        mean = sum(own) / len(own)
        return mean, math.sqrt(sum((v - mean) ** 2 for v in own) / len(own))

    def last(row, column):
        while row >= 0 and math.isnan(values[row, column]):
            row -= 1
        return scale(column)[0] if row < 0 else values[row, column]

    begun = lambda row: row >= 0 and not all(math.isnan(v) for v in values[: row + 1, c])
    window = np.zeros((context, 2))
    seen, valid = np.zeros(context, bool), np.zeros(context, bool)
    for i in range(context):
        row = origin - context + 1 + i
        valid[i] = begun(row)
        seen[i] = valid[i] and not math.isnan(values[row, c])
        for j, column in enumerate(columns):
            if valid[i]:
                window[i, j] = (last(row, column) - last(origin, column)) / scale(column)[1]
    ahead = values[origin + 1 : origin + 1 + horizon, c]
    return window, seen, valid, (ahead - last(origin, c)) / scale(c)[1], last(origin, c)


def test_windows_are_those_of_a_loop_by_hand():
    found = panels.small()
    made = dataset(found)
    arrays, ids = jax.tree.map(jnp.asarray, dict(made.arrays)), np.concatenate(list(made.parts.values()))
    assert len(ids) > 60
    history, steps = jax.tree.map(np.asarray, made.gather(arrays, jnp.asarray(ids)))
    starts = np.array([start for start, _ in found.bounds])
    edges = panel_parts.by_rows(found.bounds, 6, 7)
    ragged = 0
    for n, number in enumerate(ids):
        row, c = divmod(int(number), 2)
        k = int(np.searchsorted(starts, row, side="right")) - 1
        window, seen, valid, ahead, _ = by_hand(found, k, c, row - starts[k], int(edges.train[k]), 6, 4)
        np.testing.assert_allclose(history.changes[n], window, atol=2e-6)
        np.testing.assert_array_equal(history.seen[n], seen)
        np.testing.assert_array_equal(history.valid[n], valid)
        np.testing.assert_array_equal(steps.seen[n], ~np.isnan(ahead))
        np.testing.assert_allclose(steps.change[n][steps.seen[n]], ahead[steps.seen[n]], atol=2e-6)
        assert history.series[n] == 1 + 2 * k + c
        assert history.static[n, 0] == pytest.approx((k - 1) / np.std([0, 1, 2]))
        ragged += not valid.all()
    assert ragged > 5, "some windows begin before their series"
    on_host = jax.tree.leaves(made.gather(made.arrays, ids))
    for mine, other in zip(on_host, jax.tree.leaves((history, steps)), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-6)


def test_what_is_known_ahead_stands_at_its_step():
    found = panels.small(lengths=(400, 40), holes=False)
    made = dataset(found)
    ids = made.parts["train"][::29]
    history, _ = made.gather(made.arrays, ids)
    assert history.known.shape == (len(ids), 10, 5)  # day and week as sine and cosine; the holiday
    train = np.concatenate([found.known[start : stop - 13] for start, stop in found.bounds])
    times: Any = found.times
    for n, number in enumerate(ids):
        for ahead in range(1, 5):
            row = number // 2 + ahead
            date = times[row].item()
            angle = 2 * math.pi * date.hour / 24
            week = 2 * math.pi * (date.weekday() + date.hour / 24) / 7
            holiday = (found.known[row, 0] - train.mean()) / train.std()
            right = [math.sin(angle), math.cos(angle), math.sin(week), math.cos(week), holiday]
            np.testing.assert_allclose(history.known[n, 5 + ahead], right, atol=1e-5)


def test_a_year_is_told_where_training_has_seen_it_twice():
    years = lambda count: calendar.names(panels.HOUR, count * 365 * 86400)
    assert [years(count) for count in (0.004, 0.03, 1.9, 2)] == [[], ["day"], ["day", "week"], ["day", "week", "year"]]
    assert calendar.names(steps.Step(1, steps.MONTHS, 1), 1e9) == ["year"]
    assert calendar.names(steps.Step(1, steps.BUSINESS_DAYS), 1e9) == ["week", "year"]
    assert calendar.names(None, 1e9) == []
    times = np.array(["2023-01-01", "2024-07-02", "2024-12-31T12"], "datetime64[us]")
    share = np.array([0, 183 / 366, 365.5 / 366])
    right = np.stack([np.sin(2 * np.pi * share), np.cos(2 * np.pi * share)], axis=1)
    np.testing.assert_allclose(calendar.covariates(times, ["year"]), right, atol=1e-6)


def test_forecasts_come_back_in_the_own_unit_far_from_zero():
    """2^40 away from zero, where float32 has steps of 131,072, no digit is lost."""
    near, far = (dataset(panels.small(shift=shift)) for shift in (0.0, 2.0**40))
    ids = near.parts["test"]
    here, there = (made.gather(made.arrays, ids) for made in (near, far))
    np.testing.assert_allclose(here[0].changes, there[0].changes, atol=1e-3)  # 2^40 leaves 2^-12 of a double
    truths = [panel_truth.truth(made, ids) for made in (near, far)]
    np.testing.assert_allclose(truths[1].actual - 2.0**40, truths[0].actual, atol=1e-3)
    perfect = np.where(there[1].seen, there[1].change, 0)[:, :, None]
    brought = panel_truth.quantiles(Answers(perfect, there[1], ids, far))[:, :, 0]
    seen = there[1].seen
    np.testing.assert_allclose(brought[seen], truths[1].actual[seen], rtol=0, atol=2e-3)


def test_a_series_alone_is_as_in_the_panel():
    table = panels.table()
    whole = panel.of_table(table, panels.ROLES, panels.HOUR, "test")
    of: Any = table.series
    own = of == 1
    cut = dataclasses.replace(table, times=table.times[own], values=table.values[own], series=of[own] * 0, names=("b",))
    alone = panel.of_table(cut, panels.ROLES, panels.HOUR, "test")
    both = [dataset(found) for found in (whole, alone)]
    start = whole.bounds[1][0]
    for part, ids in both[1].parts.items():
        theirs = both[0].parts[part]
        theirs = theirs[(theirs // 2 >= start) & (theirs // 2 < whole.bounds[1][1])]
        np.testing.assert_array_equal(theirs - 2 * start, ids)
        mine, other = (made.gather(made.arrays, own) for made, own in zip(both, (theirs, ids), strict=True))
        np.testing.assert_array_equal(mine[0].changes, other[0].changes)
        np.testing.assert_array_equal(mine[0].level, other[0].level)
        np.testing.assert_array_equal(mine[1].change, other[1].change)


def test_nothing_comes_from_the_future():
    """What stands behind an origin changes neither its window, nor its scale, nor that of any training window."""
    table = panels.table()
    found = panel.of_table(table, panels.ROLES, panels.HOUR, "test")
    made = dataset(found)
    edge = panel_parts.by_rows(found.bounds, 6, 7).validation
    changed = found.values.copy()
    for k, (_, stop) in enumerate(found.bounds):
        changed[edge[k] : stop] += 1000.0
    later = dataset(dataclasses.replace(found, values=changed))
    first = [ids for ids in made.parts["test"] if ids // 2 + 1 in edge]
    assert len(first) == 6
    ids = np.concatenate([made.parts["train"], made.parts["validation"], first])
    for mine, other in zip(made.gather(made.arrays, ids)[0][:8], later.gather(later.arrays, ids)[0][:8], strict=True):
        np.testing.assert_array_equal(mine, other)


def test_parts_hold_all_of_a_horizon_and_the_last_origin_of_each():
    found = panels.small(holes=False)
    made = dataset(found)
    edges = panel_parts.by_rows(found.bounds, 6, 7)
    for part, (first, after) in {
        "train": ([start for start, _ in found.bounds], edges.train),
        "validation": (edges.train, edges.validation),
        "test": (edges.validation, edges.test),
    }.items():
        rows = made.parts[part] // 2
        which = made.kept["which"][rows]
        assert (rows + 1 >= np.array(first)[which]).all()
        assert (rows + 4 < after[which]).all()
        assert set(after - 5) <= set(rows), "the last one possible"
    assert len(made.parts["validation"]) == 2 * 3 * 3


def test_short_series_are_forecast_or_told_of():
    shape = Windows(6, 4, LEVELS, season=5)
    made = dataset(panels.small(lengths=(40, 25, 14, 5), holes=False), shape)
    assert "too short for any forecast" not in made.description
    tests = made.kept["which"][made.parts["test"] // 2]
    assert set(tests) == {0, 1, 2, 3}
    trained = made.kept["which"][made.parts["train"] // 2]
    assert set(trained) == {0, 1}
    assert "4 series too short for training, only forecast" in made.description
    left_out = dataset(panels.small(lengths=(40, 4), holes=False), shape)
    assert "2 series too short for any forecast, left out" in left_out.description
    with pytest.raises(UserError, match=r"too few rows: the train part has no forecast of 4 rows; the longest"):
        dataset(panels.small(lengths=(15, 16), holes=False), shape)


def test_missing_steps_become_missing_values():
    table = panels.table(lengths=(40,), holes=False)
    keep = np.ones(40, bool)
    keep[[7, 8, 20]] = False
    cut = dataclasses.replace(table, times=table.times[keep], values=table.values[keep], series=None)
    found = panel.of_table(cut, panels.ROLES, panels.HOUR, "test")
    np.testing.assert_array_equal(found.times, table.times)
    np.testing.assert_array_equal(np.isnan(found.values).all(axis=1), ~keep)
    assert "3 missing steps filled in as missing values" in found.notes
    far = cut.times.copy()
    far[-1] += np.timedelta64(400 * 365, "D")
    with pytest.raises(UserError, match="are missing between its dates"):
        panel.of_table(dataclasses.replace(cut, times=far), panels.ROLES, panels.HOUR, "test")


@pytest.mark.parametrize("scaling", ["standard", "mean", "none"])
def test_series_of_one_value_divide_by_nothing(scaling):
    found = panels.small(holes=False)
    values = found.values.copy()
    values[:, 0], values[: found.bounds[0][1], 1] = 7.0, 0.0
    shape = dataclasses.replace(SHAPE, scaling=scaling)
    made = dataset(dataclasses.replace(found, values=values), shape)
    history, steps = made.gather(made.arrays, made.parts["test"])
    assert all(np.isfinite(leaf).all() for leaf in [*history, *steps])
    assert (made.arrays["unit"] > 0).all()


def test_levels_are_checked():
    for levels in ((0.5, 0.1), (0.1, 0.9), (0.0, 0.5), (0.5, 0.5)):
        with pytest.raises(UserError, match=r"ascending, with 0\.5 among them"):
            Windows(6, 4, levels)
    with pytest.raises(UserError, match="horizon must be at least 1"):
        Windows(6, 0)


def test_large_series_may_be_drawn_more_often():
    found = panels.small(holes=False)
    values = found.values.copy()
    values[found.bounds[2][0] :, 0] *= 1000.0
    of = lambda **options: dataset(dataclasses.replace(found, values=values), dataclasses.replace(SHAPE, **options))
    each, drawn = of(), of(size_weight=0.5, stride=2)
    assert len(drawn.parts["train"]) == len(each.parts["train"]) // 2
    assert set(drawn.parts["train"]) <= set(each.parts["train"])
    large = drawn.parts["train"] // 2 >= found.bounds[2][0]
    assert (large & (drawn.parts["train"] % 2 == 0)).mean() > 0.7
    np.testing.assert_array_equal(drawn.parts["test"], each.parts["test"])
    np.testing.assert_array_equal(drawn.parts["train"], of(size_weight=0.5, stride=2).parts["train"])
