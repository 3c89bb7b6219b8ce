"""Who trains which member, where any number of workers share a folder: files that one alone can make.

A claim is a file `NAME.1`, its first generation, that holds who has made it and a count that grows with each beat.
Another worker that has seen one and the same count for `lease` seconds, by its own clock, takes the claim over: it
makes the next generation, `NAME.2`. That a file is there already is the one thing that workers learn of each other at
the same instant; so clocks may differ, nobody needs a lock of the file system, and of two who take over one does. A
worker that was only asleep finds the next generation there, or that it has been silent for its lease, and has lost.

On NFS a file is made by a link, which is one step there; what a client remembers of a folder for a while (up to 60 s)
makes takeovers later, never double, as long as the lease is longer.
"""

import contextlib
import dataclasses
import errno
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""Said by file systems without links: there a file is made by O_EXCL."""


def clock() -> float:
    """Seconds that nobody sets, and that go on while the machine sleeps (where it tells)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def create_once(path: Path, text: str, worker: str) -> bool:
    """Make a file that is seen whole or not at all; False: there is one, which stays as it is.

    Args:
      path: of the file.
      text: what it holds.
      worker: who makes it; no two have the same name.

    Raises:
      OSError: it cannot be written.
    """
    temporary = path.with_name(f"{path.name}.{worker}.tmp")
    try:
        _write(temporary, text)
        try:
            os.link(temporary, path)
        except FileExistsError:
            # NFS may make the link, lose the answer, and say so of its second try.
            return temporary.stat().st_nlink == 2
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            try:
                with path.open("x", encoding="utf-8") as file:
                    file.write(text)
            except FileExistsError:
                return False
        return True
    finally:
        temporary.unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@dataclasses.dataclass
class Claim:
    """One that this worker holds."""

    path: Path
    """The file of its generation."""
    after: Path
    """The file by which another one would take it over."""
    worker: str
    beats: int = 0
    said: float = 0.0
    """When the last beat was begun to be written, by the worker's clock."""

    def text(self, released: bool = False) -> str:
        """What the file holds."""
        return json.dumps({"worker": self.worker, "beat": self.beats, "released": released}) + "\n"


class Claims:
    """Those of a folder, as one worker sees them."""

    def __init__(self, folder: Path, worker: str, lease: float, clock: Callable[[], float] = clock):
        """Args: folder: of the files. worker: no two have one name. lease: seconds. clock: of this worker alone."""
        self._folder, self._worker, self._lease, self._clock = folder, worker, lease, clock
        self._seen: dict[Path, tuple[str, float]] = {}

    def take(self, name: str) -> Claim | None:
        """The claim, if nobody has it, or who had it is silent for the lease; else None.

        Raises:
          OSError: the folder cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        generation = self._last(name)
        if generation and not self._is_free(self._path(name, generation)):
            return None
        path, after = self._path(name, generation + 1), self._path(name, generation + 2)
        claim = Claim(path, after, self._worker, said=self._clock())
        return claim if create_once(path, claim.text(), self._worker) else None

    def holder(self, name: str) -> str:
        """Who has it, as far as the files tell; "" for nobody."""
        generation = self._last(name)
        with contextlib.suppress(ValueError, KeyError, TypeError):
            found = json.loads(self._read(self._path(name, generation)))
            return "" if found["released"] else str(found["worker"])
        return "somebody" if generation else ""

    def beat(self, claim: Claim) -> bool:
        """Say that its holder lives; False: it has lost it, and must touch nothing any more.

        Raises:
          OSError: the folder cannot be written now; the claim is held for the rest of its lease.
        """
        if not self.is_held(claim):
            return False
        said = self._clock()  # before others can have seen it, so that they wait longer than this worker trusts it
        claim.beats += 1
        self._rewrite(claim, claim.text())
        claim.said = said
        return not claim.after.exists()

    def is_held(self, claim: Claim) -> bool:
        """Whether nobody can have taken it over."""
        return self._clock() - claim.said < self._lease and not claim.after.exists()

    def release(self, claim: Claim) -> None:
        """Others may have it from now on."""
        if self.is_held(claim):
            self._rewrite(claim, claim.text(released=True))

    def _rewrite(self, claim: Claim, text: str) -> None:
        temporary = claim.path.with_name(f"{claim.path.name}.{self._worker}.tmp")
        _write(temporary, text)
        temporary.replace(claim.path)

    def _path(self, name: str, generation: int) -> Path:
        return self._folder / f"{quote(name, safe='=,.')}.{generation}"

    def _last(self, name: str) -> int:
        """The newest generation's number; 0: there is none."""
        generation = 0
        while self._path(name, generation + 1).exists():
            generation += 1
        return generation

    def _is_free(self, path: Path) -> bool:
        """Whether the claim is released, or has not been seen to change for the lease."""
        text, now = self._read(path), self._clock()
        with contextlib.suppress(ValueError, KeyError, TypeError):
            if json.loads(text)["released"]:
                return True
        last, since = self._seen.get(path, (None, now))
        if last != text:
            self._seen[path] = (text, now)
            return False
        return now - since > self._lease

    @staticmethod
    def _read(path: Path) -> str:
        """Of none, or of one half written, what is no JSON: its holder lives for a lease all the same."""
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
