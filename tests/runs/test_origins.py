"""Rolling origins: nothing from the future, one stretch of time, and each run an ordinary one."""

import dataclasses
import io
import itertools

import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.runs.origins import Origins, ends_of, simple, together

KNOBS = ["units=2", "epochs=1", "sequence_length=4", "horizon=2", "batch_size=16"]


def csv(values):
    times = np.datetime64("2024-01-01T00", "h") + np.arange(len(values))
    return "t,y\n" + "".join(f"{t},{'' if np.isnan(y) else y}\n" for t, y in zip(times, values, strict=True))


def origins(folder, values, *options):
    (folder / "y.csv").write_text(csv(values))
    return Origins("csv_lstm", [f"file={folder / 'y.csv'}", "time=t", "target=y", *KNOBS, *options], folder / "out")


def test_each_table_ends_where_the_next_ones_test_begins():
    for rows in (100, 101, 102, 103, 997):
        ends = ends_of(rows, 3)
        assert ends[-1] == rows
        assert all(rows // 2 + rows // 4 == end for end, rows in itertools.pairwise(ends))


def test_what_is_simple_knows_the_rows_before_alone():
    values = np.arange(20.0) ** 2
    found = simple(values, np.array([12, 13]), 3, 4, before=10)
    assert found["last value"].tolist() == [81, 100]
    assert found["seasonal value"].tolist() == [64, 81]
    assert found["mean"].tolist() == [28.5, 28.5]
    assert found["drift"].tolist() == [81 + 27, 100 + 27]  # 81 in 9 steps
    changed = np.where(np.arange(20) > 10, np.nan, values)
    for name, own in simple(changed, np.array([12, 13]), 3, 4, before=10).items():
        np.testing.assert_array_equal(own, found[name])


@pytest.mark.slow
def test_the_forecasts_are_one_stretch_after_training_and_the_same_call_trains_nothing_anew(tmp_path):
    rng = np.random.default_rng(0)
    values = np.round(rng.normal(size=160).cumsum(), 3)
    values[150] = np.nan
    plan = origins(tmp_path, values)
    table, name = plan.table()
    lines = io.StringIO()
    ends = ends_of(160, 2)
    found = plan.forecasts(table, name, ends, 2, lambda line: print(line, file=lines))
    whole = together(found)
    assert lines.getvalue().count("seed 1") == 2
    start = ends[0] - ends[0] // 4
    rows = np.setdiff1d(np.arange(start, 160), [150])
    np.testing.assert_allclose(whole.came, values[rows], rtol=1e-12)
    filled = np.where(np.isnan(values), np.roll(values, 1), values)
    np.testing.assert_allclose(whole.last, filled[rows - 2], rtol=1e-12)
    assert whole.model.shape == (2, len(rows))
    assert np.abs(whole.model - whole.last).max() < 3 * np.abs(np.diff(filled)).max(), "a start at the last value"
    assert (whole.model[0] != whole.model[1]).any()
    np.testing.assert_allclose(found[1].simple["mean"], filled[:120].mean(), rtol=1e-12)  # the rows before its test
    assert set(whole.simple) == {"last value", "seasonal value", "mean", "drift"}
    results = tmp_path / "out" / "origin_2" / "seed_1" / "results.json"
    written = results.stat().st_mtime_ns
    cut = dataclasses.replace(table, times=table.times[: ends[0]], values=table.values[: ends[0]])
    again = plan.forecasts(cut, name, ends[:1], 2, str)[0]
    np.testing.assert_array_equal(again.model, found[0].model)  # the first origin has seen nothing of what came later
    assert results.stat().st_mtime_ns == written


def test_what_does_not_suit_is_refused(tmp_path):
    with pytest.raises(UserError, match="is not one of a user's own table"):
        Origins("jena_lstm", [], tmp_path).table()
    (tmp_path / "two.csv").write_text("t,s,y\n2024-01-01,a,1\n2024-01-02,a,2\n2024-01-01,b,1\n2024-01-02,b,2\n")
    several = Origins("csv_lstm", [f"file={tmp_path / 'two.csv'}", "time=t", "series=s", "target=y"], tmp_path)
    with pytest.raises(UserError, match="2 series: give a table of one"):
        several.table()


def test_windows_and_epochs_suit_the_table_unless_they_are_given(tmp_path):
    plan = Origins("csv_lstm", ["epochs=5"], tmp_path)
    assert plan.settings(200, plan.options) == ["epochs=5", "sequence_length=25"]
    free = Origins("csv_lstm", [], tmp_path)
    assert free.settings(70_000, []) == ["sequence_length=120", "epochs=3"]
    assert free.settings(10_000, []) == ["sequence_length=120", "epochs=20"]
