"""Who is still there: a thread that says so of this process every `BEAT` seconds, and ends it where another is missing.

JAX's own heartbeat would do that too, after 100 s, by an `abort` in C++. Process 0 looks at all, the others at what it
has found. A process that stops with a message leaves it for the others.
"""

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import NoReturn

from seqjax import peers
from seqjax.command_line import complain
from seqjax.errors import RunStoppedError, UserError
from seqjax.peers.witness import Witness

BEAT = 2.0
SILENCE = 60.0
"""Seconds without a beat after which a process counts as missing. It may compute, compile or wait meanwhile: only a
call that holds Python's lock that long, or a machine that swaps, keeps its thread from beating."""
DOUBT = 10.0
"""The same where this process has met an error, such as a connection that was closed."""


class Watch:
    """Of this process over the others."""

    def __init__(self):
        self._witness: Witness | None = None
        self._leaving = threading.Event()
        self._patience = SILENCE

    def begin(self, witness: Witness) -> None:
        """From now on. witness: told what to say if process 0 is gone."""
        self._witness = witness
        here = peers.here()
        self._patience = min(SILENCE, here.seconds)
        if not peers.is_first():
            words = f"process 0 of {here.count}, at {here.address}, is missing: process {here.index} was ended too"
            witness.remember(f"{words}; the same command resumes", here.address)
        else:
            witness.remember("")
        self._thread = threading.Thread(target=self._run, daemon=True, name="seqjax watch")
        self._thread.start()

    def end(self) -> None:
        """The run is over, for all processes at once."""
        if self._witness is not None:
            peers.meet("the end")
            self._leaving.set()
            self._thread.join()
            self._witness.dismiss()

    def _run(self) -> None:
        seen: dict[int, tuple[str, float]] = {}
        number = 0
        while not self._leaving.wait(BEAT):
            number += 1
            try:
                service, here = peers.client(), peers.here()
                service.key_value_set(f"seqjax/beat/{here.index}", str(number), allow_overwrite=True)
                if here.index == 0:
                    self._look(seen)
                for text in _values("seqjax/stopped/")[:1]:
                    found = json.loads(text)
                    if not self._leaving.is_set():
                        self._leave(found["message"], found["code"])
            except Exception as error:  # the service is gone, and process 0 with it
                if not self._leaving.is_set():
                    reason = str(error).partition("\n")[0][:120]
                    self._leave(f"process 0 of {peers.count()} is missing ({reason}); the same command resumes", 1)

    def _look(self, seen: dict[int, tuple[str, float]]) -> None:
        """Process 0: has every other one given a new beat lately?"""
        now = time.monotonic()
        beats = {int(key.rpartition("/")[2]): value for key, value in _items("seqjax/beat/")}
        for index in range(1, peers.count()):
            beat = beats.get(index, "")
            if index not in seen or seen[index][0] != beat:
                seen[index] = (beat, now)
        missing = [index for index, (_, since) in seen.items() if now - since > self._patience]
        if missing and not self._leaving.is_set():
            words = f"{peers.named(missing)} of {peers.count()} missing: nothing heard for {self._patience:g} s"
            publish(f"{words}; the same command resumes", 1)

    def _leave(self, message: str, code: int) -> NoReturn:
        """End this process because another one has stopped."""
        self.leave(message, code, told=True)

    def leave(self, message: str, code: int, *, told: bool = False) -> NoReturn:
        """End this process at once, its message said; nobody waits for the others, who are told unless they are."""
        self._leaving.set()
        complain(message)
        sys.stdout.flush()
        sys.stderr.flush()
        if not told:
            with contextlib.suppress(Exception):
                publish(f"process {peers.here().index} of {peers.count()} stopped: {message}", code)
        if peers.is_first():
            time.sleep(3 * BEAT)  # it has the service, from which the others hear of it
        if self._witness is not None:
            self._witness.dismiss()
        os._exit(code)

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """What is done within ends in all processes, or stops in all with a message."""
        with self.guarded():
            yield
            self.end()

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """What is done within stops in all processes if it stops in one."""
        if self._witness is None:
            yield
            return
        try:
            yield
        except (UserError, RunStoppedError) as error:
            self.leave(str(error), error.exit_code)
        except KeyboardInterrupt:
            self.leave("interrupted", 130)
        except Exception as error:
            # A connection that another process's end has closed is met here first: give the watch time to name it.
            self._patience = min(DOUBT, self._patience)
            time.sleep(4 * BEAT + (DOUBT if peers.is_first() else min(SILENCE, peers.here().seconds)))
            self.leave(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", 1)


def publish(message: str, code: int) -> None:
    """Tell all processes to end with these words."""
    words = json.dumps({"message": message, "code": code})
    peers.client().key_value_set(f"seqjax/stopped/{peers.here().index}", words, allow_overwrite=True)


def _items(folder: str) -> list[tuple[str, str]]:
    return peers.client().key_value_dir_get(folder)


def _values(folder: str) -> list[str]:
    return [value for _, value in _items(folder)]


WATCH = Watch()
"""This process's."""
