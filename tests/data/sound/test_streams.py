"""Streams by seed: every word where it is said to be, noise of the energy that is said."""

import numpy as np
import pytest

from seqjax.data.sound import streams
from seqjax.data.sound.clips import Clip
from seqjax.data.sound.noise import KINDS, noise
from seqjax.data.sound.streams import LOUD, SPREAD, STRETCH, Recipe

RATE = 8_000
WORDS = {label: [np.sin(np.arange(2_000) * pitch)] for label, pitch in (("one", 0.3), ("seven", 0.7), ("two", 1.1))}


def stretches(count=3, seed=(0, 1, 2), **options):
    return list(
        Recipe(**{"words": WORDS, "hotwords": ("seven",), "rate": RATE, "snr": 20.0, **options}).stretches(count, seed)
    )


def test_a_word_is_where_the_table_says_and_nowhere_else():
    quiet = np.zeros(3 * STRETCH * RATE, bool)
    found = stretches(snr=300.0)
    samples = np.concatenate([one for one, _ in found])
    events = [event for _, some in found for event in some]
    assert len(events) > 5
    for event, after in zip(events, [*events[1:], None], strict=True):
        said = samples[event.start : event.stop]
        pitch = np.fft.rfft(said).__abs__().argmax() * 2 * np.pi / len(said)
        assert pitch == pytest.approx({"one": 0.3, "seven": 0.7, "two": 1.1}[event.label], abs=0.01)
        loud = 20 * np.log10(np.sqrt(np.mean(said[50:-50] ** 2)) / LOUD)
        assert abs(loud) < SPREAD + 0.3
        quiet[event.start - 100 : event.stop + 100] = True
        assert after is None or after.start - event.stop > 0.4 * RATE
    assert np.abs(samples[~quiet]).max() < 1e-6
    assert all(event.stop // (STRETCH * RATE) == event.start // (STRETCH * RATE) for event in events)


def test_one_word_in_five_is_a_hotword():
    labels = [event.label for _, some in stretches(120) for event in some]
    assert labels.count("seven") / len(labels) == pytest.approx(0.2, abs=0.05)
    assert labels.count("one") / labels.count("two") == pytest.approx(1, abs=0.3)


def test_noise_is_as_much_softer_as_the_ratio_says():
    clean, noisy = stretches(snr=300.0), stretches(snr=10.0)
    for (first, words), (second, again) in zip(clean, noisy, strict=True):
        assert words == again
        level = 20 * np.log10(LOUD / np.sqrt(np.mean((second - first) ** 2)))
        assert level == pytest.approx(10, abs=0.1)
    assert not np.array_equal(stretches(seed=(0, 1, 3))[0][0], noisy[0][0])
    assert np.array_equal(stretches(1, snr=10.0)[0][0], noisy[0][0])  # a stretch is a function of (seed, its number)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_has_energy_one_and_its_own_colour(kind):
    found = noise(kind, 80_000, np.random.default_rng(0), [np.sin(np.arange(900) * 0.2), np.zeros(400)])
    assert (found.dtype, np.sqrt(np.mean(found**2))) == (np.float32, pytest.approx(1, abs=1e-3))
    power = np.abs(np.fft.rfft(found)) ** 2
    octaves = [power[low : 2 * low].sum() for low in (2_000, 4_000, 8_000, 16_000)]
    falls = np.diff(10 * np.log10(octaves))
    if kind == "white":
        np.testing.assert_allclose(falls, 3, atol=0.3)  # twice as wide
    elif kind == "pink":
        np.testing.assert_allclose(falls, 0, atol=0.3)
    else:
        assert power[:4_000].sum() / power.sum() > 0.9


def test_a_word_ends_before_its_recording_s_silence():
    samples = np.concatenate([np.zeros(800), 0.5 * np.sin(np.arange(1_600)), 0.001 * np.ones(2_000)])
    assert streams.bounds(samples, RATE) == (800, 2_400)
    clips = [Clip(samples, "a", "x"), Clip(samples, "b", "y"), Clip(samples, "a", "z")]
    found = streams.spoken_by(clips, ["x", "z"])
    assert {label: len(some) for label, some in found.items()} == {"a": 2, "b": 0}


def test_a_stretched_word_is_longer_and_lower():
    tone = np.sin(2 * np.pi * 500 * np.arange(4_000) / RATE).astype(np.float32)
    slow = streams.stretched(tone, 1.25)
    assert len(slow) == 5_000
    assert np.abs(np.fft.rfft(slow)).argmax() * RATE / 5_000 == pytest.approx(400, abs=2)
