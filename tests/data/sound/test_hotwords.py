"""Hotwords in streams: every frame once, every state handed on, speakers apart, and scores of what is known."""

import dataclasses
import io
import itertools

import numpy as np
import pytest

from places import DATA
from seqjax.data.dataset import Answers
from seqjax.data.sound import hotwords, spoken_digits
from seqjax.data.sound.clips import Clip
from seqjax.data.sound.hotwords import COUNT, FIRST, FRAMES, LABEL, NOTHING, PART, SNR, SNRS, STOP, STREAM, Hotwords
from seqjax.data.sound.spectra import Spectra
from seqjax.data.sound.spoken_digits import Take
from seqjax.data.sound.streams import STRETCH, Event
from seqjax.errors import UserError
from seqjax.training.hotword_scores import HotwordScores

HEAR = Spectra(hop=160)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return Hotwords(3, hours=0.03, length=100).load("sample", DATA)


def test_every_frame_of_every_stream_is_judged_once(dataset):
    table = dataset.arrays["streams"]
    seen = np.zeros(len(dataset.arrays["frames"]), int)
    for number, ids in enumerate(dataset.parts.values()):
        (features, _), targets = dataset.gather(dataset.arrays, ids)
        places = dataset.arrays["start"][ids][:, None] + np.arange(100)[None, :]
        inside = places < dataset.arrays["stop"][ids][:, None]
        np.add.at(seen, places[inside], 1)
        assert not targets[~inside].any()
        np.testing.assert_array_equal(targets[inside], dataset.arrays["targets"][places[inside]])
        np.testing.assert_array_equal(features[inside], dataset.arrays["frames"][places[inside]].astype(np.float32))
        assert {*np.flatnonzero(table[:, PART] == number)} == {
            k for k in range(len(table)) if np.isin(dataset.arrays["start"][ids], table[k, FRAMES]).any()
        }
    assert (seen == 1).all()
    assert features.dtype == np.float32


def test_each_row_goes_on_where_it_ended_and_begins_anew_with_its_stream(dataset):
    start, fresh = dataset.arrays["start"], dataset.arrays["fresh"]
    for ids in dataset.parts.values():
        for before, after in itertools.pairwise(ids.reshape(-1, 3)):
            assert ((start[after] == start[before] + 100) != fresh[after]).all()
        assert {*start[ids[fresh[ids]]].tolist()} <= {*dataset.arrays["streams"][:, FRAMES].tolist()}


def test_there_are_as_many_hours_of_each_ratio(dataset):
    table, stretch = dataset.arrays["streams"], STRETCH * 50
    for part, share in ((1, 0.25), (2, 1.0)):
        for snr in SNRS:
            own = table[(table[:, PART] == part) & (table[:, SNR] == snr)]
            stretches = max(1, round(0.03 * share * 3600 / STRETCH / 3))
            assert own[:, COUNT].tolist() == [stretches * stretch - 1] * 3  # the last window is not whole
    assert (table[table[:, PART] == 0, SNR] == -1).all()


def test_a_frame_names_the_word_that_has_just_ended():
    events = [Event("b", 8_000, 16_000), Event("a", 20_000, 24_000)]
    found = hotwords.framewise(events, ["a", "b"], 200, HEAR)
    known = (np.arange(200) * 160 + 256) / 8_000
    for time, target in zip(known, found, strict=True):
        since = {label: time - stop / 8_000 for label, _, stop in events}
        named = [label for label, late in since.items() if -0.06 <= late < 0.2]
        if named:
            assert target == FIRST + "ab".index(named[0])
        elif any(-0.18 <= late < -0.06 for late in since.values()):
            assert target == 0
        else:
            assert target == NOTHING


def test_speakers_stand_on_one_side_alone():
    source = Hotwords(2)
    known = ["a", "b", "c", "yweweler"]
    assert source._speakers(known, "real") == {"train": ["b", "c"], "validation": ["a"], "test": ["yweweler"]}
    assert dataclasses.replace(source, speaker="b")._speakers(known, "real")["validation"] == ["c"]
    with pytest.raises(UserError, match="no speaker 'bob'; choices: a, b"):
        dataclasses.replace(source, speaker="bob")._speakers(known, "real")


def answers(dataset, part, sure):
    """As a model would give that is so sure [F] that the hotword has just ended."""
    ids = dataset.parts[part]
    places = dataset.arrays["start"][ids][:, None] + np.arange(100)[None, :]
    some = np.clip(sure[np.minimum(places, len(sure) - 1)], 1e-6, 1 - 1e-6)
    logits = np.full((*some.shape, FIRST + 6), -30.0)
    logits[..., 0] = 99.0  # the padding's, which is never meant
    logits[..., NOTHING], logits[..., FIRST + dataset.arrays["hotwords"][0]] = np.log(1 - some), np.log(some)
    return Answers(logits.astype(np.float32), None, ids, dataset)


def test_a_detector_that_knows_is_told_from_one_of_chance(dataset):
    judge, hot = HotwordScores(HEAR), FIRST + int(dataset.arrays["hotwords"][0])
    knows = (dataset.arrays["targets"] == hot).astype(float)
    decided = judge.decide(answers(dataset, "validation", knows))
    right = answers(dataset, "test", knows)
    assert judge.miss_rate(right, decided) == 0
    assert judge.f1(right, decided) == 1
    assert -0.06 <= judge.latency(right, decided) < 0.2
    table = judge.by_ratio(right, decided)
    words, streams = dataset.arrays["words"], dataset.arrays["streams"]
    for snr in SNRS:
        own = np.flatnonzero((streams[:, PART] == 2) & (streams[:, SNR] == snr))
        count = (np.isin(words[:, STREAM], own) & (words[:, LABEL] + FIRST == hot)).sum()
        assert table[f"{snr} dB"]["events"] == count > 0
        assert table[f"{snr} dB"]["misses_at_0.5"] == 0
        assert table[f"{snr} dB"]["at_threshold"]["false_alarms"] == 0
    chance = answers(dataset, "test", np.random.default_rng(0).random(len(knows)))
    assert judge.miss_rate(chance, decided) > 0.9
    assert dataset.baselines["random"]["test"]["miss_rate"] > 0.999


def test_words_end_where_streams_are(dataset):
    words, streams = dataset.arrays["words"], dataset.arrays["streams"]
    ends = (words[:, STOP] - 256) / 160 + streams[words[:, STREAM], FRAMES]
    said = dataset.arrays["targets"][np.round(ends).astype(int)]
    np.testing.assert_array_equal(said, words[:, LABEL] + FIRST)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"words": ()}, "words="),
        ({"words": ("a", "a")}, "different words"),
        ({"hours": 0.0}, "hours=0.0"),
        ({"length": 0}, "sequence_length"),
        ({"streams": 0}, "batch_size"),
    ],
)
def test_options_out_of_range_are_named(options, said):
    with pytest.raises(UserError, match=said):
        Hotwords(**{"streams": 2, **options})


def test_a_word_that_nobody_says_is_named(monkeypatch):
    clips = [Clip(np.zeros(9), label, "yweweler") for label in ("five", "eight")]
    monkeypatch.setattr(spoken_digits, "read", lambda data_dir, rate: [Take(clip, 0) for clip in clips])
    with pytest.raises(UserError, match="no recordings of 'alexa'; choices: eight, five"):
        Hotwords(2, ("alexa",)).load("real", DATA)


def test_predict_is_for_streams():
    with pytest.raises(UserError, match="--mode=stream"):
        Hotwords(2).requests(DATA, io.StringIO(""), "x")
