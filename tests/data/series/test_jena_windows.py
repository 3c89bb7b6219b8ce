"""The Jena source's windows: as Keras cuts them, the lecture's parts, the options."""

import dataclasses
import io
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.data.series import jena, windows
from seqjax.errors import UserError
from weather_tables import SMALL, all_examples, climate, csv_text


def test_windows_and_targets_are_those_of_keras():
    keras = pytest.importorskip("keras")
    table = climate(97)
    dataset = jena.Windows(**SMALL).dataset(table, "x")
    train, validation, delay = int(0.5 * 97), int(0.25 * 97), SMALL["delay"]
    data = (table.values - table.values[:train].mean(0)) / table.values[:train].std(0)
    bounds = {
        "train": (0, train),
        "validation": (train, train + validation),
        "test": (train + validation, None),
    }
    for part, (start, end) in bounds.items():
        batches = keras.utils.timeseries_dataset_from_array(
            data[:-delay].astype(np.float32),
            targets=table.values[delay:, jena.TEMPERATURE].astype(np.float32),
            sampling_rate=SMALL["sampling_rate"],
            sequence_length=SMALL["sequence_length"],
            shuffle=False,
            batch_size=7,
            start_index=start,
            end_index=end,
        )
        expected = [np.concatenate(arrays) for arrays in zip(*batches.as_numpy_iterator(), strict=True)]
        inputs, targets = all_examples(dataset, part)
        np.testing.assert_array_equal(inputs, expected[0])
        np.testing.assert_array_equal(targets, expected[1])


def test_windows_by_hand():
    table = climate(97)
    dataset = jena.Windows(**SMALL, normalise=False).dataset(table, "x")
    inputs, targets = all_examples(dataset, "validation")
    assert inputs.shape == (24 - 4 * 2, 5, 14)
    raw = table.values.astype(np.float32)
    np.testing.assert_array_equal(inputs[3], raw[[51, 53, 55, 57, 59]])
    assert targets[3] == raw[51 + 11, 1]
    assert all(ids.dtype == np.int32 for ids in dataset.parts.values())


def test_gather_under_jit_equals_gather_on_numpy():
    dataset = jena.Windows(**SMALL).dataset(climate(97), "x")
    ids = dataset.parts["test"][[3, 0, 5, 3]]
    with jax.numpy_rank_promotion("raise"):
        traced = jax.jit(dataset.gather)(jax.tree.map(jnp.asarray, dict(dataset.arrays)), ids)
    for found, expected in zip(traced, dataset.gather(dataset.arrays, ids), strict=True):
        assert found.dtype == expected.dtype == np.float32
        np.testing.assert_array_equal(found, expected)
    assert traced[0].shape == (4, 5, 14)


def test_only_training_rows_decide_the_scale():
    table = climate(97)
    dataset = jena.Windows(**SMALL).dataset(table, "x")
    train = dataset.arrays["series"][:48].astype(float)
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(train.std(0), 1, atol=1e-6)
    table.values[48:] += 1000
    moved = jena.Windows(**SMALL).dataset(table, "x")
    np.testing.assert_array_equal(moved.arrays["series"][:48], dataset.arrays["series"][:48])


def test_the_target_is_degrees_and_the_raw_series_is_raw():
    table = climate(97)
    for normalise in (True, False):
        dataset = jena.Windows(**SMALL, normalise=normalise).dataset(table, "x")
        np.testing.assert_array_equal(dataset.arrays["target"], table.values[:, 1].astype(np.float32))
    np.testing.assert_array_equal(dataset.arrays["series"], table.values.astype(np.float32))


def test_a_constant_column_becomes_zero():
    table = climate(97)
    table.values[:, 4] = 0.1  # the computed deviation of many 0.1 is 1e-17, not 0
    series = jena.Windows(**SMALL).dataset(table, "x").arrays["series"]
    np.testing.assert_allclose(series[:, 4], 0, atol=1e-15)
    table.values[60, 4] = 1.1
    assert jena.Windows(**SMALL).dataset(table, "x").arrays["series"][60, 4] == pytest.approx(1)


def test_missing_values_are_repaired_and_counted():
    table = climate(97)
    whole = jena.Windows(**SMALL).dataset(table, "x")
    assert "0 missing values" in whole.description
    holes = dataclasses.replace(table, values=table.values.copy())
    holes.values[30:32, 11] = -9999
    dataset = jena.Windows(**SMALL, normalise=False).dataset(holes, "x")
    assert "2 missing values (-9999) repaired" in dataset.description
    np.testing.assert_array_equal(dataset.arrays["series"][30:32, 11], np.float32(table.values[29, 11]).repeat(2))


@pytest.mark.parametrize(
    ("minutes", "options", "expected"),
    [
        (10, {}, (6, 120, 858)),
        (60, {}, (1, 120, 143)),
        (30, {"sequence_length": 48}, (2, 48, 2 * 47 + 48)),
        (10, {"sampling_rate": 3}, (3, 120, 3 * 119 + 144)),  # half-hourly samples, still a day ahead
        (10, {"delay": 1000}, (6, 120, 1000)),
        (180, {"sampling_rate": 1}, (1, 120, 119 + 8)),
        (7, {"sampling_rate": 9, "sequence_length": 3, "delay": 20}, (9, 3, 20)),
    ],
)
def test_defaults_follow_from_the_time_step(minutes, options, expected):
    given = {"sampling_rate": None, "sequence_length": None, "delay": None, **options}
    assert windows.resolve(**given, step=60 * minutes, name="x") == windows.Span(*expected)
    dataset = jena.Windows(**options).dataset(climate(12000, minutes), "x")
    facts = json.loads(dataset.assets["jena.json"])
    assert (facts["sampling_rate"], facts["sequence_length"], facts["delay"]) == expected
    assert facts["step"] == 60 * minutes


@pytest.mark.parametrize(
    ("minutes", "options", "expected"),
    [
        (7, {}, "rows 7 min apart do not divide an hour: set sampling_rate"),
        (90, {}, "rows 90 min apart do not divide an hour: set sampling_rate"),
        (7, {"sampling_rate": 9}, "rows 7 min apart do not divide a day: set delay"),
        (7, {"sampling_rate": 9, "sequence_length": 2, "delay": 9}, "delay=9: .* at least 10"),
        (60, {"delay": 119}, "delay=119: the target would lie inside its window.* at least 120"),
        (60, {"sequence_length": 3000}, "too few rows"),
        (60, {"sequence_length": 1501, "sampling_rate": 1}, "validation part has 1500 .* window takes 1501"),
        (60, {"delay": 1381}, "the test part has 119 .* window takes 120"),
        (60, {"delay": 10**9}, "the test part has 0 "),
        (60, {"sampling_rate": 10**12}, "too few rows"),
    ],
)
def test_options_that_do_not_fit(minutes, options, expected):
    with pytest.raises(UserError, match=expected):
        jena.Windows(**options).dataset(climate(6000, minutes), "x")


def test_the_longest_delay_that_fits():
    parts = jena.Windows(delay=1380).dataset(climate(6000), "x").parts
    assert [len(ids) for ids in parts.values()] == [3000 - 119, 1500 - 119, 1]


@pytest.mark.parametrize("option", ["sampling_rate", "sequence_length", "delay"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "2"])
def test_options_below_one_are_refused_before_any_data(option, value):
    with pytest.raises(UserError, match=f"{option}={value}"):
        jena.Windows(**{option: value})


def test_a_purged_split_keeps_every_part_to_itself():
    table, delay, reach = climate(97), SMALL["delay"], 8
    plain = jena.Windows(**SMALL).dataset(table, "x")
    purged = jena.Windows(**SMALL, purge=True).dataset(table, "x")
    starts = {"train": 0, "validation": 48, "test": 72, "end": 97}
    for (part, start), end in zip(list(starts.items())[:3], list(starts.values())[1:], strict=True):
        ids = purged.parts[part]
        np.testing.assert_array_equal(ids, np.arange(start, end - delay - (reach if part == "test" else 0)))
        assert ids[-1] + delay < end
    assert plain.parts["train"][-1] + delay >= 48  # the lecture's split does not
    assert plain.fingerprint != purged.fingerprint
    with pytest.raises(UserError, match="validation part has 24 to start from, and a window takes 25"):
        jena.Windows(sampling_rate=1, sequence_length=2, delay=24, purge=True).dataset(climate(97), "x")


def test_unrepaired_values_stay_and_predict_likewise(tmp_path):
    holes = climate(97)
    holes.values[30:32, 11] = -9999
    source = jena.Windows(**SMALL, normalise=False, repair=False)
    dataset = source.dataset(holes, "x")
    assert "2 missing values (-9999) left in" in dataset.description
    np.testing.assert_array_equal(dataset.arrays["series"][29:33, 11] == -9999, [False, True, True, False])
    assert dataset.fingerprint != jena.Windows(**SMALL, normalise=False).dataset(holes, "x").fingerprint
    (tmp_path / jena.ASSET).write_text(dataset.assets[jena.ASSET])
    requests = source.requests(tmp_path, io.StringIO(csv_text(holes)), "x")
    assert (requests.arrays["series"][30:32, 11] == -9999).all()


@pytest.mark.parametrize(("minutes", "horizon", "delay"), [(60, 24, 143), (10, 24, 858), (10, 1, 720), (60, 3, 122)])
def test_a_horizon_is_hours_from_the_windows_end(minutes, horizon, delay):
    assert jena.Windows(horizon=horizon).span(60 * minutes, "x").delay == delay


def test_a_horizon_that_does_not_fit():
    with pytest.raises(UserError, match="horizon=0: a whole number of hours"):
        jena.Windows(horizon=0)
    with pytest.raises(UserError, match="horizon=2 and delay=150 say the same: give one"):
        jena.Windows(horizon=2, delay=150)
    with pytest.raises(UserError, match="rows 7 min apart do not divide 120 min: set delay"):
        jena.Windows(sampling_rate=9, horizon=2).span(420, "x")
