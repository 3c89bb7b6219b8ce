"""The Jena source's files: which one is taken, its fingerprint, the generated one, the real one."""

import dataclasses
import hashlib
import json
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqjax.data.series.sample_climate
from places import DATA
from seqjax.data.series import jena, weather
from seqjax.errors import UserError
from weather_tables import SMALL, climate, csv_text

HOURLY = DATA / "jena/jena_climate_2009_2016_hourly.csv.gz"
hourly_file = pytest.mark.skipif(not HOURLY.exists(), reason=f"the real hourly file is not at {HOURLY}")


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
