"""From how likely an event is, frame by frame, to alarms: of a whole track, or as the frames come.

Legend: T frames, A alarms.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Decoder:
    """When an alarm is given."""

    smoothing: int
    """The mean of so many frames, up to the present one, is judged; before the first frame nothing was likely."""
    refractory: int
    """Frames after an alarm in which there is no other one."""
    threshold: float = 0.5
    """Infinite where none keeps false alarms rare enough: no alarm is given. JSON has null for it; so has this."""

    def __post_init__(self):
        if self.threshold is None:
            object.__setattr__(self, "threshold", math.inf)

    def smoothed(self, track: np.ndarray) -> np.ndarray:
        """[T] -> [T] float64. Added up frame by frame, the latest last, as `Alarms` does: to the last bit."""
        padded = np.pad(track.astype(np.float64), (self.smoothing - 1, 0))
        found = np.zeros(len(track))
        for k in range(self.smoothing):
            found += padded[k : k + len(track)]
        return found / self.smoothing

    def alarms(self, smoothed: np.ndarray, threshold: float | None = None) -> np.ndarray:
        """Frames [A] with an alarm: the first one not below the threshold, and so again after `refractory` frames."""
        above = np.flatnonzero(smoothed >= (self.threshold if threshold is None else threshold))
        found, place = [], 0
        while place < len(above):
            found.append(above[place])
            place = int(np.searchsorted(above, above[place] + max(self.refractory, 1)))
        return np.array(found, int)


class Alarms:
    """A decoder that hears a track frame by frame."""

    def __init__(self, decoder: Decoder):
        self.decoder = decoder
        self.last = [0.0] * decoder.smoothing
        """How likely the event was in the last frames."""
        self.quiet = 0
        """Frames in which there is no alarm, from the next one on."""

    def __call__(self, likely: float) -> tuple[bool, float]:
        """-> (whether there is an alarm now, the mean that was judged)."""
        self.last = [*self.last[1:], float(likely)]
        mean = sum(self.last) / self.decoder.smoothing
        alarm = self.quiet <= 0 and mean >= self.decoder.threshold
        self.quiet = max(self.decoder.refractory, 1) - 1 if alarm else max(self.quiet - 1, 0)
        return alarm, mean

    def state(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {"last": self.last, "quiet": self.quiet}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Undo `state`. Raises LookupError, TypeError or ValueError: it did not give this."""
        if len(state["last"]) != self.decoder.smoothing:
            raise ValueError(f"{len(state['last'])} frames")
        self.last, self.quiet = [float(one) for one in state["last"]], int(state["quiet"])
