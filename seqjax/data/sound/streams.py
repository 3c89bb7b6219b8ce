"""Continuous audio by seed: recordings of words one after the other, silence between them, and noise over all of it.

A stream is made in stretches of 15 s, which no word crosses. Between two words there are 0.5 to 5.5 s; one word in
five is a hotword, the others are drawn evenly from the other words. A word is as loud as LOUD, give or take 6 dB; noise
is as many decibels below LOUD as the stream's ratio says, and of another kind in every stretch.

A word's end is that of its last 10 ms within 30 dB of its loudest ones: what follows is the recording's own silence.

Legend: N samples, E events.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from seqjax.data.sound.clips import Clip
from seqjax.data.sound.noise import KINDS, noise

LOUD = 0.05
"""Root mean square of a word, full scale being 1."""
SPREAD = 6.0
"""dB: how much louder or softer a word may be."""
GAPS = (0.5, 5.5)
"""Seconds between words."""
HOTWORDS = 0.2
"""The share of words that are hotwords."""
LATE = 0.5
"""Seconds after a word's end in which it still counts as found."""
STRETCH = 15
"""Seconds."""
RAMP = 40
"""Samples over which a recording swells and fades, lest its edges click."""


class Event(NamedTuple):
    """A word of a stream."""

    label: str
    start: int
    """Samples from the stream's beginning to its first sound, ..."""
    stop: int
    """... and to behind its last."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What streams are made of."""

    words: Mapping[str, Sequence[np.ndarray]]
    """Label -> recordings [any length]."""
    hotwords: tuple[str, ...]
    rate: int
    snr: float | None
    """dB; None: another one in every stretch, of -5 to 30."""
    gaps: tuple[float, float] = GAPS
    changed: bool = False
    """Every word is spoken up to 15 % faster and higher, or slower and lower: for training."""

    def stretches(self, count: int, seed: Sequence[int]) -> Iterator[tuple[np.ndarray, list[Event]]]:
        """The samples [15 * rate] float32 of each of `count` stretches, and the words in it.

        Stretch k is a function of (seed, k).
        """
        for number in range(count):
            rng = np.random.default_rng([*seed, number])
            samples, events = self._spoken(rng)
            snr = rng.uniform(-5, 30) if self.snr is None else self.snr
            kind = KINDS[(seed[-1] + number) % len(KINDS)]
            babblers = [one for label, some in self.words.items() if label not in self.hotwords for one in some]
            samples += LOUD * 10 ** (-snr / 20) * noise(kind, len(samples), rng, babblers)
            shift = number * len(samples)
            yield samples, [Event(label, start + shift, stop + shift) for label, start, stop in events]

    def _spoken(self, rng: np.random.Generator) -> tuple[np.ndarray, list[Event]]:
        """A stretch without noise."""
        samples, events = np.zeros(STRETCH * self.rate, np.float32), []
        others = [label for label in self.words if label not in self.hotwords]
        place = 0
        while True:
            hot = rng.random() < HOTWORDS
            label = (self.hotwords if hot else others)[int(rng.integers(len(self.hotwords) if hot else len(others)))]
            word = self.words[label][int(rng.integers(len(self.words[label])))]
            if self.changed:
                word = stretched(word, float(np.exp(rng.uniform(-0.14, 0.14))))
            place += int(self.rate * rng.uniform(*self.gaps))
            if place + len(word) > len(samples):
                return samples, events
            first, last = bounds(word, self.rate)
            loud = np.sqrt(np.mean(np.square(word[first:last])) + 1e-20)
            gain = LOUD * 10 ** (rng.uniform(-SPREAD, SPREAD) / 20) / loud
            samples[place : place + len(word)] += gain * ramped(word)
            events.append(Event(label, place + first, place + last))
            place += len(word)


def spoken_by(clips: Sequence[Clip], speakers: Sequence[str]) -> dict[str, list[np.ndarray]]:
    """The recordings of some speakers by their labels, which are in order."""
    found: dict[str, list[np.ndarray]] = {label: [] for label in sorted({clip.label for clip in clips})}
    for clip in clips:
        if clip.speaker in speakers:
            found[clip.label].append(clip.samples)
    return found


def bounds(samples: np.ndarray, rate: int) -> tuple[int, int]:
    """Where a word begins and where it has ended: see the module."""
    block = rate // 100
    padded = np.pad(samples, (0, -len(samples) % block))
    energy = np.square(padded.astype(np.float64)).reshape(-1, block).sum(axis=1)
    loud = np.flatnonzero(energy >= energy.max() / 1000)
    return int(loud[0]) * block, min((int(loud[-1]) + 1) * block, len(samples))


def stretched(samples: np.ndarray, factor: float) -> np.ndarray:
    """Spoken `factor` times as long, and as much lower."""
    places = np.arange(int(len(samples) * factor)) / factor
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)


def ramped(samples: np.ndarray) -> np.ndarray:
    """With soft edges."""
    count = min(RAMP, len(samples) // 2)
    found, edge = samples.copy(), np.linspace(0, 1, count, dtype=np.float32)
    found[:count] *= edge
    found[len(found) - count :] *= edge[::-1]
    return found
