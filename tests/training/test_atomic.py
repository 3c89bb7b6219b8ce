"""A file is seen whole or not at all, also after a power cut: written beside, flushed to the disk, renamed."""

import os
import sys
from pathlib import Path

import pytest

from seqjax.files import write_atomically
from seqjax.training.workdir import Workdir

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a descriptor's name is read from /proc")


@pytest.fixture
def calls(monkeypatch):
    """What is done to the disk, in order: (`fsync` or `replace`, the file's name, what is in it by then)."""
    made = []
    fsync, replace = os.fsync, type(Path()).replace

    def noted_fsync(number):
        path = Path(os.readlink(f"/proc/self/fd/{number}"))
        made.append(("fsync", path.name, path.read_text()))
        fsync(number)

    def noted_replace(self, target):
        made.append(("replace", self.name, self.read_text()))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(type(Path()), "replace", noted_replace)
    return made


def test_it_is_written_beside_flushed_and_renamed(tmp_path, calls):
    file = tmp_path / "config.json"
    file.write_text("old")
    write_atomically(file, "new")
    assert calls == [("fsync", "config.json.tmp", "new"), ("replace", "config.json.tmp", "new")]
    assert file.read_text() == "new"
    assert os.listdir(tmp_path) == ["config.json"]


@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_what_was_there_is_whole_until_the_new_is(tmp_path, monkeypatch, place):
    """A reader, or a power cut, in the middle finds the old text; a file written in place would be found cut off."""
    file = tmp_path / "config.json"
    file.write_text("old")
    seen = []

    def cut(*_):
        seen.append(file.read_text())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*{"fsync": (os, "fsync"), "replace": (type(tmp_path), "replace")}[place], cut)
    with pytest.raises(OSError, match="No space"):
        write_atomically(file, "new")
    assert (seen, file.read_text(), os.listdir(tmp_path)) == (["old"], "old", ["config.json"])


def test_the_files_of_a_run_are_written_so(tmp_path, calls):
    workdir = Workdir(tmp_path / "run")
    workdir.claim({"experiment": "tiny"}, {"vocabulary.txt": "a\n"})
    workdir.append_row({"epoch": 1})
    workdir.keep_rows(1)
    workdir.write_results({"test": {}})
    renamed = [name for call, name, _ in calls if call == "replace"]
    assert renamed == ["config.json.tmp", "vocabulary.txt.tmp", "metrics.jsonl.tmp", "results.json.tmp"]
    for name in renamed:
        places = [call for call, other, _ in calls if other == name]
        assert places == ["fsync", "replace"]
    assert ("fsync", "metrics.jsonl", '{"epoch": 1}\n') in calls
