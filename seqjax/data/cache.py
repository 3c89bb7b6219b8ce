"""Arrays that are dear to compute, kept on disk. A damaged entry is computed again, never trusted.

An entry is one file below `folders.cache_dir()`, named after its key: a line with the sha256 of key and
content, then the arrays as an `.npz`. Nothing deletes an entry but you: the whole folder may go at any time.
"""

import hashlib
import io
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from seqjax import folders
from seqjax.errors import UserError

MAGIC = b"seqjax cache 1 "


def cached(key: str, build: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays of `build()`, from disk if an earlier call with this key left them there.

    Args:
      key: must name everything that the arrays depend on: content, options, and the code that computes them.
      build: computes the arrays; none of dtype object.

    A file that cannot be read, or does not hold what was written under this key, is rebuilt with a warning.
    A cache that cannot be written costs a warning and the next start's time, nothing else.

    Raises:
      TypeError: `build` returned an array of objects.
    """
    try:
        path = folders.cache_dir() / "arrays" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
    except UserError as error:
        logging.warning("nothing is cached: %s", error)
        return _arrays(build)
    found = _read(path, key)
    if found is not None:
        return found
    arrays = _arrays(build)
    _write(path, key, arrays)
    return arrays


def _arrays(build: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    arrays = {name: np.asarray(values) for name, values in build().items()}
    for name, values in arrays.items():
        if values.dtype.hasobject:  # would be stored as a pickle, which is never loaded
            raise TypeError(f"{name}: arrays of objects cannot be cached")
    return arrays


def _header(key: str, content: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(key.encode() + b"\0")
    digest.update(content)
    return MAGIC + digest.hexdigest().encode() + b"\n"


def _read(path: Path, key: str) -> dict[str, np.ndarray] | None:
    """The arrays of a whole entry; None if it is absent or not to be trusted."""
    try:
        stored = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        logging.warning("the cache cannot be read, computing again: %s", error)
        return None
    start = stored.find(b"\n", 0, len(MAGIC) + 65) + 1
    content = memoryview(stored)[start:]
    if stored[:start] != _header(key, content):
        logging.warning("%s is damaged, computing again", path)
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return dict(archive)


def _write(path: Path, key: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Put an entry under its final name in one step, or warn."""
    buffer = io.BytesIO()
    named: dict[str, Any] = dict(arrays)  # typed so for pyright, which takes an array for savez's own options
    np.savez(buffer, **named)
    content = buffer.getbuffer()
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=path.stem, suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(_header(key, content))
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        logging.warning("nothing is cached: %s", error)
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
