"""Files from strangers: nothing is unpickled, and nothing is written where an archive's members say."""

import ast
import contextlib
import io
import tarfile
import wave
import zipfile
from pathlib import Path

import pytest

from places import ROOT
from seqjax.data import packed
from seqjax.data.sound import clips
from seqjax.errors import UserError

SOURCES = [*(ROOT / "seqjax").rglob("*.py"), *(ROOT / "experiments").rglob("*.py")]
PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
"""Modules whose files are programs."""
UNSAFE = {"allow_pickle": False, "weights_only": True}
EXTRACTS = {"extract", "extractall", "unpack_archive"}


def test_nothing_is_unpickled_and_no_archive_is_unpacked():
    assert len(SOURCES) > 300
    wrong = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wrong += [(path.name, name) for name in names if name.partition(".")[0] in PICKLES]
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                wrong += [(path.name, called)] if called in EXTRACTS else []
                for keyword in node.keywords:
                    value = getattr(keyword.value, "value", None)
                    if keyword.arg in UNSAFE and value is not UNSAFE[keyword.arg]:
                        wrong.append((path.name, keyword.arg))
    assert wrong == []


HOSTILE = ("../evil.wav", "/tmp/seqjax_evil.wav", "a/../../evil.wav", "..\\evil.wav", "C:\\evil.wav")


def sound():
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(800))
    return buffer.getvalue()


def tarred(name, content):
    """A tar archive with a file under a name that leads out of its folder, and a link that does."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, "/tmp"
        archive.addfile(link)
    return buffer.getvalue()


def zipped(name, content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_names_only(name, tmp_path, monkeypatch):
    here = tmp_path / "a" / "b"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    with contextlib.suppress(UserError):
        found = list(clips.contained(tarred(name, sound()), "sounds.tar.gz", rate=8000))
        assert len(found) == 1
    table = b"time,value\n2026-01-01,1\n"
    packed.unpacked(zipped(name.replace("wav", "csv"), table), "table.zip")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert not Path("/tmp/seqjax_evil.wav").exists()
