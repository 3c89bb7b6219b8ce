"""How well events are found in a stream: misses against false alarms an hour, F1 with a collar, latency.

An alarm is a time at which a detector says: now. It finds an event if it comes between the event's start and `LATE`
behind its end; an event is found once, by the first such alarm; every other alarm is false, a second one of the same
event too.

Legend: T frames, A alarms, E events, C thresholds.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqjax.data.sound.alarms import Decoder
from seqjax.data.sound.streams import LATE

COLLAR = 0.2
"""Seconds: for F1 an alarm is right so near to an event's end."""
THRESHOLDS = 100
"""Of a curve: so many at growing distances, and as many where there are up to `FEW` false alarms an hour."""
FEW = 10.0


class Stream(NamedTuple):
    """A stretch of audio as a detector of one kind of event hears it."""

    track: np.ndarray
    """[T] how likely it is that an event has just ended."""
    times: np.ndarray
    """[T] seconds from the beginning, when each frame is known."""
    events: np.ndarray
    """[E, 2] seconds: starts and ends, in order and apart."""
    seconds: float


class Found(NamedTuple):
    """What alarms are worth."""

    hits: int
    events: int
    false_alarms: int
    latencies: np.ndarray
    """[hits] seconds from the event's end to its alarm."""


class Curve(NamedTuple):
    """Detection error trade-off, of falling thresholds."""

    thresholds: np.ndarray
    """[C]"""
    false_alarms: np.ndarray
    """[C] an hour."""
    misses: np.ndarray
    """[C] the share of events."""

    def misses_at(self, rate: float) -> float:
        """The least share of misses with at most `rate` false alarms an hour."""
        return float(np.min(self.misses[self.false_alarms <= rate], initial=1.0))

    def threshold_at(self, rate: float) -> float:
        """The threshold of that."""
        able = self.false_alarms <= rate
        best = np.flatnonzero(able & (self.misses == self.misses_at(rate)))
        return float(self.thresholds[best[0]]) if len(best) else float(self.thresholds[0])


def match(alarms: np.ndarray, events: np.ndarray) -> Found:
    """Alarms [A], ascending seconds, against events [E, 2]."""
    free, latencies = np.ones(len(alarms), bool), []
    for start, stop in events:
        first, last = np.searchsorted(alarms, [start, stop + LATE], side="left")
        inside = np.flatnonzero(free[first:last])
        if len(inside):
            free[first + inside[0]] = False
            latencies.append(alarms[first + inside[0]] - stop)
    return Found(len(latencies), len(events), int(free.sum()), np.array(latencies))


def judged(streams: Sequence[Stream], decoder: Decoder, threshold: float | None = None) -> Found:
    """All streams together; their tracks are smoothed already."""
    found = [match(one.times[decoder.alarms(one.track, threshold)], one.events) for one in streams]
    latencies = np.concatenate([one.latencies for one in found] or [np.zeros(0)])
    false = sum(one.false_alarms for one in found)
    return Found(len(latencies), sum(one.events for one in found), false, latencies)


def curve(streams: Sequence[Stream], decoder: Decoder) -> Curve:
    """Of streams whose tracks are smoothed already; thresholds are heights of their peaks: see `THRESHOLDS`."""
    heights = np.concatenate([peaks(one.track) for one in streams] or [np.zeros(0)])
    heights = np.append(np.inf, np.unique(heights[heights > 0])[::-1])
    hours = sum(one.seconds for one in streams) / 3600

    def at(ranks: np.ndarray) -> Curve:
        found = [judged(streams, decoder, threshold) for threshold in heights[ranks]]
        misses = np.array([1 - one.hits / max(one.events, 1) for one in found])
        return Curve(heights[ranks], np.array([one.false_alarms for one in found]) / hours, misses)

    apart = np.unique(np.append(0, np.geomspace(1, max(len(heights) - 1, 1), THRESHOLDS).astype(int)))
    apart = apart[apart < len(heights)]
    whole = at(apart)
    some, many = np.flatnonzero(whole.false_alarms > 0), np.flatnonzero(whole.false_alarms > FEW)
    begin = apart[max(some[0] - 1, 0)] if len(some) else apart[-1]
    stop = apart[many[0]] if len(many) else apart[-1]
    near = np.setdiff1d(np.linspace(begin, stop, THRESHOLDS).astype(int), apart)
    both = [np.concatenate(pair) for pair in zip(whole, at(near), strict=True)]
    order = np.argsort(-both[0], kind="stable")
    return Curve(*(values[order] for values in both))


def peaks(track: np.ndarray) -> np.ndarray:
    """Values that are not below their neighbours."""
    padded = np.pad(track, 1, constant_values=-np.inf)
    return track[(track >= padded[:-2]) & (track >= padded[2:])]


def event_f1(alarms: Sequence[np.ndarray], ends: Sequence[np.ndarray], collar: float = COLLAR) -> float:
    """F1 of alarms against the ends of events, stream by stream, one alarm for one event at most.

    The most pairs that lie within the collar, as sed_eval 0.2.1's event-based F1 of onsets (checked once: its last
    release needs a module that setuptools has dropped). Both ascend, and all collars are alike, so that the first alarm
    near enough to the first end belongs to it.
    """
    pairs = 0
    for found, true in zip(alarms, ends, strict=True):
        place = 0
        for alarm in found:
            while place < len(true) and true[place] < alarm - collar:
                place += 1
            if place < len(true) and true[place] <= alarm + collar:
                pairs, place = pairs + 1, place + 1
    total = sum(map(len, alarms)) + sum(map(len, ends))
    return 2 * pairs / total if total else 1.0
