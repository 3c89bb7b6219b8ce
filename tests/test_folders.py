"""Default folders: the variables, the home folder, and neither."""

from pathlib import Path

import pytest

from seqjax import folders
from seqjax.errors import UserError


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CACHE_HOME", "SEQJAX_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_home_is_the_last_resort(home):
    assert folders.cache_dir() == folders.data_dir_default() == home / ".cache/seqjax"


def test_variables_come_first_and_are_expanded(home, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "~/elsewhere")
    assert folders.cache_dir() == folders.data_dir_default() == home / "elsewhere/seqjax"
    monkeypatch.setenv("SEQJAX_DATA_DIR", "~/data")
    assert folders.data_dir_default() == home / "data"
    assert folders.cache_dir() == home / "elsewhere/seqjax"


def test_an_empty_variable_counts_as_unset(home, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("SEQJAX_DATA_DIR", "")
    assert folders.data_dir_default() == home / ".cache/seqjax"


def test_no_home_is_said_in_one_line(monkeypatch):
    def homeless(self):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", homeless)
    with pytest.raises(UserError, match="XDG_CACHE_HOME"):
        folders.cache_dir()


def test_a_stranger_s_home_is_named(monkeypatch):
    monkeypatch.setenv("SEQJAX_DATA_DIR", "~nobody-of-that-name/data")
    with pytest.raises(UserError, match="SEQJAX_DATA_DIR=~nobody-of-that-name/data"):
        folders.data_dir_default()
