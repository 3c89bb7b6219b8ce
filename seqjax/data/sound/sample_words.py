"""Sample v1, the words: two tones each, one after the other, spoken by voices of different pitch among noise.

A word is an ordered pair of different tones out of TONES, so that whoever hears the spectrum of a whole recording knows
which two there are, but not which came first. A voice multiplies all frequencies by a factor of its own. Of a share of
MISLABELLED the label is another word than the one that is spoken, drawn evenly: no model can expect more than the
rest.
"""

import itertools

import numpy as np

from seqjax.data.sound.clips import Clip

TONES = (500.0, 900.0, 1500.0)
"""Hz."""
NAMES = ("ba", "ca", "da")
WORDS = tuple(itertools.permutations(range(len(TONES)), 2))
VOICES = {"alto": 1.1, "bass": 0.85, "soprano": 1.2, "tenor": 1.0}
EACH = 30
"""Recordings of a word by a voice."""
MISLABELLED = 0.04


def words(rate: int, seed: int = 0, mislabelled: float = MISLABELLED) -> tuple[list[Clip], float]:
    """-> (the recordings, the accuracy that the best model can expect)."""
    rng = np.random.default_rng(seed)
    found = []
    for voice, factor in VOICES.items():
        for number, word in enumerate(WORDS):
            for take in range(EACH):
                told = number
                if rng.random() < mislabelled:
                    told = (number + 1 + rng.integers(len(WORDS) - 1)) % len(WORDS)
                samples = spoken(word, factor, rate, rng)
                part = "test" if take < EACH // 5 else "validation" if take < 2 * EACH // 5 else "train"
                found.append(Clip(samples, name_of(WORDS[told]), voice, part, f"{voice}/{number}_{take}"))
    return found, 1 - mislabelled


def name_of(word: tuple[int, ...]) -> str:
    """`baca`: the syllables of its tones."""
    return "".join(NAMES[tone] for tone in word)


def spoken(word: tuple[int, ...], factor: float, rate: int, rng: np.random.Generator) -> np.ndarray:
    """A word as a voice says it once: [N] float32, of 0.1 to 0.2 s a tone, each swelling and fading."""
    tones = []
    for tone in word:
        count = int(rate * rng.uniform(0.1, 0.2))
        time = np.arange(count) / rate
        pitch = TONES[tone] * factor * rng.uniform(0.97, 1.03)
        tones.append(np.sin(2 * np.pi * pitch * time + rng.uniform(0, 6)) * np.hanning(count))
    clean = np.concatenate(tones) * rng.uniform(0.1, 0.5)
    return (clean + rng.normal(size=len(clean)) * 0.01).astype(np.float32)
