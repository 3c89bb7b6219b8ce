"""seqjax.data.cache: an entry is what was written, or it is built again."""

import os
from pathlib import Path

import numpy as np
import pytest
from absl import logging

from seqjax import folders
from seqjax.data import cache
from seqjax.errors import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(folders, "cache_dir", lambda: tmp_path / "cache")
    return tmp_path / "cache" / "arrays"


@pytest.fixture
def warned(monkeypatch) -> list[str]:
    lines = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: lines.append(text % values))
    return lines


class Build:
    """Arrays of several types, and how often they were built."""

    def __init__(self, start=0):
        self.calls, self.start = 0, start

    def __call__(self):
        self.calls += 1
        ids = np.arange(self.start, self.start + 12, dtype=np.uint16).reshape(3, 4)
        labels = np.array([0, 1, 1], np.float32)
        return {"ids": ids, "labels": labels, "words": np.array(["é", "ab"]), "none": ids[:0]}


def same(arrays, build):
    expected = build()
    assert set(arrays) == set(expected)
    for name, values in expected.items():
        assert arrays[name].dtype == values.dtype
        np.testing.assert_array_equal(arrays[name], values)


def test_the_second_call_reads_what_the_first_has_built(folder, warned):
    build = Build()
    same(cache.cached("key", build), Build())
    same(cache.cached("key", build), Build())
    assert build.calls == 1
    assert len(list(folder.iterdir())) == 1
    assert warned == []


def test_another_key_is_another_entry(folder):
    cache.cached("one", Build(0))
    same(cache.cached("two", Build(50)), Build(50))
    same(cache.cached("one", Build(99)), Build(0))


def test_the_arrays_may_be_changed_without_harm(folder):
    cache.cached("key", Build())
    cache.cached("key", Build())["ids"][:] = 7
    same(cache.cached("key", Build(99)), Build())


def damage(content: bytes, where: str) -> bytes:
    if where == "empty":
        return b""
    if where == "truncated":
        return content[:-1]
    if where == "cut in the first line":
        return content[:20]
    if where == "longer":
        return content + b"\0"
    if where == "alien":
        return b"PK\x03\x04 something else"
    place = {"magic": 3, "digest": 30, "content": 300, "last byte": len(content) - 1}[where]
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


WHERES = ["empty", "truncated", "cut in the first line", "longer", "alien"]
WHERES += ["magic", "digest", "content", "last byte"]


@pytest.mark.parametrize("where", WHERES)
def test_a_damaged_entry_is_built_again(folder, warned, where):
    cache.cached("key", Build())
    (entry,) = folder.iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole, where))
    build = Build()
    same(cache.cached("key", build), Build())
    assert build.calls == 1
    assert len(warned) == 1
    assert str(entry) in warned[0]
    assert entry.read_bytes() == whole
    cache.cached("key", build)
    assert build.calls == 1


def test_a_whole_entry_under_another_ones_name_is_not_believed(folder, warned):
    cache.cached("one", Build(0))
    (one,) = folder.iterdir()
    content = one.read_bytes()
    cache.cached("two", Build(50))
    (two,) = set(folder.iterdir()) - {one}
    two.write_bytes(content)
    same(cache.cached("two", Build(50)), Build(50))
    assert len(warned) == 1


def test_a_folder_that_cannot_be_made_only_warns(tmp_path, monkeypatch, warned):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(folders, "cache_dir", lambda: tmp_path / "file" / "cache")
    build = Build()
    same(cache.cached("key", build), Build())
    same(cache.cached("key", build), Build())
    assert build.calls == 2
    assert warned
    assert all("cache" in line for line in warned)


def test_no_home_folder_only_warns(monkeypatch, warned):
    def nowhere():
        raise UserError("no home folder is known")

    monkeypatch.setattr(folders, "cache_dir", nowhere)
    same(cache.cached("key", Build()), Build())
    assert warned == ["nothing is cached: no home folder is known"]


def test_an_unreadable_entry_only_warns(folder, warned):
    cache.cached("key", Build())
    (entry,) = folder.iterdir()
    entry.unlink()
    entry.mkdir()  # root can read any file, but not a folder
    same(cache.cached("key", Build()), Build())
    assert len(warned) == 2  # neither read nor replaced
    assert [path.name for path in folder.iterdir()] == [entry.name]


def test_a_write_that_fails_leaves_no_trace(folder, warned, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    same(cache.cached("key", Build()), Build())
    assert list(folder.iterdir()) == []
    assert warned == ["nothing is cached: [Errno 28] No space left on device"]


def test_a_build_that_fails_is_not_cached(folder):
    def fails():
        raise UserError("no data")

    with pytest.raises(UserError, match="no data"):
        cache.cached("key", fails)
    same(cache.cached("key", Build()), Build())


def test_arrays_of_objects_are_refused(folder):
    with pytest.raises(TypeError, match="words"):
        cache.cached("key", lambda: {"words": np.array([[1], "a"], object)})
    assert not folder.exists()
