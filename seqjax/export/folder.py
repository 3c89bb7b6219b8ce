"""The folder that an export leaves: never another one's."""

import json
from collections.abc import Mapping
from pathlib import Path

from seqjax.errors import UserError
from seqjax.files import shown, write_atomically

MARK = "export.json"
"""Lists the files that an export has written."""


def check(path: Path) -> None:
    """Does nothing if an export may be written there. Raises UserError: it holds what no export has made."""
    try:
        if path.exists() and not path.is_dir():
            raise UserError(f"--output={shown(path)} is a file; choose an empty or a new folder")
        strangers = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []
    except OSError as error:
        raise UserError(f"--output={shown(path)} cannot be read: {error.strerror}") from error
    own = _own(path)
    others = [name for name in strangers if name not in (*own, MARK)]
    if others and not own:
        said = f"--output={shown(path)} holds other files ({others[0]}, ...) and no export"
        raise UserError(f"{said}; choose an empty or a new folder")


def write(path: Path, files: Mapping[str, bytes | str], about: Mapping[str, object]) -> None:
    """Write the files, and take away those of an export before.

    Raises:
      UserError: as `check`, or it cannot be written.
    """
    check(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        for name in _own(path):
            if name not in files:
                (path / name).unlink(missing_ok=True)
        written = json.dumps({"seqjax": "export", **about, "files": sorted(files)}, indent=1) + "\n"
        write_atomically(path / MARK, written)  # first: what a killed process leaves is known for an export's
        for name, content in files.items():
            write_atomically(path / name, content)
    except OSError as error:
        raise UserError(f"--output={shown(path)} cannot be written: {error.strerror}") from error


def _own(path: Path) -> list[str]:
    """The names of the files of an export there, without folders."""
    try:
        found = json.loads((path / MARK).read_text(encoding="utf-8"))
        names = found["files"] if found["seqjax"] == "export" else []
        return [name for name in names if isinstance(name, str) and Path(name).name == name]
    except (OSError, ValueError, KeyError, TypeError):
        return []
