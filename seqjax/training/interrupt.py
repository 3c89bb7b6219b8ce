"""SIGINT and SIGTERM asked for politely: finish the step, save, leave.

Python hands signals to the main thread alone: in any other one, a server's or a notebook's, none is noted.
"""

import signal
import threading
from types import FrameType
from typing import Self

from seqjax.errors import RunStoppedError


class Interrupt:
    """Context manager: the first SIGINT or SIGTERM is only noted; a second one acts as it always does."""

    def __init__(self):
        self.signal: int | None = None
        """The signal that came, or None."""
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.signal = number
        self._restore()

    def error(self, step: int, number: int | None = None) -> RunStoppedError:
        """What to raise once `step` is saved; the exit code is the shell's, 128 + signal. number: another process's."""
        number = number or self.signal or signal.SIGTERM
        name = signal.Signals(number).name
        return RunStoppedError(f"stopped by {name} and saved at step {step}; the same command resumes", 128 + number)

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            # None: it was not set from Python, and cannot be read
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # pyright: ignore[reportArgumentType]

    def __exit__(self, *exception: object) -> None:
        self._restore()
