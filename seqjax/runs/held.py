"""A member's folder while its worker holds the claim to it, and the signs of life that hold it."""

import contextlib
import errno
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from seqjax.command_line import complain
from seqjax.errors import UserError
from seqjax.runs.claims import Claim, Claims
from seqjax.training.workdir import Row, Workdir

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""Said where a file system, NFS without its lock daemon for one, has no locks: the claim is enough."""


class BusyError(Exception):
    """A process on this machine trains the member without a claim: an older command of it, say."""


class Held(Workdir):
    """A member's folder, which is written only while its claim is held."""

    def __init__(self, path: Path, claims: Claims, claim: Claim):
        super().__init__(path)
        self._own_claims, self._own_claim = claims, claim

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """As `Workdir.lock`. Raises BusyError: another process holds it."""
        import filelock

        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(super().lock())
            except UserError as error:
                if isinstance(error.__cause__, filelock.Timeout):
                    raise BusyError(str(error)) from error
                if getattr(error.__cause__, "errno", None) not in NO_LOCKS:
                    raise
            yield

    def append_row(self, row: Row) -> None:
        """See `Workdir`."""
        self._check()
        super().append_row(row)

    def _write(self, name: str, text: str) -> None:
        self._check()
        super()._write(name, text)

    def _check(self) -> None:
        if not self._own_claims.is_held(self._own_claim):
            leave_lost(self.path)


def leave_lost(path: Path) -> NoReturn:
    """End the process at once: another worker may be at it."""
    complain(f"{path} was taken over: this worker has been silent for too long; start another one")
    sys.stderr.flush()
    os._exit(1)


class Heart(threading.Thread):
    """Beats for a claim while its member is trained."""

    def __init__(self, claims: Claims, claim: Claim, seconds: float, path: Path):
        super().__init__(daemon=True, name="seqjax heart")
        self._own_claims, self._own_claim, self._seconds, self._path = claims, claim, seconds, path
        self._enough = threading.Event()

    def run(self) -> None:
        """Until `stop`; where the claim is lost the process ends."""
        while not self._enough.wait(self._seconds):
            with contextlib.suppress(OSError):  # a folder that cannot be written now may be later on
                self._own_claims.beat(self._own_claim)
            if not self._own_claims.is_held(self._own_claim) and not self._enough.is_set():
                leave_lost(self._path)

    def stop(self) -> None:
        """No beat comes after this."""
        self._enough.set()
        self.join()
