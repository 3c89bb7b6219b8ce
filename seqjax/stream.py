"""--mode=stream: what comes in is answered at once, step by step, and the state is kept in a file."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from seqjax.errors import RunStoppedError, UserError
from seqjax.files import check_writable, shown
from seqjax.training.interrupt import Interrupt
from seqjax.training.workdir import Workdir

if TYPE_CHECKING:
    from seqjax.runs.streaming import Listener

STATE = flags.DEFINE_string("state", None, "stream: go on from this file if it is there, and keep the state in it.")
PIECE = 1 << 12
"""Bytes that are read at once, at most."""
SAVE_SECONDS = 5.0
"""From one saving of the state to the next, at least; the last one is at the end, however that comes."""


def check_unused(mode: str) -> None:
    """Raises UserError: the flag of --mode=stream is given in another mode."""
    if STATE.value is not None:
        raise UserError(f"--state is for --mode=stream, not --mode={mode}")


def write(workdir: Workdir, name: str) -> None:
    """Print an answer to every step of a file, or of stdin for `-`, until it ends.

    Raises:
      UserError: no such run or file, a run that cannot answer a stream, malformed input, a state of another run. What
        came before malformed input has been answered, and is in the state.
      RunStoppedError: SIGINT or SIGTERM; the state is saved.
    """
    state = None if STATE.value is None else Path(STATE.value)
    if state is not None:
        check_writable(state, "--state")
    with _opened(name) as source, Interrupt() as asked, _woken() as wake:
        from seqjax.runs.streaming import Listener

        listener = Listener.of(workdir, "stdin" if name == "-" else name)
        begun = state is not None and listener.restore(state)
        try:
            if listener.stream.header and not begun:
                print(listener.stream.header, flush=True)
            _answer(listener, _pieces(source, wake), state)
        except (UserError, BrokenPipeError):
            if state is not None:
                listener.save(state)
            raise
        if state is not None:
            listener.save(state)
        if asked.signal is not None:
            saved = "" if state is None else f", the state is in {shown(state)}"
            raise RunStoppedError(
                f"stopped by {signal.Signals(asked.signal).name} after {listener.engine.steps:,} steps{saved}",
                128 + asked.signal,
            )


def _answer(listener: "Listener", pieces: Iterable[bytes | None], state: Path | None) -> None:
    """Print the answers to all pieces; the last one is None where the stream has ended."""
    saved = time.monotonic()
    for piece in pieces:
        for lines in listener.answers(piece):
            print("\n".join(lines), flush=True)
        if state is not None and time.monotonic() - saved > SAVE_SECONDS:
            listener.save(state)
            saved = time.monotonic()


@contextlib.contextmanager
def _opened(name: str) -> Iterator[int]:
    """The number of an open file. Raises UserError: it cannot be read."""
    try:
        source = 0 if name == "-" else os.open(name, os.O_RDONLY)
        os.fstat(source)
    except OSError as error:
        raise UserError(f"--input={name} cannot be read: {error.strerror}") from error
    try:
        yield source
    finally:
        if source:
            os.close(source)


@contextlib.contextmanager
def _woken() -> Iterator[int]:
    """The number of a file that can be read once a signal has come: so waiting for input ends, and no input is lost."""
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    before = signal.set_wakeup_fd(woken)
    try:
        yield wake
    finally:
        signal.set_wakeup_fd(before)
        os.close(wake)
        os.close(woken)


def _pieces(source: int, wake: int) -> Iterator[bytes | None]:
    """What can be read, as it comes; None at its end; nothing more after a signal."""
    while True:
        if wake in select.select([source, wake], [], [])[0]:
            return
        data = os.read(source, PIECE)
        yield data or None
        if not data:
            return
