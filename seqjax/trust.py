"""Which experiment files of run folders may be run here: a stranger's run folder brings a stranger's program.

Known are the bytes of the experiments that are installed (`seqjax.experiment.folders`), of those that a run here has
begun with, and those that `--trust` was given for. Their SHA-256 are the names of empty files in the cache folder's
`trusted`; where that cannot be written, only what is installed is known. Standard library only.
"""

import contextlib
import hashlib
from collections.abc import Iterable
from pathlib import Path

from seqjax import folders
from seqjax.errors import UserError


def remember(text: str) -> bool:
    """From now on a file of this text may be run. Returns whether that could be written down."""
    with contextlib.suppress(UserError, OSError):
        mark = _mark(text)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        return True
    return False


def check(path: Path, text: str, installed: Iterable[Path]) -> None:
    """Does nothing if the file may be run.

    Args:
      path: of the file, in a run folder.
      text: what it says.
      installed: files of the same name or another, any of which may say the same.

    Raises:
      UserError: it is a stranger's.
    """
    for file in installed:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if _plain(file.read_bytes().decode("utf-8-sig")) == _plain(text):
                return
    with contextlib.suppress(UserError, OSError):
        if _mark(text).exists():
            return
    raise UserError(
        f"{path} is a program that would be run, and neither is such an experiment installed here nor has a run here "
        "begun with it: read it, and if it does what you want give --trust"
    )


def _mark(text: str) -> Path:
    return folders.cache_dir() / "trusted" / hashlib.sha256(_plain(text).encode()).hexdigest()


def _plain(text: str) -> str:
    """With the line ends of any system."""
    return text.replace("\r\n", "\n")
