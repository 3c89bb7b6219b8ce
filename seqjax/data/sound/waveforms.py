"""Waveforms from WAV files: any rate, one channel or more, integers of 8 to 32 bits or floats; one channel comes out.

The containers are SciPy's to read (RIFF and RIFX, WAVE_FORMAT_EXTENSIBLE too), except that it takes a file that
ends early for a whole one: here that is an error, unless the header itself leaves the length open, as that of a program
that writes to a pipe must.

Legend: N samples, C channels.
"""

import io
import math
import struct
import warnings

import numpy as np

from seqjax.errors import UserError

LEAST_RATE, MOST_RATE = 1_000, 384_000
"""Hz: what any recording has."""
OPEN = (0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF - 36)
"""What the header of a stream has in the place of its length (ffmpeg, SoX and others)."""


def read(data: bytes, name: str, rate: int) -> np.ndarray:
    """What a WAV file holds.

    Args:
      data: of the file.
      name: what messages call it.
      rate: Hz of what is returned.

    Returns:
      [N] float32, full scale being 1; channels are averaged.

    Raises:
      UserError: no WAV, truncated, empty, in an encoding that is no plain numbers, or with numbers that are not finite.
    """
    samples, own = decoded(data, name)
    return resampled(samples, own, rate)


def decoded(data: bytes, name: str) -> tuple[np.ndarray, int]:
    """As `read`, at the file's own rate: -> ([N] float32, Hz)."""
    from scipy.io import wavfile

    data = _closed(data, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks that are none of ours
            rate, samples = wavfile.read(io.BytesIO(data))
    except Exception as error:  # of a damaged header: ValueError, struct.error, ZeroDivisionError, UnboundLocalError...
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise UserError(f"{name}: this WAV file cannot be read ({reason})") from error
    if not LEAST_RATE <= rate <= MOST_RATE:
        raise UserError(f"{name}: {rate} samples a second is no rate of a recording")
    if not samples.size:
        raise UserError(f"{name}: the recording is empty: it has no samples")
    samples = _full_scale(samples)
    if samples.ndim == 2:
        samples = samples.mean(axis=1, dtype=np.float32)
    if not np.isfinite(samples).all():
        raise UserError(f"{name}: sample {int(np.argmin(np.isfinite(samples)))} is not a finite number")
    return samples, int(rate)


def resampled(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """[N] float32 at `rate` Hz -> [ceil(N * wanted / rate)] at `wanted` Hz, by SciPy's polyphase filter.

    What lies above half the lower rate is filtered out, not folded back.
    """
    if rate == wanted:
        return samples
    from scipy.signal import resample_poly

    divisor = math.gcd(rate, wanted)
    return resample_poly(samples, wanted // divisor, rate // divisor).astype(np.float32)


def written(samples: np.ndarray, rate: int) -> bytes:
    """A WAV file of 16-bit integers of samples [N] in [-1, 1]; what is beyond is clipped."""
    from scipy.io import wavfile

    stream = io.BytesIO()
    wavfile.write(stream, rate, np.round(np.clip(samples, -1, 32767 / 32768) * 32768).astype(np.int16))
    return stream.getvalue()


def is_wav(data: bytes) -> bool:
    """Whether content begins as a WAV file does."""
    return data[:4] in (b"RIFF", b"RIFX") and data[8:12] == b"WAVE"


def _full_scale(samples: np.ndarray) -> np.ndarray:
    """Integers as fractions of full scale, which is 1; SciPy has 24 bits as the upper ones of 32."""
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128
    if np.issubdtype(samples.dtype, np.integer):
        return (samples / -float(np.iinfo(samples.dtype).min)).astype(np.float32)
    return samples.astype(np.float32)


def _closed(data: bytes, name: str) -> bytes:
    """The file, with the length of its samples in the header where that left it open.

    Raises:
      UserError: no WAV file, or one that ends before its samples do.
    """
    if not data:
        raise UserError(f"{name}: the file is empty")
    if not is_wav(data):
        raise UserError(f"{name}: not a WAV file; it begins with {data[:12]!r}")
    order = ">" if data[:4] == b"RIFX" else "<"
    whole = struct.unpack(f"{order}I", data[4:8])[0] + 8 == len(data)
    place = 12
    while place + 8 <= len(data):
        kind, size = data[place : place + 4], struct.unpack(f"{order}I", data[place + 4 : place + 8])[0]
        here = len(data) - place - 8
        if kind != b"data":
            place += 8 + size + size % 2
            continue
        if size <= here and (size or whole or not here):
            return data
        if size not in OPEN:
            raise UserError(f"{name}: truncated: its header promises {size:,} bytes of sound, {here:,} are there")
        here -= here % _block(data, order)
        size_of = lambda count: struct.pack(f"{order}I", count)
        head = data[:4] + size_of(place + here) + data[8 : place + 4] + size_of(here)
        return head + data[place + 8 : place + 8 + here]
    raise UserError(f"{name}: truncated: this WAV file has no samples")


def _block(data: bytes, order: str) -> int:
    """Bytes of a sample of all channels."""
    found = data.find(b"fmt ", 12)
    return max(struct.unpack(f"{order}H", data[found + 20 : found + 22])[0], 1) if found > 0 else 1
