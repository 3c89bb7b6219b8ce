"""Recordings with labels from folders, archives and tables."""

import numpy as np
import pytest

from seqjax.data.sound import clips
from seqjax.errors import UserError
from sound_files import tar, wav

SOUNDS = {name: wav(np.full(80 * k, 0.1 * k)) for k, name in enumerate(("yes/a", "yes/b", "no/a"), 1)}
FILES = {f"{name}.wav": data for name, data in SOUNDS.items()} | {"README.md": b"hello", "yes/._a.wav": b"a Mac's"}
TABLE = b"path,label,speaker,part\nno/a.wav,No,ann,train\nyes/b.wav,Yes,bob,test\n"


def folder(path, files):
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def said(found):
    return [(clip.label, clip.speaker, clip.part, len(clip.samples)) for clip in found]


@pytest.mark.parametrize("mode", ["folder", "w:", "w:gz", "w:xz", "w:bz2"])
def test_a_label_is_the_folder_s_name_or_what_the_table_says(tmp_path, mode):
    def read(files, name):
        if mode == "folder":
            return clips.read(folder(tmp_path / name, files), 8_000)
        (tmp_path / name).write_bytes(tar(files, mode))
        return clips.read(tmp_path / name, 8_000)

    assert said(read(FILES, "one")) == [("no", "", "", 240), ("yes", "", "", 80), ("yes", "", "", 160)]
    within = {f"top/{name}": data for name, data in FILES.items()} | {"top/labels.csv": TABLE}
    assert said(read(within, "two")) == [("No", "ann", "train", 240), ("Yes", "bob", "test", 160)]


def test_a_table_stands_beside_its_recordings(tmp_path):
    place = folder(tmp_path, {**FILES, "mine.csv": b"label;path\nA;yes\\a.wav\nB;./no/a.wav\n"})
    assert said(clips.read(place / "mine.csv", 8_000)) == [("A", "", "", 80), ("B", "", "", 240)]
    assert said(clips.read(place / "mine.csv", 16_000)) == [("A", "", "", 160), ("B", "", "", 480)]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "neither labels.csv nor a .wav file is there"),
        ({"a.txt": b"x"}, "neither labels.csv nor a .wav file is there"),
        ({"a.wav": SOUNDS["no/a"]}, "a.wav has no label: put the recordings of each class into a folder"),
        ({"no/a.wav": b"RIFF"}, "no/a.wav: not a WAV file"),
        ({"no/a.wav": SOUNDS["no/a"][:-1]}, "no/a.wav: truncated"),
        ({"labels.csv": b"path,label\nb.wav,x\n"}, "labels.csv: row 2: there is no file 'b.wav'"),
        ({"labels.csv": b"path,label\n,x\n"}, "labels.csv: row 2: without a path"),
        ({"labels.csv": b"path,label\nb.wav,\n"}, "labels.csv: row 2: without a label"),
        ({"labels.csv": b"file,label\nb.wav,\n"}, "there is no column 'path'; columns: file, label"),
        ({"labels.csv": b"path,label,part\nb.wav,x,tset\n"}, "row 2: 'tset' is no part"),
    ],
)
@pytest.mark.parametrize("archive", [False, True])
def test_what_is_wrong_is_named(tmp_path, files, message, archive):
    place = tmp_path / "it"
    if archive:
        place.write_bytes(tar(files))
    else:
        place.mkdir()
        folder(place, files)
    with pytest.raises(UserError, match=message) as caught:
        clips.read(place, 8_000)
    assert str(place) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:xz"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_damaged_archive_is_named(tmp_path, mode, share):
    noise = {"no/a.wav": wav(np.random.default_rng(0).uniform(-1, 1, 9_000))}
    data = tar(noise, mode)
    (tmp_path / "cut.tar").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match=r"cut\.tar: the archive is damaged or truncated"):
        clips.read(tmp_path / "cut.tar", 8_000)


def test_what_a_path_stands_for(tmp_path):
    place = folder(tmp_path / "all", FILES)
    (tmp_path / "some.tgz").write_bytes(tar(FILES))
    names = [name for name, _ in clips.sounds(place, 8_000)]
    assert names == [str(place / f"{name}.wav") for name in ("no/a", "yes/a", "yes/b")]
    assert [name.removeprefix(f"{tmp_path}/") for name, _ in clips.sounds(tmp_path / "some.tgz", 8_000)] == [
        f"some.tgz/{name}.wav" for name in ("no/a", "yes/a", "yes/b")
    ]
    ((name, samples),) = clips.sounds(place / "no/a.wav", 8_000)
    assert (name, len(samples)) == (str(place / "no/a.wav"), 240)
    for path, message in (
        (place / "gone.wav", "gone.wav cannot be read: No such file"),
        (place / "README.md", "not a WAV file"),
    ):
        with pytest.raises(UserError, match=message):
            list(clips.sounds(path, 8_000))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no \.wav file is in this folder"):
        list(clips.sounds(tmp_path / "empty", 8_000))
    with pytest.raises(UserError, match="is a single recording"):
        clips.read(place / "no/a.wav", 8_000)
