"""WAV files of every kind, and what is none."""

import io
import struct

import numpy as np
import pytest

from seqjax.data.sound import waveforms
from seqjax.errors import UserError
from sound_files import FLOAT, chunk, wav

TIME = np.arange(2_000) / 8_000
TONE = 0.5 * np.sin(2 * np.pi * 440 * TIME)


@pytest.mark.parametrize(("extensible", "order"), [(False, "<"), (True, "<"), (False, ">")])
@pytest.mark.parametrize(("bits", "kind"), [(8, 1), (16, 1), (24, 1), (32, 1), (32, FLOAT), (64, FLOAT)])
def test_samples_come_back_whatever_they_are_written_as(bits, kind, extensible, order):
    samples, rate = waveforms.decoded(wav(TONE, 11_025, bits, kind, extensible, order), "a.wav")
    assert (samples.dtype, samples.shape, rate) == (np.float32, (2_000,), 11_025)
    np.testing.assert_allclose(samples, TONE, atol=2.0 ** -(min(bits, 23)))


def test_full_scale_is_one_and_silence_is_zero():
    for bits in (8, 16, 24, 32):
        samples, _ = waveforms.decoded(wav(np.array([-1.0, 0.0, 0.5]), bits=bits), "a.wav")
        np.testing.assert_allclose(samples, [-1, 0, 0.5], atol=1e-7)


def test_soundfile_reads_the_same():
    soundfile = pytest.importorskip("soundfile")
    stereo = np.stack([TONE, -0.25 * TONE[::-1]], axis=1)
    for options in ({"bits": 8}, {"bits": 24}, {"bits": 32, "kind": FLOAT}, {"bits": 24, "extensible": True}):
        data = wav(stereo, **options)
        expected, rate = soundfile.read(io.BytesIO(data), dtype="float32")
        samples, own = waveforms.decoded(data, "a.wav")
        assert rate == own
        np.testing.assert_allclose(samples, expected.mean(axis=1), atol=1e-7)


def test_channels_are_averaged_and_other_chunks_passed_over():
    stereo = np.stack([TONE, np.zeros_like(TONE)], axis=1)
    data = wav(stereo, before=chunk(b"LIST", b"odd"), after=chunk(b"id3 ", b"later"))
    np.testing.assert_allclose(waveforms.read(data, "a.wav", 8_000), TONE / 2, atol=1e-4)
    first = data[:12] + chunk(b"JUNK", b"\0" * 28) + data[12:]  # as phones write it
    first = first[:4] + struct.pack("<I", len(first) - 8) + first[8:]
    np.testing.assert_allclose(waveforms.read(first, "a.wav", 8_000), TONE / 2, atol=1e-4)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_a_tone_is_the_same_at_any_rate_and_what_is_too_high_is_gone(rate):
    time = np.arange(rate) / rate
    low = 0.5 * np.sin(2 * np.pi * 440 * time)
    high = 0.3 * np.sin(2 * np.pi * 7_000 * time) * (rate > 15_000)
    found = waveforms.read(wav(low + high, rate), "a.wav", 8_000)
    assert len(found) == 8_000
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8_000) / 8_000)
    np.testing.assert_allclose(found[400:-400], expected[400:-400], atol=2e-3)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_a_length_that_a_pipe_left_open_is_what_is_there(size):
    found, _ = waveforms.decoded(wav(TONE, size=size) + b"\x01", "a.wav")  # the last sample is not whole
    np.testing.assert_allclose(found, TONE, atol=1e-4)


WHOLE = wav(TONE)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        (b"ID3\x04 some song", "not a WAV file; it begins with b'ID3"),
        (b"fLaC", "not a WAV file"),
        (WHOLE[:-100], "truncated: its header promises 4,000 bytes of sound, 3,900 are there"),
        (WHOLE[:40], "truncated: this WAV file has no samples"),
        (WHOLE[:20], "truncated: this WAV file has no samples"),
        (wav(TONE[:0]), "the recording is empty: it has no samples"),
        (wav(TONE, rate=1), "1 samples a second is no rate"),
        (wav(TONE, kind=7, bits=8), r"cannot be read \(Unknown wave file format: MULAW"),
        (wav(TONE, kind=2, bits=8), r"cannot be read \(Unknown wave file format: ADPCM"),
        (wav(np.append(TONE, np.nan), bits=32, kind=FLOAT), "sample 2000 is not a finite number"),
        (WHOLE.replace(b"fmt ", b"xxxx"), "cannot be read"),
        (WHOLE[:22] + struct.pack("<H", 0) + WHOLE[24:], "cannot be read"),
    ],
)
def test_what_is_no_recording_is_one_line(data, said):
    with pytest.raises(UserError, match=f"^a.wav: .*{said}") as caught:
        waveforms.read(data, "a.wav", 8_000)
    assert "\n" not in str(caught.value)


def test_what_is_written_is_read_back():
    found, rate = waveforms.decoded(waveforms.written(np.append(TONE, [2.0, -2.0]), 16_000), "a.wav")
    assert rate == 16_000
    np.testing.assert_allclose(found, np.append(TONE, [32767 / 32768, -1]), atol=2e-5)
