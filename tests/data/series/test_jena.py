"""The Jena source: windows and targets as Keras cuts them, the lecture's parts, errors with names."""

import dataclasses
import hashlib
import io
import json
import types
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax.data.series.sample_climate
from places import DATA
from seqjax.data.series import jena, weather, windows
from seqjax.errors import UserError

HEADER = "Date Time," + ",".join(weather.COLUMNS)
SMALL: dict[str, Any] = {"sampling_rate": 2, "sequence_length": 5, "delay": 11}
HOURLY = DATA / "jena/jena_climate_2009_2016_hourly.csv.gz"
hourly_file = pytest.mark.skipif(not HOURLY.exists(), reason=f"the real hourly file is not at {HOURLY}")


def climate(rows, minutes=60, seed=0):
    """A random table of `rows` rows, all values with two decimals."""
    values = np.random.default_rng(seed).normal(5, 3, size=(rows, 14)).round(2)
    times = np.datetime64("2009-01-01T00:10:00") + np.arange(rows) * np.timedelta64(60 * minutes, "s")
    return weather.Weather(weather.COLUMNS, times, values)


def csv_text(table):
    dates = [time.item().strftime("%d.%m.%Y %H:%M:%S") for time in table.times]
    lines = [",".join([date, *map(str, row)]) for date, row in zip(dates, table.values.tolist(), strict=True)]
    return "\n".join([HEADER, *lines]) + "\n"


def all_examples(dataset, part):
    return dataset.gather(dataset.arrays, dataset.parts[part])


# Windows


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


# Options


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


def test_the_default_options_keep_the_fingerprint_of_runs_before_them():
    """Runs of version 0.1.0 can be evaluated: this is its formula, spelled out."""
    table = climate(97)
    facts = {"columns": table.columns, "step": 3600.0, "sampling_rate": 2, "sequence_length": 5, "delay": 11}
    content = hashlib.sha256(json.dumps({**facts, "normalise": True}, sort_keys=True).encode())
    content.update(table.values.astype("<f8").tobytes())
    assert jena.Windows(**SMALL).dataset(table, "x").fingerprint == content.hexdigest()


def test_fingerprint_tells_content_and_options_apart():
    table = climate(97)
    same = jena.Windows(**SMALL).dataset(table, "another name")
    changed = dataclasses.replace(table, values=table.values.copy())
    changed.values[90, 3] += 0.01
    others = [
        jena.Windows(**SMALL).dataset(changed, "x"),
        jena.Windows(**SMALL, normalise=False).dataset(table, "x"),
        jena.Windows(**{**SMALL, "delay": 12}).dataset(table, "x"),
        jena.Windows(**{**SMALL, "sequence_length": 4}).dataset(table, "x"),
        jena.Windows(**{**SMALL, "sampling_rate": 1}).dataset(table, "x"),
    ]
    fingerprints = {dataset.fingerprint for dataset in others} | {jena.Windows(**SMALL).dataset(table, "x").fingerprint}
    assert len(fingerprints) == 6
    assert same.fingerprint in fingerprints
    assert all(len(fingerprint) == 64 for fingerprint in fingerprints)


# Files


def test_ten_minute_file_and_its_hourly_cut_give_the_same_windows(tmp_path):
    hourly = climate(1200, 60)
    between = climate(7200, 10, seed=1)
    between.values[::6] = hourly.values
    for name, table in {"full": between, "cut": hourly}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "jena_climate_2009_2016.csv").write_text(csv_text(table))
    source = jena.Windows(normalise=False)
    full, cut = (source.load("real", tmp_path / name) for name in ("full", "cut"))
    for part, ids in cut.parts.items():
        assert set(6 * ids) <= set(full.parts[part])
        inputs, targets = full.gather(full.arrays, 6 * ids)
        np.testing.assert_array_equal(inputs, cut.gather(cut.arrays, ids)[0])
        np.testing.assert_array_equal(targets, cut.gather(cut.arrays, ids)[1])
    assert inputs.shape[1:] == (120, 14)
    assert "7,200 rows 10 min apart" in full.description
    assert "1,200 rows 60 min apart" in cut.description


def test_the_order_of_the_candidates(tmp_path):
    stem = "jena_climate_2009_2016"
    ordered = [f"{stem}.csv", f"{stem}.csv.zip", f"{stem}.csv.gz"]
    ordered += [f"jena/{name}" for name in ordered]
    ordered += [f"jena/{stem}_a.csv.gz", f"jena/{stem}_hourly.csv", f"jena/{stem}_hourly.csv.gz"]
    assert jena.find(tmp_path) is None
    (tmp_path / "jena").mkdir()
    for name in (f"{stem}.csv.zip.part", f"jena/{stem}.csv.lock", f"{stem}_hourly.csv", "jena/other.csv"):
        (tmp_path / name).touch()
    (tmp_path / f"jena/{stem}_0.csv").mkdir()  # a folder is no file
    assert jena.find(tmp_path) is None
    for name in reversed(ordered):
        (tmp_path / name).touch()
        assert jena.find(tmp_path) == tmp_path / name


def test_without_a_file_the_public_one_is_downloaded(tmp_path, monkeypatch):
    def download(urls, destination, check):
        assert urls == jena.URLS
        assert destination == tmp_path / "jena_climate_2009_2016.csv.zip"
        destination.write_bytes(b"<html>")
        with pytest.raises(ValueError, match="not a whole zip archive"):
            check(destination)
        destination.unlink()
        found = tmp_path / "fetched.csv"
        found.write_text(csv_text(climate(2000)))
        return found

    monkeypatch.setattr(jena, "download", download)
    assert "fetched.csv: 2,000 rows" in jena.Windows().load("real", tmp_path).description


def test_a_malformed_file_is_named_with_row_and_column(tmp_path):
    lines = csv_text(climate(2000)).split("\n")
    lines[1233] = lines[1233].rpartition(",")[0] + ",north"
    path = tmp_path / "jena_climate_2009_2016.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(UserError) as caught:
        jena.Windows().load("real", tmp_path)
    assert str(caught.value) == f"{path}: row 1234, column 'wd (deg)': 'north' is not a finite number"


def test_unknown_data():
    with pytest.raises(UserError, match="data=reel: choose real or sample"):
        jena.Windows().load("reel", Path())


@pytest.fixture
def generated(monkeypatch):
    """A stand-in for the generator, which takes longer."""
    table = climate(2000)
    made = types.SimpleNamespace(**vars(table), optimum={"mae": 1.5})
    made.times = table.times.astype("datetime64[m]")
    monkeypatch.setattr(seqjax.data.series.sample_climate, "climate", lambda: made)


@pytest.mark.usefixtures("generated")
def test_sample_says_that_it_is_generated(tmp_path):
    dataset = jena.Windows().load("sample", tmp_path / "unused")
    assert "not the lecture's" in dataset.description
    assert "2,000 rows 60 min apart" in dataset.description
    assert json.loads(dataset.assets["jena.json"])["delay"] == 143
    assert not (tmp_path / "unused").exists()


@pytest.mark.usefixtures("generated")
def test_the_optimum_is_that_of_a_day_ahead(tmp_path):
    day_ahead: list[dict[str, Any]] = [
        {},
        {"sequence_length": 10},
        {"sampling_rate": 2, "sequence_length": 10, "delay": 42},
    ]
    for options in day_ahead:
        assert jena.Windows(**options).load("sample", tmp_path).optimum == {"mae": 1.5}
    for delay in (142, 144):
        assert jena.Windows(delay=delay).load("sample", tmp_path).optimum == {}


# Requests


@pytest.fixture
def assets(tmp_path):
    dataset = jena.Windows(**SMALL).dataset(climate(97), "x")
    for name, text in dataset.assets.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def ask(assets, table):
    return jena.Windows().requests(assets, io.StringIO(csv_text(table)), "input.csv")


@pytest.mark.parametrize("normalise", [True, False])
def test_requests_see_the_inputs_of_training(tmp_path, normalise):
    table = climate(97)
    dataset = jena.Windows(**SMALL, normalise=normalise).dataset(table, "x")
    (tmp_path / "jena.json").write_text(dataset.assets["jena.json"])
    requests = ask(tmp_path, table)
    assert len(requests.ids) == 97 - 8
    assert requests.ids.dtype == np.int32
    inputs = requests.gather(requests.arrays, requests.ids)
    for part, ids in dataset.parts.items():
        np.testing.assert_array_equal(inputs[ids], all_examples(dataset, part)[0])


def test_lines_of_the_forecast(assets):
    requests = ask(assets, climate(12))
    assert requests.header == "window_end,forecast_for,T (degC)"
    # the first window ends in row 8, at 08:10, and its target is row 11, three hours later
    assert requests.line(0, np.float32(3.416)) == "2009-01-01 08:10:00,2009-01-01 11:10:00,3.42"
    assert requests.line(3, np.array([-0.5])) == "2009-01-01 11:10:00,2009-01-01 14:10:00,-0.50"
    assert len(requests.ids) == 4


def test_requests_repair_missing_values(assets):
    table = climate(12)
    holes = dataclasses.replace(table, values=table.values.copy())
    holes.values[5, 2] = -9999
    table.values[5, 2] = table.values[4, 2]
    np.testing.assert_array_equal(ask(assets, holes).arrays["series"], ask(assets, table).arrays["series"])


def test_requests_of_too_few_rows(assets):
    assert len(ask(assets, climate(9)).ids) == 1
    with pytest.raises(UserError, match=r"input\.csv: too few rows: 8; a window takes 9"):
        ask(assets, climate(8))


def test_requests_of_another_time_step(assets):
    with pytest.raises(UserError, match=r"input\.csv: rows are 10 min apart, but the model's are 60 min apart"):
        ask(assets, climate(20, 10))


def test_requests_that_are_malformed(assets):
    source = jena.Windows()
    text = csv_text(climate(12))
    with pytest.raises(UserError, match=r"input\.csv: row 1: missing columns: 'rh \(%\)'"):
        source.requests(assets, io.StringIO(text.replace("rh (%)", "humidity")), "input.csv")
    with pytest.raises(UserError, match=r"input\.csv: the file is empty"):
        source.requests(assets, io.StringIO(""), "input.csv")
    with pytest.raises(UserError, match=r"input\.csv: not UTF-8"):
        source.requests(assets, io.TextIOWrapper(io.BytesIO(b"\xff"), "utf-8"), "input.csv")


@pytest.mark.parametrize(
    ("content", "expected"), [(None, "No such file"), ("{", "damaged"), ("{}", "damaged"), ("[]", "damaged")]
)
def test_assets_missing_or_damaged(assets, content, expected):
    (assets / "jena.json").unlink()
    if content is not None:
        (assets / "jena.json").write_text(content)
    with pytest.raises(UserError, match=rf"jena\.json: {expected}"):
        ask(assets, climate(20))


# The real file


@pytest.fixture(scope="module")
def hourly():
    return jena.Windows(normalise=False).dataset(weather.read(HOURLY), "hourly")


@hourly_file
def test_real_windows_and_repairs(hourly):
    assert {part: len(ids) for part, ids in hourly.parts.items()} == {
        "train": 34927,
        "validation": 17404,
        "test": 17261,
    }
    assert "7 missing values" in hourly.description  # 3 of wv, 4 of max. wv (shared/data/README.md)
    assert hourly.arrays["series"].min() > -9999


@hourly_file
def test_real_naive_forecast_scores_what_the_lecture_says(hourly):
    naive = lambda ids: np.abs(hourly.arrays["series"][ids + 119, 1].astype(float) - hourly.arrays["target"][ids + 143])
    assert round(naive(hourly.parts["validation"]).mean(), 2) == 2.44
    assert round(naive(hourly.parts["test"]).mean(), 2) == 2.62
    # shared/data/README.md counts every start whose target lies in the same part: 17,380 in each
    assert naive(np.arange(35046, 52569 - 143)).mean() == pytest.approx(2.4406, abs=5e-5)
    assert naive(np.arange(52569, 70092 - 143)).mean() == pytest.approx(2.6185, abs=5e-5)
