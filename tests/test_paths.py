"""Paths that a user gives to the commands: what cannot be read or written is one line, before hours of work."""

import errno
import os
import sys

import pytest

from seqjax import command_line, folders
from seqjax.analogies import read
from seqjax.data.text.vectors import Vectors, write_text
from seqjax.errors import RunStoppedError, UserError
from seqjax.files import check_writable, shown

LONG = "x" * 300


def test_where_a_file_could_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    check_writable(tmp_path / "file", "--output")
    check_writable(tmp_path / "new" / "folder" / "file", "--output")
    assert os.listdir(tmp_path / "new" / "folder") == []
    for path, reason in (
        (tmp_path, "is a folder, not a file"),
        (tmp_path / "file" / "x", "cannot be written: "),
        (tmp_path / LONG, "cannot be written: File name too long"),
    ):
        with pytest.raises(UserError, match=f"^--output=.* ?{reason}"):
            check_writable(path, "--output")


@pytest.mark.parametrize("name", ["no/such/x.txt", ".", LONG, "a\0b"])
def test_vectors_that_cannot_be_written_or_read(tmp_path, name):
    with pytest.raises(UserError, match="cannot be written: "):
        write_text(tmp_path / name, Vectors([], __import__("numpy").zeros((0, 2), "f4")))
    with pytest.raises(UserError):
        read(tmp_path / name)


def test_a_home_that_is_nobodys(monkeypatch, tmp_path):
    with pytest.raises(UserError, match="--data_dir=~nobody-at-all: no such home folder"):
        folders.data_dir("~nobody-at-all")
    assert folders.data_dir(str(tmp_path)) == tmp_path
    monkeypatch.setenv("SEQJAX_DATA_DIR", str(tmp_path))
    assert folders.data_dir(None) == tmp_path


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (UserError("mine\nand more"), "seqjax: mine and more\n", 2),
        (RunStoppedError("stopped", 143), "seqjax: stopped\n", 143),
        (OSError(errno.EISDIR, "Is a directory", "/x"), "seqjax: /x: Is a directory\n", 2),
        (OSError(errno.ENOSPC, "No space left on device"), "seqjax: No space left on device\n", 2),
    ],
)
def test_an_error_of_the_users_is_one_line_and_a_code(capsys, error, line, code, monkeypatch):
    monkeypatch.setattr(command_line, "_forget_output", lambda: None)
    hook = sys.excepthook
    with pytest.raises(SystemExit) as left, command_line.failing():
        raise error
    assert left.value.code == code
    assert capsys.readouterr().err == line
    assert sys.excepthook is hook


def test_nobody_reads_on(capsys, monkeypatch):
    forgotten = []
    monkeypatch.setattr(command_line, "_forget_output", lambda: forgotten.append(True))
    with command_line.failing():
        raise BrokenPipeError
    assert forgotten == [True]
    assert capsys.readouterr().err == ""


def test_a_fault_of_ours_is_not_hidden():
    with pytest.raises(ZeroDivisionError), command_line.failing():
        raise ZeroDivisionError


def test_a_path_for_a_message():
    assert shown("a/b") == "a/b"
    assert shown(LONG) == f"{LONG[:80]}...(300 characters)"
    assert shown("a\0\nb") == "'a\\x00\\nb'"
