"""NAB's corpus, and the figures that are published of it."""

import gzip
import hashlib
import json
import random

import numpy as np
import pytest

from places import DATA
from seqjax.data.series import detections
from seqjax.data.series import nab as corpus
from seqjax.errors import UserError
from seqjax.scoring import nab
from seqjax.scoring.surprise import Recipe


@pytest.fixture(scope="module")
def recordings():
    if not (DATA / "nab" / corpus.WINDOWS).is_file():
        pytest.skip(f"no NAB in {DATA}")
    return corpus.read(DATA)


def test_the_corpus_is_whole(recordings):
    assert len({one.name for one in recordings}) == 58
    assert sum(len(one.windows) for one in recordings) == 116
    assert sum(len(one.values) for one in recordings) == 365_558
    for profile, raw in (("standard", -116), ("reward_low_FP_rate", -116), ("reward_low_FN_rate", -232)):
        assert nab.null([nab.Scored(one.values * 0, one.windows) for one in recordings], nab.PROFILES[profile]) == raw


def test_the_random_and_the_perfect_detector_have_the_published_scores(recordings):
    """NAB's random detector begins each file with Python's generator of seed 42; the thresholds are those published."""
    published = json.loads((DATA / "nab" / "published_results.json").read_text())
    costs = json.loads((DATA / "nab" / "profiles.json").read_text())
    thresholds = {"standard": 0.9984497070312507, "reward_low_FP_rate": 0.9995117187500009}
    thresholds["reward_low_FN_rate"] = thresholds["standard"]
    drawn, perfect = [], []
    for one in recordings:
        generator = random.Random(42)
        drawn.append(nab.Scored(np.array([generator.random() for _ in one.values]), one.windows, one.name))
        firsts = np.isin(np.arange(len(one.values)), [first for first, _ in one.windows])
        perfect.append(nab.Scored(firsts.astype(float), one.windows, one.name))
    for name, profile in nab.PROFILES.items():
        own = costs[name]["CostMatrix"]
        assert profile == (own["tpWeight"], own["fnWeight"], own["fpWeight"])
        assert nab.judge(drawn, profile, thresholds[name]).score == pytest.approx(published["random"][name], abs=1e-9)
        assert nab.judge(drawn, profile).score > published["random"][name], "every threshold is tried here"
        assert nab.judge(perfect, profile).score == pytest.approx(100)
        assert nab.judge(perfect, profile, np.inf).score == published["null"][name] == 0


@pytest.mark.slow
def test_what_is_not_at_hand_is_downloaded_and_checked(recordings, tmp_path, monkeypatch):
    def deliver(url, destination, sha256=None):
        place = DATA / "nab" / url.removeprefix(corpus.URL + "/").removeprefix("data/")
        packed = place.with_name(place.name + ".gz")
        data = gzip.decompress(packed.read_bytes()) if packed.is_file() else place.read_bytes()
        assert sha256 in (None, hashlib.sha256(data).hexdigest())
        destination.parent.mkdir(parents=True, exist_ok=True)
        destination.write_bytes(data.replace(*changed) if changed[0] else data)
        return destination

    monkeypatch.setattr(corpus, "download", deliver)
    changed = (b"2014-07-01 00:00:00,10844", b"2014-07-01 00:00:00,10845")
    with pytest.raises(UserError, match=r"what was downloaded is not NAB v1.1"):
        corpus.read(tmp_path)
    changed = (b"", b"")
    assert corpus.digest(corpus.read(tmp_path)) == corpus.digest(recordings) == corpus.CONTENT
    monkeypatch.setattr(corpus, "download", None)
    assert len(corpus.read(tmp_path)) == 58, "it is there now"


def test_one_half_is_tuned_on(recordings):
    names = [one.name for one in recordings]
    half = corpus.tuned(names)
    assert len(half) == 11 + 47 // 2
    assert {name for name in names if name.startswith("artificial")} < half < {*names}
    assert corpus.tuned(names[::-1]) == half


def test_the_sample_has_anomalies_of_known_place_that_a_naive_forecast_sees_some_of():
    found = corpus.Nab(recipe=Recipe(level=4)).load("sample", DATA)
    assert "6 series, 7,200 rows, 12 windows" in found.description
    assert found.baselines["null"]["test"]["nab"] == 0
    assert found.baselines["random"]["test"]["nab"] < found.baselines["naive"]["test"]["nab"] < 90
    series = found.gather.series
    assert [detections.windows_of(one) for one in series] == [one.windows for one in corpus.sample()]
    assert all(first >= one.trained for one in series for first, _ in detections.windows_of(one))
    again = corpus.Nab(recipe=Recipe(level=4)).load("sample", DATA)
    assert again.fingerprint == found.fingerprint != corpus.Nab(rows=5).load("sample", DATA).fingerprint


def test_a_missing_or_malformed_corpus_is_named(tmp_path):
    labels = tmp_path / "nab" / "labels"
    labels.mkdir(parents=True)
    (labels / "combined_windows.json").write_text("[1]")
    with pytest.raises(UserError, match="no windows of files"):
        corpus.read(tmp_path)
    (labels / "combined_windows.json").write_text('{"a.csv": [["2020-01-01 00:00:00.000", "2020-01-02 00:00:00.0"]]}')
    with pytest.raises(UserError, match=r"there is no file .*a.csv \(or a.csv.gz\)"):
        corpus.read(tmp_path)
    place = tmp_path / "nab" / "a.csv.gz"
    for text, said in (
        ("date,value\n", "there is no column 'timestamp'; columns: date, value"),
        ("timestamp,value\n2020-01-01 00:00:00,1\n2020-01-02 00:00:00,x\n", "row 3: could not convert"),
        ("timestamp,value\n2020-01-01 00:00:00\n", "row 2"),
        ("timestamp,value\n2021-01-01 00:00:00,1\n", "a.csv: the window from 2020-01-01.* holds no row"),
    ):
        place.write_bytes(gzip.compress(text.encode()))
        with pytest.raises(UserError, match=said):
            corpus.read(tmp_path)
    place.write_bytes(gzip.compress(b"timestamp,value\n2020-01-01 00:00:00,1\n2020-01-02 00:00:00,2\n"))
    (one,) = corpus.read(tmp_path)
    assert one.windows == [(0, 1)]
