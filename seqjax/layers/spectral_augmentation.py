"""Spectra as others might have spoken them: augmentation of log-mel energies within the jitted step.

Everything is drawn anew for every recording and step from the key that is given. Speed is a linear interpolation over
time, the length of the vocal tract one over bands (Jaitly and Hinton 2013), noise an addition of energies, and masks
are SpecAugment's (Park et al. 2019).

Legend: B batch, T frames, M bands.
"""

import dataclasses

import jax
import jax.numpy as jnp

from seqjax.errors import UserError

QUIET = -80.0
"""Of an energy's logarithm: nothing."""


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How far spectra are changed; 0 leaves each thing alone.

    Raises:
      UserError: out of range.
    """

    speed: float = 0.25
    """Up to so much faster or slower: a factor of e^-speed to e^speed."""
    tract: float = 0.15
    """Bands are stretched about the lowest by a factor of e^-tract to e^tract, ..."""
    shift: float = 2.0
    """... and moved by up to so many bands."""
    colour: float = 1.0
    """Of the microphone: a slope and a bow over all bands, each of up to so much at its ends (1 is 4.3 dB)."""
    noise: float = 0.5
    """How many are mixed with noise, of any colour between violet and red, ..."""
    snr: tuple[float, float] = (5.0, 40.0)
    """... of so many decibels below the mean energy."""
    band_masks: int = 2
    widest_band: int = 6
    """Bands that a mask hides at most."""
    time_masks: int = 2
    longest_time: float = 0.12
    """Share of the frames that a mask hides at most."""

    def __post_init__(self):
        if not (0 <= self.noise <= 1 and 0 <= self.longest_time <= 1):
            raise UserError(f"augmentation: noise={self.noise}, longest_time={self.longest_time}: not in [0, 1]")
        if min(self.speed, self.tract, self.shift, self.colour, self.band_masks, self.widest_band, self.time_masks) < 0:
            raise UserError("augmentation: nothing may be negative")

    def spoken(self, key: jax.Array, x: jax.Array, lengths: jax.Array) -> tuple[jax.Array, jax.Array]:
        """By another voice, elsewhere: log energies [B, T, M] and lengths [B] -> both, changed.

        What is too long after it for T frames is cut there.
        """
        keys = jax.random.split(key, 6)
        uniform = lambda k, most: jax.random.uniform(keys[k], (len(x),), minval=-most, maxval=most)
        if self.speed:
            factor = jnp.exp(uniform(0, self.speed))
            x = sampled(x, jnp.arange(x.shape[1])[None, :] * factor[:, None], 1)
            lengths = jnp.clip(jnp.round(lengths / factor), 1, x.shape[1]).astype(lengths.dtype)
        bands = jnp.arange(x.shape[2])[None, :] * jnp.exp(uniform(1, self.tract))[:, None]
        x = sampled(x, bands + uniform(2, self.shift)[:, None], 2)
        place = jnp.linspace(-1, 1, x.shape[2])[None, :]
        colour = uniform(4, self.colour)[:, None] * place + uniform(5, self.colour)[:, None] * jnp.square(place)
        x = x + colour[:, None, :]
        return self._noisy(keys[3], x, lengths), lengths

    def masked(self, key: jax.Array, x: jax.Array, lengths: jax.Array) -> jax.Array:
        """Standardised [B, T, M] with bands and times hidden behind the mean, 0."""
        bands, times = jax.random.split(key)
        limit = jnp.full(len(x), self.widest_band, jnp.float32)
        widths = jnp.full(len(x), x.shape[2], jnp.float32)
        hidden = spans(bands, self.band_masks, limit, widths, x.shape[2])[:, None, :]
        longest = lengths.astype(jnp.float32)
        hidden |= spans(times, self.time_masks, self.longest_time * longest, longest, x.shape[1])[:, :, None]
        return jnp.where(hidden, 0, x)

    def _noisy(self, key: jax.Array, x: jax.Array, lengths: jax.Array) -> jax.Array:
        """With noise: its colour is a slope over bands, its energy in a band and frame that of two Gaussians."""
        if not self.noise:
            return x
        which, level, slope, grain = jax.random.split(key, 4)
        real = jnp.arange(x.shape[1])[None, :] < lengths[:, None]
        energy = jnp.sum(jnp.where(real[:, :, None], jnp.exp(x), 0), axis=(1, 2)) / (lengths * x.shape[2])
        decibels = jax.random.uniform(level, (len(x),), minval=self.snr[0], maxval=self.snr[1])
        tilt = jax.random.uniform(slope, (len(x), 1), minval=-4.0, maxval=4.0) * jnp.linspace(-1, 1, x.shape[2])[None]
        tilt -= jax.nn.logsumexp(tilt, axis=1, keepdims=True) - jnp.log(x.shape[2])
        added = jnp.log(energy + 1e-30) - decibels * (jnp.log(10.0) / 10)
        added = jnp.where(jax.random.bernoulli(which, self.noise, added.shape), added, QUIET)
        grains = jnp.log(jax.random.exponential(grain, x.shape) + 1e-6)
        return jnp.logaddexp(x, added[:, None, None] + tilt[:, None, :] + grains)


def sampled(x: jax.Array, places: jax.Array, axis: int) -> jax.Array:
    """[B, T, M] read at fractional places [B, T or M] of an axis, linearly in between; beyond its ends, these."""
    last = x.shape[axis] - 1
    places = jnp.clip(places, 0, last)
    below = jnp.minimum(places.astype(jnp.int32), max(last - 1, 0))
    share = places - below
    grow = (lambda index: index[:, :, None]) if axis == 1 else (lambda index: index[:, None, :])
    first = jnp.take_along_axis(x, grow(below), axis)
    second = jnp.take_along_axis(x, grow(jnp.minimum(below + 1, last)), axis)
    return first + (second - first) * grow(share)


def spans(key: jax.Array, count: int, longest: jax.Array, within: jax.Array, size: int) -> jax.Array:
    """[B, size] bool: `count` stretches of 0 to `longest` [B] places each, anywhere within the first `within` [B]."""
    long, begin = jax.random.split(key)
    lengths = jax.random.uniform(long, (len(longest), count)) * (longest[:, None] + 1)
    starts = jax.random.uniform(begin, lengths.shape) * jnp.maximum(within[:, None] - lengths, 0)
    places = jnp.arange(size)[None, None, :]
    starts, lengths = jnp.floor(starts)[:, :, None], jnp.floor(lengths)[:, :, None]
    return jnp.any((places >= starts) & (places < starts + lengths), axis=1)
