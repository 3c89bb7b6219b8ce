"""Tiny Shakespeare (Karpathy 2015): found or downloaded; and how a text file is read."""

import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqjax.data.decoding import not_utf8
from seqjax.data.download import download
from seqjax.errors import UserError

ADDRESS = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}


def find(data_dir: Path) -> Path | None:
    """`tinyshakespeare/input.txt`, or `.txt.gz`, below a folder."""
    paths = (data_dir / "tinyshakespeare" / name for name in ("input.txt", "input.txt.gz"))
    return next((path for path in paths if path.is_file()), None)


def download_text(data_dir: Path) -> Path:
    """Fetch it from its author's repository.

    Raises:
      UserError: no network, no room, or another content than the known one.
    """
    return download(ADDRESS, data_dir / "tinyshakespeare" / "input.txt", sha256=SHA256)


def read(path: Path) -> str:
    """A text in UTF-8, with or without a byte order mark; line ends become newlines.

    Raises:
      UserError: there is no such file, it cannot be read, is damaged, empty or not UTF-8.
    """
    try:
        with OPENERS.get(path.suffix, open)(path, "rb") as file:
            content = file.read()
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}") from error
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(str(path), error) from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text:
        raise UserError(f"{path} is empty")
    return text
