"""SIGINT and SIGTERM asked for politely: finish the step, save, leave."""

import signal
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
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]

    def __exit__(self, *exception: object) -> None:
        self._restore()
