"""Where files are kept if nobody says otherwise."""

import os
from pathlib import Path

from seqjax.errors import UserError


def cache_dir() -> Path:
    """The folder for what can be made or fetched again: `$XDG_CACHE_HOME/seqjax`, else `~/.cache/seqjax`.

    Raises:
      UserError: neither the variable is set nor a home folder known (a container's nameless user).
    """
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "seqjax"
    except RuntimeError:
        raise UserError("no home folder is known: set XDG_CACHE_HOME, or SEQJAX_DATA_DIR for the data") from None


def data_dir_default() -> Path:
    """The folder of the data files without `--data_dir`: `$SEQJAX_DATA_DIR`, else the cache folder.

    Raises:
      UserError: as `cache_dir`, or the variable's `~name` is nobody's home.
    """
    named = os.environ.get("SEQJAX_DATA_DIR")
    if not named:
        return cache_dir()
    try:
        return Path(named).expanduser()
    except RuntimeError:
        raise UserError(f"SEQJAX_DATA_DIR={named}: no such home folder") from None


def data_dir(given: str | None) -> Path:
    """The folder that `--data_dir` names, or the default.

    Raises:
      UserError: its `~name` is nobody's home; or as `data_dir_default`.
    """
    if not given:
        return data_dir_default()
    try:
        return Path(given).expanduser()
    except RuntimeError:
        raise UserError(f"--data_dir={given}: no such home folder") from None
