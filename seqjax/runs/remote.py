"""A run's folder in an object store (gs://, s3://): the run works on a copy of its own here, and what it has written is
copied there, while it trains and when it ends.

So nothing else of a run knows of stores, where there is no renaming and no lock. What a killed process leaves there can
be resumed: rows are copied before the checkpoints that need them, files of a checkpoint only when it is whole, and what
is gone here is deleted there last; a checkpoint of which half has arrived is damaged like any other, and the one before
is taken. Whoever starts takes a run over: another process that still trains it saves, and leaves.

Through fsspec: `pip install gcsfs` for gs://, `s3fs` for s3://. (etils' epath, which orbax takes, goes through it too,
but through TensorFlow where that is installed, which takes seconds and knows no s3://.)
"""

import contextlib
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqjax import folders
from seqjax.errors import UserError
from seqjax.files import shown

SCHEMES = ("gs://", "s3://")
PACKAGES = {"gs://": "gcsfs", "s3://": "s3fs"}
OWNER = "owner.txt"
"""Who trains there: a random word and a host."""
UNFINISHED = (".tmp", ".lock")


def is_remote(name: str | None) -> bool:
    """Whether a --workdir is in a store."""
    return bool(name) and str(name).startswith(SCHEMES)


@contextlib.contextmanager
def working_copy(name: str, *, trains: bool, seconds: float) -> Iterator[Path]:
    """A copy of the store's folder; what is written to it while it trains is copied back.

    Args:
      name: gs://BUCKET/FOLDER or s3://BUCKET/FOLDER.
      trains: whether anything is written.
      seconds: between two copies back.

    Raises:
      UserError: the store cannot be reached, read or written; or another process has taken the run over.
    """
    with _own_folder(folders.cache_dir() / "remote") as folder:
        mirror = Mirror(name, folder / (name.rstrip("/").rpartition("/")[2] or "run"))
        with _told(name, "read"):
            mirror.pull()
        if not trains:
            with _named(mirror):
                yield mirror.local
            return
        with _told(name, "written"):
            mirror.take()
        ended = threading.Event()
        thread = threading.Thread(target=_keep, args=(mirror, ended, seconds), daemon=True)
        thread.start()
        try:
            with _named(mirror):
                yield mirror.local
        finally:
            ended.set()
            thread.join()
            mirror.finish()


@contextlib.contextmanager
def _own_folder(parent: Path) -> Iterator[Path]:
    """A new folder, gone when this ends; those of processes that were killed go first."""
    import filelock

    parent.mkdir(parents=True, exist_ok=True)
    for lock in parent.glob("*.lock"):
        with contextlib.suppress(filelock.Timeout, OSError), filelock.FileLock(lock, timeout=0):
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink()
    folder = Path(tempfile.mkdtemp(dir=parent))
    lock = folder.with_name(folder.name + ".lock")
    try:
        with filelock.FileLock(lock):
            yield folder
    finally:
        lock.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _named(mirror: "Mirror") -> Iterator[None]:
    """Say the store's folder where a message would name the copy."""
    try:
        yield
    except UserError as error:
        error.args = (str(error).replace(str(mirror.local), mirror.name), *error.args[1:])
        raise


def _keep(mirror: "Mirror", ended: threading.Event, seconds: float) -> None:
    """Copy back from time to time. A store that does not answer is tried again; one that is taken over ends the run."""
    while not ended.wait(seconds):
        try:
            mirror.push()
        except TakenOverError:
            os.kill(os.getpid(), signal.SIGTERM)
            return
        except Exception as error:  # whatever a store's library raises when it cannot be reached
            print(f"seqjax: {mirror.name} is not written for now: {_line(error)}", file=sys.stderr, flush=True)


class TakenOverError(UserError):
    """Another process trains the same run."""


class Mirror:
    """A folder here and what is known of its copy in the store."""

    def __init__(self, name: str, local: Path):
        """Args: name: of the store's folder. local: that here, which is made."""
        if not name.partition("://")[2].strip("/"):
            raise UserError(f"--workdir={name} names no bucket: give {name.partition('://')[0]}://BUCKET/FOLDER")
        self.name, self.local = name.rstrip("/"), local
        for library in ("botocore", "aiobotocore", "s3fs", "gcsfs"):  # they tell of credentials that they have found
            logging.getLogger(library).setLevel(logging.WARNING)
        scheme, _, self.folder = self.name.partition("://")
        with _told(name, "read"):
            import fsspec  # not for those who have no store

            self.store: Any = fsspec.filesystem(scheme, skip_instance_cache=True, use_listings_cache=False)
        self.sent: dict[str, tuple[int, int]] = {}
        self.owner = f"{uuid.uuid4().hex} {socket.gethostname()}"
        local.mkdir()

    def pull(self) -> None:
        """Copy all that is there."""
        for file in self.store.find(self.folder):
            inside, path = file.strip("/").startswith(f"{self.folder}/"), file.strip("/")[len(self.folder) + 1 :]
            if not inside or not path or path == OWNER or not _stays(path):
                continue
            target = self.local / path
            if self.local.resolve() not in target.resolve().parents:
                raise UserError(f"{self.name} holds {shown(path)}, which is outside of it")
            target.parent.mkdir(parents=True, exist_ok=True)
            self.store.get_file(file, str(target))
            self.sent[path] = _state(target)

    def take(self) -> None:
        """Say that this process trains there from now on."""
        self.store.pipe_file(f"{self.folder}/{OWNER}", self.owner.encode())

    def push(self) -> None:
        """Copy what is new. Raises TakenOverError: another process trains there now."""
        found = self.store.cat_file(f"{self.folder}/{OWNER}").decode(errors="replace")
        if found != self.owner:
            host = shown(found.partition(" ")[2] or "unknown")
            raise TakenOverError(f"another process, on {host}, has taken over {self.name}; this one has left it")
        for path in self._here():
            with contextlib.suppress(FileNotFoundError):  # an old checkpoint may go at any time
                state = _state(self.local / path)
                if self.sent.get(path) != state:
                    self.store.put_file(str(self.local / path), f"{self.folder}/{path}")
                    self.sent[path] = state
        for path in [path for path in self.sent if not (self.local / path).exists()]:
            with contextlib.suppress(FileNotFoundError):
                self.store.rm_file(f"{self.folder}/{path}")
            del self.sent[path]

    def _here(self) -> list[str]:
        """Files in the order in which they are copied. Listed before anything is read: rows are never too few."""
        found = [str(path.relative_to(self.local)) for path in sorted(self.local.rglob("*")) if path.is_file()]
        return sorted(filter(_stays, found), key=_turn)

    def finish(self) -> None:
        """Copy the last time. Raises UserError: it cannot be; the message says where what is newer lies."""
        try:
            self.push()
        except TakenOverError:
            raise
        except Exception as error:  # as in `_keep`
            kept = self.local.rename(Path(tempfile.mkdtemp(prefix="kept-", dir=self.local.parent.parent)) / "run")
            raise UserError(
                f"{self.name} cannot be written: {_line(error)}; all of the run lies in {kept}: copy it there, and the "
                "same command resumes"
            ) from error


def _stays(path: str) -> bool:
    """Whether a file belongs to the run, and is not on its way to become one."""
    return not path.endswith(UNFINISHED) and ".orbax-checkpoint-tmp" not in path


def _turn(path: str) -> int:
    """The later of two files needs the earlier."""
    last = path.rpartition("/")[2]
    if last == "config.json":
        return 0
    if "checkpoints/" in path:
        return 2 if "checkpoints/best/" in path else 3
    return 4 if last == "results.json" else 1


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


@contextlib.contextmanager
def _told(name: str, what: str) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # whatever a store's library raises
        missing = isinstance(error, ImportError) or "nstall" in str(error)
        package = PACKAGES.get(name.partition("://")[0] + "://", "")
        mend = f"pip install {package}" if missing else "is the name right, and may you?"
        raise UserError(f"--workdir={name} cannot be {what}: {_line(error)}; {mend}") from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
