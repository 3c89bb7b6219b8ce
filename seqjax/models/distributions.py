"""What a forecast of one step says: quantiles, or a distribution whose quantiles are computed; and what it costs.

A head turns numbers R of a network into a tree of arrays. Values are changes from a window's origin, on the scale of
its series; the network speaks in units `size` around a `location`, both of the window.

Legend: B batch, H horizon (any axes [...] will do), R numbers a step, Q levels.
"""

import dataclasses
from typing import Any, ClassVar, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc, gammaln

LEAST = 1e-4
"""Of a spread, in units of the window."""
TABLE = 4096
"""Intervals of 1 / degrees of freedom between which Student's quantiles are interpolated."""


class Frame(NamedTuple):
    """What a network's numbers are in units of, [..., 1] each."""

    location: Any
    """The change that is 0 for it."""
    size: Any
    """Of its 1."""
    zero: Any
    """The change that leads to the target's own 0."""
    unit: Any
    """Of a change of 1, in the target's own unit."""


class Head(Protocol):
    """One of the four below."""

    size: int
    """R"""

    def distribution(self, raw: Any, frame: Frame) -> Any:
        """[..., R] -> a tree of [..., ...]."""
        ...

    def loss(self, found: Any, value: Any) -> Any:
        """A distribution, and what came [...] -> its cost [...]."""
        ...

    def quantiles(self, found: Any, levels: tuple[float, ...]) -> Any:
        """-> [..., Q], ascending."""
        ...

    def point(self, found: Any) -> Any:
        """-> [...] the forecast in one number: the median, or the mean."""
        ...

    def sample(self, key: Any, found: Any) -> Any:
        """-> [...] a draw, from the same random numbers wherever it stands."""
        ...


@dataclasses.dataclass(frozen=True)
class Quantiles:
    """Quantiles that cannot cross: the median, and from there sums of what is above 0, upwards and downwards.

    The cost is the pinball loss, the mean over the levels (scikit-learn's mean_pinball_loss of each).
    """

    levels: tuple[float, ...]
    """Ascending, 0.5 among them."""

    @property
    def size(self) -> int:
        """One for each level."""
        return len(self.levels)

    def distribution(self, raw: Any, frame: Frame) -> Any:
        """See `Head`: [..., Q] themselves."""
        middle = self.levels.index(0.5)
        apart = jax.nn.softplus(raw) * self._apart().reshape((1,) * (raw.ndim - 1) + (-1,))
        below = -jnp.cumsum(apart[..., :middle][..., ::-1], axis=-1)[..., ::-1]
        above = jnp.cumsum(apart[..., middle + 1 :], axis=-1)
        from_median = jnp.concatenate([below, jnp.zeros_like(raw[..., :1]), above], axis=-1)
        return frame.location[..., None] + frame.size[..., None] * (raw[..., middle : middle + 1] + from_median)

    def _apart(self) -> np.ndarray:
        """[Q] gaps of a Gaussian, so that numbers of one size mean a spread like its own."""
        from scipy.special import ndtri

        at = ndtri(np.array(self.levels))
        middle = self.levels.index(0.5)
        gaps = np.concatenate([np.diff(at)[:middle], [0.0], np.diff(at)[middle:]])
        return gaps.astype(np.float32)

    def loss(self, found: Any, value: Any) -> Any:
        """See `Head`: the pinball loss."""
        return pinball(found, value, self.levels).mean(axis=-1)

    def quantiles(self, found: Any, levels: tuple[float, ...]) -> Any:
        """See `Head`; levels between those that were learned are interpolated."""
        if levels == self.levels:
            return found
        own = np.array(self.levels)
        return jnp.stack([_between(found, own, level) for level in levels], axis=-1)

    def point(self, found: Any) -> Any:
        """See `Head`: the median."""
        return found[..., self.levels.index(0.5)]

    def sample(self, key: Any, found: Any) -> Any:
        """See `Head`: lines between the quantiles, prolonged to both sides."""
        return _between(found, np.array(self.levels), jax.random.uniform(key))


def _between(found: Any, own: np.ndarray, level: Any) -> Any:
    """[..., Q] at the levels `own` [Q] -> [...] at another one."""
    if len(own) == 1:
        return found[..., 0]
    right = jnp.clip(jnp.searchsorted(jnp.asarray(own), level), 1, len(own) - 1)
    low, high = jnp.asarray(own)[right - 1], jnp.asarray(own)[right]
    share = jnp.clip((level - low) / (high - low), -1.0, 2.0)
    return jnp.take(found, right - 1, axis=-1) * (1 - share) + jnp.take(found, right, axis=-1) * share


def pinball(quantiles: Any, value: Any, levels: tuple[float, ...]) -> Any:
    """Quantiles [..., Q] and what came [...] -> [..., Q]: level (y - q) where y is above, (1 - level) (q - y) below."""
    above = value[..., None] - quantiles
    level = np.array(levels, np.float32).reshape((1,) * (above.ndim - 1) + (-1,))
    return jnp.maximum(level * above, (level - 1) * above)


@dataclasses.dataclass(frozen=True)
class Mean:
    """One number, and the squared error: the forecast is the mean."""

    size: ClassVar[int] = 1

    def distribution(self, raw: Any, frame: Frame) -> Any:
        """See `Head`: [...] the mean."""
        return frame.location + frame.size * raw[..., 0]

    def loss(self, found: Any, value: Any) -> Any:
        """See `Head`: the squared error."""
        return jnp.square(value - found)

    def quantiles(self, found: Any, levels: tuple[float, ...]) -> Any:
        """See `Head`: the mean at every level."""
        return jnp.repeat(found[..., None], len(levels), axis=-1)

    def point(self, found: Any) -> Any:
        """See `Head`: the mean."""
        return found

    def sample(self, key: Any, found: Any) -> Any:
        """See `Head`: the mean."""
        del key
        return found


class Student(NamedTuple):
    """Student's t."""

    freedom: Any
    location: Any
    scale: Any


@dataclasses.dataclass(frozen=True)
class StudentT:
    """Student's t with more than two degrees of freedom, as DeepAR's successors have it."""

    size: ClassVar[int] = 3

    def distribution(self, raw: Any, frame: Frame) -> Student:
        """See `Head`."""
        scale = frame.size * (jax.nn.softplus(raw[..., 1]) + LEAST)
        return Student(2 + jax.nn.softplus(raw[..., 2]), frame.location + frame.size * raw[..., 0], scale)

    def loss(self, found: Student, value: Any) -> Any:
        """See `Head`: -log density."""
        v, z = found.freedom, (value - found.location) / found.scale
        norm = gammaln((v + 1) / 2) - gammaln(v / 2) - 0.5 * jnp.log(jnp.pi * v)
        return -norm + jnp.log(found.scale) + (v + 1) / 2 * jnp.log1p(jnp.square(z) / v)

    def quantiles(self, found: Student, levels: tuple[float, ...]) -> Any:
        """See `Head`, to about 1e-6 of the scale: SciPy's, interpolated."""
        from scipy.special import ndtri, stdtrit

        freedom = 1 / np.linspace(0, 0.5, TABLE + 1)[1:]
        rows = [np.append(ndtri(level), stdtrit(freedom, level)) for level in levels]
        place = jnp.clip(1 / found.freedom * 2 * TABLE, 0, TABLE)
        left = jnp.minimum(place.astype(jnp.int32), TABLE - 1)
        share = place - left
        at = [jnp.asarray(row, found.scale.dtype) for row in rows]
        deviations = jnp.stack([row[left] * (1 - share) + row[left + 1] * share for row in at], axis=-1)
        return found.location[..., None] + found.scale[..., None] * deviations

    def point(self, found: Student) -> Any:
        """See `Head`: median and mean."""
        return found.location

    def sample(self, key: Any, found: Student) -> Any:
        """See `Head`."""
        draw = lambda freedom: jax.random.t(key, freedom, dtype=freedom.dtype)
        draws = jax.vmap(draw)(found.freedom.reshape(-1)).reshape(found.freedom.shape)
        return found.location + found.scale * draws


class Counts(NamedTuple):
    """A negative binomial distribution: variance = mean + spread mean^2."""

    mean: Any
    spread: Any
    zero: Any
    """The change that is a count of 0."""
    unit: Any
    """Counts in a change of 1."""


@dataclasses.dataclass(frozen=True)
class NegativeBinomial:
    """Of counts (Salinas et al. 2020, DeepAR, eq. 4): means and spreads in units of the window's mean size."""

    size: ClassVar[int] = 2

    def distribution(self, raw: Any, frame: Frame) -> Counts:
        """See `Head`."""
        counts = frame.size * frame.unit
        mean = counts * (jax.nn.softplus(raw[..., 0]) + LEAST)
        spread = (jax.nn.softplus(raw[..., 1]) + LEAST) / jnp.sqrt(counts)
        zero, unit = (jnp.broadcast_to(leaf, mean.shape) for leaf in (frame.zero, frame.unit))
        return Counts(mean, spread, zero, unit)

    def loss(self, found: Counts, value: Any) -> Any:
        """See `Head`: -log probability of the count."""
        k, r = jnp.round((value - found.zero) * found.unit), 1 / found.spread
        spread_mean = found.spread * found.mean
        nats = gammaln(k + 1) + gammaln(r) - gammaln(k + r) + r * jnp.log1p(spread_mean)
        return nats - k * (jnp.log(spread_mean) - jnp.log1p(spread_mean))

    def quantiles(self, found: Counts, levels: tuple[float, ...]) -> Any:
        """See `Head`: the least count of at least that probability, which float32 knows to 5e-4; no gradient."""
        found = jax.lax.stop_gradient(found)
        level = jnp.asarray(levels, found.mean.dtype).reshape((1,) * found.mean.ndim + (-1,))
        wide = jnp.broadcast_shapes((*found.mean.shape, 1), level.shape)
        mean, spread, zero, unit = (jnp.broadcast_to(leaf[..., None], wide) for leaf in found)
        deviation = jnp.sqrt(mean + spread * mean**2)

        def halve(_: Any, between: tuple[Any, Any]) -> tuple[Any, Any]:
            low, high = between
            middle = jnp.floor((low + high) / 2)
            enough = betainc(1 / spread, middle + 1, 1 / (1 + spread * mean)) >= level
            return jnp.where(enough, low, middle), jnp.where(enough, middle, high)

        between = jnp.full_like(mean, -1.0), jnp.ceil(mean + 40 * deviation + 10)
        return zero + jax.lax.fori_loop(0, 40, halve, between)[1] / unit

    def point(self, found: Counts) -> Any:
        """See `Head`: the median."""
        return self.quantiles(found, (0.5,))[..., 0]

    def sample(self, key: Any, found: Counts) -> Any:
        """See `Head`: a Poisson count of a gamma's rate."""
        rates, counts = jax.random.split(key)

        def draw(mean: Any, spread: Any) -> Any:
            rate = jax.random.gamma(rates, 1 / spread, dtype=mean.dtype) * spread * mean
            return jax.random.poisson(counts, rate).astype(mean.dtype)

        draws = jax.vmap(draw)(found.mean.reshape(-1), found.spread.reshape(-1)).reshape(found.mean.shape)
        return found.zero + draws / found.unit


LIKELIHOODS = ("quantiles", "student_t", "negative_binomial", "mean")


def head(likelihood: str, levels: tuple[float, ...]) -> Any:
    """A `Head` by name. Raises UserError: there is none."""
    from seqjax.errors import UserError

    heads = {"student_t": StudentT, "negative_binomial": NegativeBinomial, "mean": Mean}
    if likelihood not in LIKELIHOODS:
        raise UserError(f"likelihood={likelihood}: choose {', '.join(LIKELIHOODS)}")
    return Quantiles(levels) if likelihood == "quantiles" else heads[likelihood]()
