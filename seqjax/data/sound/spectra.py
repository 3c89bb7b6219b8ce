"""What a network hears of a waveform: log-mel energies or MFCCs, frame by frame, as librosa has them.

Frame t is made of the samples t * hop to t * hop + window - 1 and of nothing else (librosa's `center=False`): it is
known `window` samples after it began, so that a stream gives, frame for frame and bit for bit, what the whole recording
gives. Numbers are float32 from float64, every frame by itself: no matrix product, whose sums depend on the number of
rows.

    S[t] = |rfft(hann * x[t * hop : t * hop + window])|^2
    mel[t, m] = sum_f weights[m, f] S[t, f]           triangles of area 1 on Slaney's mel scale
    log_mel[t, m] = ln max(mel[t, m], FLOOR)
    mfcc[t, k] = orthonormal DCT-II of 10 log10 max(mel[t], FLOOR), the first of them

Slaney 1998, Auditory Toolbox; librosa.feature.melspectrogram and mfcc, with `top_db=None`.

Legend: N samples, T frames, W window, M bands, K coefficients.
"""

import dataclasses
import functools

import numpy as np

from seqjax.errors import UserError, check_least

FLOOR = 1e-10
"""The least energy: librosa's `amin`."""
LINEAR = 200 / 3
"""Hz a mel, below 1,000 Hz."""
STEP = np.log(6.4) / 27
"""Of ln Hz a mel, above."""


@dataclasses.dataclass(frozen=True)
class Spectra:
    """Log-mel energies, or MFCCs.

    Raises:
      UserError: numbers that make no sense.
    """

    rate: int = 8_000
    """Hz of the waveform."""
    window: int = 256
    """W, samples: a Hann window, and the length of the transform."""
    hop: int = 80
    """Samples from one frame to the next."""
    bands: int = 40
    """M, from `lowest` to `highest` Hz."""
    lowest: float = 60.0
    highest: float | None = None
    """None: half the rate."""
    coefficients: int | None = None
    """K of the MFCCs; None: log-mel energies."""

    def __post_init__(self):
        for name in ("rate", "window", "hop", "bands"):
            check_least(name, getattr(self, name), 1)
        check_least("coefficients", self.bands if self.coefficients is None else self.coefficients, 1)
        if not 0 <= self.lowest < self.top <= self.rate / 2:
            raise UserError(f"bands from {self.lowest:g} to {self.top:g} Hz: choose within 0 to {self.rate / 2:g}")
        if (self.coefficients or 0) > self.bands:
            raise UserError(f"coefficients={self.coefficients}: there are only {self.bands} bands")
        empty = ~mel_weights(self.rate, self.window, self.bands, self.lowest, self.top).any(axis=1)
        if empty.any():
            where = f"band {int(np.argmax(empty))} lies between two lines of a window of {self.window}"
            raise UserError(f"bands={self.bands}: {where}")

    @property
    def top(self) -> float:
        """Hz."""
        return self.rate / 2 if self.highest is None else self.highest

    @property
    def features(self) -> int:
        """M, or K."""
        return self.bands if self.coefficients is None else self.coefficients

    @property
    def seconds(self) -> float:
        """From one frame to the next."""
        return self.hop / self.rate

    def frames(self, samples: int) -> int:
        """T of so many samples: only whole windows."""
        return max(0, 1 + (samples - self.window) // self.hop)

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """[N] -> [T, M or K] float32."""
        count = self.frames(len(samples))
        if not count:
            return np.zeros((0, self.features), np.float32)
        found = [self._some(samples, first, min(first + BLOCK, count)) for first in range(0, count, BLOCK)]
        return np.concatenate(found)

    def of_clip(self, samples: np.ndarray) -> np.ndarray:
        """Of a recording that may be shorter than a window: silence follows it until it fills one."""
        return self(np.pad(samples, (0, max(0, self.window - len(samples)))))

    def _some(self, samples: np.ndarray, first: int, last: int) -> np.ndarray:
        """Frames `first` to `last` - 1."""
        stretch = samples[first * self.hop : (last - 1) * self.hop + self.window].astype(np.float64)
        frames = np.lib.stride_tricks.sliding_window_view(stretch, self.window)[:: self.hop]
        spectrum = np.fft.rfft(frames * self.hann)
        power = spectrum.real**2 + spectrum.imag**2
        lines, weights, begins = self.triangles
        mel = np.add.reduceat(power[:, lines] * weights, begins, axis=1)
        mel = np.log(np.maximum(mel, FLOOR))
        if self.coefficients is None:
            return mel.astype(np.float32)
        return np.stack([(mel * row).sum(axis=1) for row in self.cosines], axis=1).astype(np.float32)

    @functools.cached_property
    def hann(self) -> np.ndarray:
        """[W]: periodic, as of a transform."""
        return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)

    @functools.cached_property
    def triangles(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lines with a weight in a band, band by band; these weights; and where each band begins among them [M]."""
        weights = mel_weights(self.rate, self.window, self.bands, self.lowest, self.top)
        bands, lines = np.nonzero(weights)
        return lines, weights[bands, lines], np.searchsorted(bands, np.arange(self.bands))

    @functools.cached_property
    def cosines(self) -> np.ndarray:
        """[K, M]: the transform from ln to coefficients in decibels."""
        k, m = np.arange(self.features)[:, None], np.arange(self.bands)[None, :]
        basis = np.cos(np.pi * k * (2 * m + 1) / (2 * self.bands)) * np.sqrt(2 / self.bands)
        basis[0] /= np.sqrt(2)
        return basis * 10 / np.log(10)


BLOCK = 4096
"""Frames at a time: 17 MB of spectra rather than gigabytes."""


def mel_weights(rate: int, window: int, bands: int, lowest: float, highest: float) -> np.ndarray:
    """[M, W // 2 + 1] float64: triangles of equal width on Slaney's mel scale, each of area 1 over Hz.

    As `librosa.filters.mel(htk=False, norm="slaney")`.
    """
    edges = hertz(np.linspace(mels(np.array(lowest)), mels(np.array(highest)), bands + 2))
    lines = np.fft.rfftfreq(window, 1 / rate)
    rise = (lines[None, :] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - lines[None, :]) / np.diff(edges)[1:, None]
    area = 2 / (edges[2:] - edges[:-2])
    return np.maximum(0, np.minimum(rise, fall)) * area[:, None]


def mels(hertz: np.ndarray) -> np.ndarray:
    """Slaney's scale: linear up to 1,000 Hz, logarithmic above."""
    return np.where(hertz < 1000, hertz / LINEAR, 1000 / LINEAR + np.log(np.maximum(hertz, 1000) / 1000) / STEP)


def hertz(mels: np.ndarray) -> np.ndarray:
    """Back from `mels`."""
    knee = 1000 / LINEAR
    return np.where(mels < knee, mels * LINEAR, 1000 * np.exp(STEP * np.maximum(mels - knee, 0)))


class Hearing:
    """A stream: samples as they come, frames as soon as they are known."""

    def __init__(self, hear: Spectra, rest: np.ndarray | None = None):
        """rest: the samples that a stream before has left, to go on from there."""
        self.hear = hear
        self.rest = np.zeros(0, np.float32) if rest is None else rest
        """Samples from the beginning of the next frame on."""

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """[N], any number of them -> [T, M or K], those frames that are whole now."""
        self.rest = np.concatenate([self.rest, samples])
        frames = self.hear(self.rest)
        self.rest = self.rest[len(frames) * self.hear.hop :]
        return frames
