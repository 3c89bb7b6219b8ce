"""Compiled programs are kept on disk, so that the same run started again compiles nothing: JAX's persistent cache.

What lies there is the machine code that XLA has made, so a program from the cache computes the same bits as one that
is compiled anew. Calls of the native library are in it by name, and are looked up in the library that is loaded: a
newer library needs no other entry.
"""

import contextlib
import hashlib
import os
import sys
import warnings
from pathlib import Path

from seqjax import folders, runtime
from seqjax.errors import UserError

COMPILE_SECONDS = 0.05
"""What compiles in less is not kept."""
KEPT_BYTES = 512 << 20
"""Of all programs for this kind of processor; the oldest go. A run has about ten, of 10 to 100 kB each."""


def keep_programs() -> None:
    """Let JAX keep what it compiles in the cache folder; to be called before it is imported.

    Does nothing where the environment says otherwise (`JAX_COMPILATION_CACHE_DIR`, `JAX_ENABLE_COMPILATION_CACHE`),
    where the folder cannot be used, and on other systems than Linux (on macOS jaxlib has been seen to crash when it
    read large programs).
    """
    chosen = {"JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE"} & set(os.environ)
    if sys.platform != "linux" or "jax" in sys.modules or chosen:
        return
    with contextlib.suppress(UserError, OSError):  # no home folder, a disk that is full or read-only
        digest = hashlib.sha256(runtime.processor().encode()).hexdigest()[
            :16
        ]  # a home folder may be shared by machines
        folder = folders.cache_dir() / "programs" / digest
        folder.mkdir(parents=True, exist_ok=True)
        prune(folder, KEPT_BYTES)
        if os.access(folder, os.W_OK | os.X_OK):
            os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
            os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", str(COMPILE_SECONDS))
            os.environ.setdefault("JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES", "none")
            # An entry that is damaged, or cannot be written, is compiled instead: nothing that a user need know.
            warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")


def settle(threads: int | None = None, tune: bool = True) -> dict[str, str]:
    """What a command that trains does before JAX is imported: programs kept, threads limited, memory and vectors tuned.

    Returns what `seqjax.runtime.tune` has applied.
    """
    keep_programs()
    runtime.limit_threads(threads)
    return runtime.tune() if tune else {}


def prune(folder: Path, kept: int) -> None:
    """Remove the oldest files of a folder until those that are left have `kept` bytes at most.

    Raises:
      OSError: it cannot be read.
    """
    with os.scandir(folder) as entries:
        files = [(entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in entries if entry.is_file()]
    for _, size, path in sorted(files, reverse=True):
        kept -= size
        if kept < 0:
            Path(path).unlink(missing_ok=True)
