"""Noise by seed: white, pink, and the babble of several people at once, all of the same energy.

Legend: N samples.
"""

from collections.abc import Sequence

import numpy as np

KINDS = ("white", "pink", "babble")
VOICES = 6
"""Of a babble."""


def noise(kind: str, count: int, rng: np.random.Generator, voices: Sequence[np.ndarray] = ()) -> np.ndarray:
    """[N] float32, of root mean square 1.

    Args:
      kind: one of `KINDS`.
      count: N.
      rng: all chance.
      voices: recordings for the babble, [any length] each.
    """
    found = {"white": _white, "pink": _pink}[kind](count, rng) if kind != "babble" else _babble(count, rng, voices)
    return (found / np.sqrt(np.mean(np.square(found)) + 1e-20)).astype(np.float32)


def _white(count: int, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=count)


def _pink(count: int, rng: np.random.Generator) -> np.ndarray:
    """Energy falls by 3 dB an octave: white noise whose spectrum is divided by the root of its frequency."""
    spectrum = np.fft.rfft(rng.normal(size=count))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0
    return np.fft.irfft(spectrum, count)


def _babble(count: int, rng: np.random.Generator, voices: Sequence[np.ndarray]) -> np.ndarray:
    """`VOICES` people who speak without a pause, each recording at its own loudness of one."""
    found = np.zeros(count)
    for _ in range(VOICES):
        place = -int(rng.integers(4_000))
        while place < count:
            spoken = voices[int(rng.integers(len(voices)))]
            start, stop = max(place, 0), min(place + len(spoken), count)
            if stop > start:
                loud = np.sqrt(np.mean(np.square(spoken)) + 1e-20)
                found[start:stop] += spoken[start - place : stop - place] / loud
            place += len(spoken)
    return found
