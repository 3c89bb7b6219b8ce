"""Any number of workers, on any machines that see one folder, train the members of --seeds and --sweep.

Each is one process that claims a member (`seqjax.runs.claims`), trains it as its own command would, bit for bit, and
claims the next; they may join, leave and be killed at any time. One that has nothing left to claim waits for the
others, in case one of them dies; whoever finds all finished writes the common results.json.
"""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqjax.command_line import complain
from seqjax.errors import RunStoppedError, UserError, check_least
from seqjax.files import exact, to_json, unwritten
from seqjax.runs import commands
from seqjax.runs.claims import Claims, create_once
from seqjax.runs.held import BusyError, Heart, Held
from seqjax.runs.lines import result_line
from seqjax.runs.members import Member, check_folders, config_of
from seqjax.runs.summary import Results, summary
from seqjax.training import identity
from seqjax.training.interrupt import Interrupt
from seqjax.training.workdir import Workdir

if TYPE_CHECKING:
    from seqjax.training.program import Settings

LEASE = 120.0
"""Seconds without a sign of life after which a member is taken over."""
BEATS = 6
"""Signs of life in a lease."""
INDICES = ("SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX")
"""Which of the workers this is, where a scheduler tells: they begin with different members."""


class Worker:
    """One of those that share a folder."""

    def __init__(
        self,
        name: str,
        workdir: Workdir,
        members: Sequence[Member],
        *,
        options: Sequence[str],
        data: str,
        data_dir: Path,
        settings: "Settings",
        tuned: Mapping[str, str],
        lease: float = LEASE,
        clear: Callable[[], None] = lambda: None,
    ):
        """Args: see `seqjax.runs.members.train` and `seqjax.runs.commands.train`; lease: seconds; clear: called
        after each member.

        Raises:
          UserError: a lease below 2 seconds.
        """
        check_least("lease", lease, 2)
        self._name, self._workdir, self._lease = name, workdir, lease
        self._options, self._data, self._data_dir, self._settings, self._tuned = (
            options,
            data,
            data_dir,
            settings,
            tuned,
        )
        self._id = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(3).hex()}"
        self._claims = Claims(workdir.path / "claims", self._id, lease)
        self._members, self._clear = members, clear
        self._busy: dict[Member, float] = {}
        self._told = ""

    def train(self, function: Any) -> Results:
        """Train or resume members until all are finished; returns what results.json holds.

        Raises:
          UserError: the workdir holds something else, or cannot be written.
          RunStoppedError: a signal came, the member saved; or members failed, the others trained all the same.
        """
        config = config_of(self._name, self._members, self._options, self._data, function)
        self._begin(config, function)
        while True:
            left = [member for member in rotated(self._members, os.environ) if not self._is_done(member)]
            if not left:
                break
            if not any(self._try(member) for member in left):
                self._wait([member for member in left if not self._is_done(member)])
        failed = [member.folder for member in self._members if self._note(member).exists()]
        if failed:
            raise RunStoppedError(
                f"{len(failed)} of {len(self._members)} runs failed: {failed[0]}; see above, or in "
                f"{self._workdir.path / 'claims'}/*.failed, which to delete has them trained again"
            )
        return self._sum_up(config)

    def _begin(self, config: Mapping[str, Any], function: Any) -> None:
        """Make the common folder, or find that it is of the same members."""
        self._workdir.check(config)
        old = self._workdir.config()
        if old is not None and identity.grows(old.get("options", {}), config):
            raise UserError(f"workdir {self._workdir.path}: more epochs are not for --members=shared: give processes")
        check_folders(self._workdir, self._members, function, self._options)
        kept = {name: value for name, value in config.items() if name != "given"}
        try:
            self._workdir.path.mkdir(parents=True, exist_ok=True)
            create_once(self._workdir.path / "config.json", to_json(exact(kept), indent=2) + "\n", self._id)
        except OSError as error:
            raise unwritten(self._workdir.path, error) from error
        self._workdir.check(config)  # another worker may have been the first

    def _is_done(self, member: Member) -> bool:
        return self._note(member).exists() or Workdir(self._workdir.path / member.folder).results() is not None

    def _note(self, member: Member) -> Path:
        """Where a failure that would come again is told."""
        return self._workdir.path / "claims" / f"{member.folder.replace('/', '%2F')}.failed"

    def _try(self, member: Member) -> bool:
        """Train the member, if it can be had; False: it cannot."""
        if self._is_done(member):  # meanwhile
            return True
        if member in self._busy and time.monotonic() - self._busy[member] < self._lease:
            return False
        path = self._workdir.path / member.folder
        try:
            claim = self._claims.take(member.folder)
        except OSError as error:
            raise unwritten(self._workdir.path, error) from error
        if claim is None:
            return False
        heart = Heart(self._claims, claim, self._lease / BEATS, path)
        heart.start()
        try:
            # Looked at again now that it is ours: who had it may have finished it in between.
            return self._is_done(member) or self._train(member, Held(path, self._claims, claim))
        finally:
            heart.stop()
            with contextlib.suppress(OSError):
                self._claims.release(claim)

    def _train(self, member: Member, folder: Held) -> bool:
        print(f"{self._id} trains {member.folder}", flush=True)
        options = [*self._options, *member.settings]
        try:
            results = commands.train(
                self._name,
                folder,
                options=options,
                data=self._data,
                data_dir=self._data_dir,
                settings=self._settings,
                tuned=self._tuned,
            )
            print(f"{member.folder}: {result_line(results)}", flush=True)
        except BusyError as error:
            complain(str(error))
            self._busy[member] = time.monotonic()
            return False
        except RunStoppedError as error:
            if error.exit_code != 1:  # a signal
                raise
            complain(f"{member.folder}: {error}")
            create_once(self._note(member), f"{error}\n", self._id)
        finally:
            self._clear()
        return True

    def _wait(self, left: Sequence[Member]) -> None:
        """A little, for members that others train."""
        held = {member.folder: self._claims.holder(member.folder) for member in left}
        told = ", ".join(f"{folder} ({who})" for folder, who in list(held.items())[:3] if who)
        if told and told != self._told:
            self._told = told
            print(f"{self._id} waits for {told}", flush=True)
        until = time.monotonic() + min(5.0, self._lease / BEATS)
        with Interrupt() as interrupt:
            while interrupt.signal is None and time.monotonic() < until:
                time.sleep(0.2)
        if interrupt.signal is not None:
            name = signal.Signals(interrupt.signal).name
            raise RunStoppedError(f"stopped by {name}, waiting; others train on", 128 + interrupt.signal)

    def _sum_up(self, config: Mapping[str, Any]) -> Results:
        """Write the common results.json, as all who find all finished would; one does."""
        shared = {"experiment": self._name, "options": config["options"], "data": self._data}
        results = {**shared, **summary(self._workdir.path, self._members)}
        file, text = self._workdir.path / "results.json", to_json(results, indent=2) + "\n"
        while not (file.exists() and file.read_text(encoding="utf-8") == text):
            claim = self._claims.take("summary")
            if claim is None:
                self._wait([])
                continue
            try:
                self._workdir.write_results(results)
            except OSError as error:
                raise unwritten(self._workdir.path, error) from error
            finally:
                self._claims.release(claim)
        return results


def rotated(members: Sequence[Member], environment: Mapping[str, str]) -> list[Member]:
    """The members, beginning with that of this worker's number, if a scheduler gives it one."""
    numbers = (environment.get(name, "") for name in INDICES)
    first = next((int(number) for number in numbers if number.isdecimal()), 0) % len(members)
    return [*members[first:], *members[:first]]
