"""Labelled recordings: who is left out, what is drawn, what a user asks about."""

import dataclasses
import io
import json
import types

import numpy as np
import pytest

from places import DATA
from seqjax.data.sound import sample_words, spoken_digits
from seqjax.data.sound.labelled_sounds import ASSET, LabelledSounds
from seqjax.data.sound.spectra import Spectra
from seqjax.data.sound.spoken_digits import SPEAKERS
from seqjax.errors import UserError
from sound_files import tar, wav

FSDD = DATA / "fsdd" / "fsdd_recordings.tar.xz"


@pytest.fixture(scope="module")
def recordings():
    if not FSDD.is_file():
        pytest.skip(f"no spoken digits in {DATA}")
    return spoken_digits.read(DATA, 8_000)


@pytest.fixture
def takes(recordings, monkeypatch):
    """What each of the spoken digits is: its digit, speaker and take, by id; read once."""
    monkeypatch.setattr(spoken_digits, "read", lambda data_dir, rate: recordings)
    return [(spoken_digits.NAMES.index(one.clip.label), one.clip.speaker, one.take) for one in recordings]


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    if not FSDD.is_file():
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def parts_of(dataset, takes):
    return {part: [takes[k] for k in ids] for part, ids in dataset.parts.items()}


def test_the_official_split_is_one_of_takes(takes):
    dataset = LabelledSounds(speaker=None).load("real", DATA)
    found = parts_of(dataset, takes)
    assert {part: len(those) for part, those in found.items()} == {"train": 2400, "validation": 300, "test": 300}
    assert {take for *_, take in found["test"]} == set(range(5))
    assert {take for *_, take in found["validation"]} == set(range(5, 10))
    (features, lengths), (digits, counts) = dataset.gather(dataset.arrays, dataset.parts["test"])
    assert digits.tolist() == [digit for digit, *_ in found["test"]]
    assert counts.all()
    assert (features.dtype, features.shape[2], dataset.knobs) == (np.float32, 40, {"classes": 10})
    assert not features[np.arange(features.shape[1])[None, :] >= lengths[:, None]].any()
    assert dataset.baselines["largest_class"]["test"]["accuracy"] == pytest.approx(0.1)


@pytest.mark.parametrize("validation", ["takes", "speaker"])
def test_who_is_left_out_is_heard_in_the_test_part_alone(takes, validation):
    dataset = LabelledSounds(speaker="theo", validation=validation).load("real", DATA)
    found = parts_of(dataset, takes)
    (_, _), (_, counts) = dataset.gather(dataset.arrays, dataset.parts["test"])
    new = [one for one, counted in zip(found["test"], counts, strict=True) if counted]
    heard = [one for one, counted in zip(found["test"], counts, strict=True) if not counted]
    assert {speaker for _, speaker, _ in new} == {"theo"}
    assert len(new) == 500
    trained = {*SPEAKERS} - {"theo"} - ({"yweweler"} if validation == "speaker" else set())
    assert {speaker for _, speaker, _ in found["train"]} == trained
    assert {speaker for _, speaker, _ in heard} == trained
    assert {take for *_, take in heard} == set(range(5))
    assert min(take for *_, take in found["train"]) == (5 if validation == "speaker" else 10)
    assert {speaker for _, speaker, _ in found["validation"]} == ({"yweweler"} if validation == "speaker" else trained)
    everyone = [k for ids in dataset.parts.values() for k in ids]
    assert len(everyone) == len(set(everyone))


def test_the_sample_leaves_one_voice_out_and_knows_its_optimum():
    dataset = LabelledSounds().load("sample", DATA)
    assert dataset.optimum == {"accuracy": 1 - sample_words.MISLABELLED}
    assert "tenor is left out (108 of the test are of speakers heard in training)" in dataset.description
    again = LabelledSounds().load("sample", DATA)
    assert again.fingerprint == dataset.fingerprint
    assert LabelledSounds(speaker="alto").load("sample", DATA).fingerprint != dataset.fingerprint
    other = LabelledSounds(spectra=dataclasses.replace(Spectra(), bands=20))
    assert other.load("sample", DATA).fingerprint != dataset.fingerprint
    with pytest.raises(UserError, match="no speaker 'bob'; choices: alto, bass, soprano, tenor"):
        LabelledSounds(speaker="bob").load("sample", DATA)


def test_two_words_of_the_sample_differ_in_order_alone():
    clips, _ = sample_words.words(8_000)
    right = lambda clip: clip.name.split("/")[1][0]
    mean = lambda label: np.mean(
        [Spectra().of_clip(c.samples).mean(axis=0) for c in clips if c.label == label and c.speaker == "alto"], axis=0
    )
    assert np.abs(mean("baca") - mean("caba")).max() < 0.5 < np.abs(mean("baca") - mean("daba")).max()
    wrong = np.mean([c.label != sample_words.name_of(sample_words.WORDS[int(right(c))]) for c in clips])
    assert wrong == pytest.approx(sample_words.MISLABELLED, abs=0.02)


TABLE = "path,label,speaker\n" + "".join(f"{k}.wav,{'yes' if k % 2 else 'no'},{'ab'[k % 3 > 0]}\n" for k in range(24))


def own(tmp_path, table=TABLE):
    for k in range(24):
        (tmp_path / f"{k}.wav").write_bytes(wav(0.1 * np.sin(np.arange(800 + 100 * k) * 0.3)))
    (tmp_path / "labels.csv").write_text(table)
    return str(tmp_path)


def test_a_collection_of_ones_own(tmp_path):
    dataset = LabelledSounds(own(tmp_path), speaker=None).load("real", DATA)
    assert (dataset.classes, dataset.knobs) == (("no", "yes"), {"classes": 2})
    assert sum(map(len, dataset.parts.values())) == 24
    (_, _), (labels, counts) = dataset.gather(dataset.arrays, dataset.parts["test"])
    assert (labels.dtype, counts.all()) == (np.float32, True)
    assert "b is left out" in LabelledSounds(str(tmp_path)).load("real", DATA).description
    drawn = LabelledSounds(str(tmp_path), speaker=None, split_seed=1).load("real", DATA)
    assert drawn.fingerprint != dataset.fingerprint
    with pytest.raises(UserError, match="too few speakers to leave out another one"):
        LabelledSounds(str(tmp_path), speaker="a", validation="speaker").load("real", DATA)
    given = TABLE.replace("speaker", "part").replace(",a", ",test").replace(",b", ",train")
    parts = LabelledSounds(own(tmp_path, given)).load("real", DATA).parts
    assert parts["test"].tolist() == [k for k in range(24) if k % 3 == 0]
    nameless = TABLE.replace("speaker", "who")
    assert "left out" not in LabelledSounds(own(tmp_path, nameless)).load("real", DATA).description


def request(dataset, tmp_path, content, name="list.txt"):
    (tmp_path / ASSET).write_text(dataset.assets[ASSET])
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig")
    return LabelledSounds().requests(tmp_path, text, name)


def test_a_user_asks_about_files_folders_and_archives(tmp_path):
    dataset = LabelledSounds(own(tmp_path), speaker=None).load("real", DATA)
    (tmp_path / "some.tar").write_bytes(tar({"x.wav": wav(np.zeros(900))}, "w:"))
    lines = f"{tmp_path / '3.wav'}\n\n{tmp_path / 'some.tar'}\r\n"
    requests = request(dataset, tmp_path, lines.encode())
    assert requests.header == "recording\tclass\tno\tyes"
    assert requests.line(1, np.float32(-2.0)) == f"{tmp_path / 'some.tar'}/x.wav\tno\t0.8808\t0.1192"
    (features, frames), (expected, counts) = (
        requests.gather(requests.arrays, requests.ids),
        dataset.gather(dataset.arrays, np.array([3]))[0],
    )  # table order: row 3 is 3.wav
    assert np.array_equal(features[0, : frames[0]], expected[0, : counts[0]])
    assert frames[0] == counts[0]
    whole = request(dataset, tmp_path, (tmp_path / "3.wav").read_bytes(), "3.wav")
    assert np.array_equal(whole.arrays["features"][0], features[0, : frames[0]])
    assert len(request(dataset, tmp_path, (tmp_path / "some.tar").read_bytes()).ids) == 1
    assert len(request(dataset, tmp_path, b"").ids) == 0
    for content, message in (
        (b"gone.wav\n", "gone.wav cannot be read"),
        (b"\xff\xfe\x00", "neither a WAV file, a tar"),
    ):
        with pytest.raises(UserError, match=message):
            request(dataset, tmp_path, content)
    assert json.loads(dataset.assets[ASSET])["classes"] == ["no", "yes"]


@pytest.mark.parametrize("options", [{"classes": 1}, {"validation": "x"}, {"split_seed": -1}])
def test_options_out_of_range_are_named(options):
    with pytest.raises(UserError, match=next(iter(options))):
        LabelledSounds(**options)


def test_only_real_and_sample():
    with pytest.raises(UserError, match="data='other'"):
        LabelledSounds().load("other", types.SimpleNamespace())  # type: ignore[arg-type]
