"""Whether one forecast is better than another, and by how much: a test and an interval for errors in time.

Errors of neighbouring rows are alike (forecasts of several steps overlap; quiet and wild times take turns), so neither
takes rows for independent.

Legend: N forecasts in the order of time, S seeds.
"""

import math
from typing import NamedTuple

import numpy as np


class Comparison(NamedTuple):
    """Diebold and Mariano's."""

    statistic: float
    """Above 0 where the first one loses more."""
    p: float
    """Two-sided; 1 where both lose the same in every row."""


class Skill(NamedTuple):
    """1 - loss / loss of the other: 0 is no better, 1 perfect."""

    value: float
    low: float
    high: float
    """The 95 % interval; its low end is -inf where the other one may be without any loss."""


def diebold_mariano(first: np.ndarray, second: np.ndarray, horizon: int = 1) -> Comparison:
    """Whether the losses [N] of two forecasts `horizon` steps ahead have the same mean (Diebold, Mariano 1995).

    Corrected for small samples as by Harvey, Leybourne and Newbold (1997): a t distribution of N - 1 degrees, and

        DM = mean(d) / sqrt((g_0 + 2 sum_{k<h} g_k) / N) * sqrt((N + 1 - 2 h + h (h - 1) / N) / N)

    where d are the differences and g_k their autocovariances. Where that variance is negative, as it can be, the
    autocovariances are weighed by 1 - k / h (Bartlett), and it is not.

    Args:
      first: losses.
      second: losses in the same rows; of `horizon` rows or fewer nothing can be told, p is 1.
      horizon: h >= 1.
    """
    from scipy.special import stdtr

    d = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    count, centre = len(d), float(d.mean())
    if count <= horizon:
        return Comparison(0.0, 1.0)
    rest = d - centre
    covariances = np.array([float(rest[k:] @ rest[: count - k]) / count for k in range(horizon)])
    variance = float(covariances[0] + 2 * covariances[1:].sum())
    if variance <= 0:
        variance = float(covariances[0] + 2 * (covariances[1:] * (1 - np.arange(1, horizon) / horizon)).sum())
    if variance <= (1e-15 * float(np.abs(d).max(initial=0))) ** 2:  # the same difference in every row
        return Comparison(math.copysign(math.inf, centre), 0.0) if centre else Comparison(0.0, 1.0)
    correction = math.sqrt(max(count + 1 - 2 * horizon + horizon * (horizon - 1) / count, 0.0) / count)
    statistic = correction * centre / math.sqrt(variance / count)
    return Comparison(statistic, float(2 * stdtr(count - 1, -abs(statistic))))


def skill(losses: np.ndarray, other: np.ndarray, block: int = 1, *, draws: int = 2000, seed: int = 0) -> Skill | None:
    """The skill of forecasts against another one's, and its interval over seeds and over time.

    Each draw takes the seeds anew, with replacement, and the rows in blocks of neighbours (the circular block bootstrap
    of Politis and Romano, 1992).

    Args:
      losses: [S, N] of the same forecaster trained with several seeds, in the order of time.
      other: [N] of what it is compared with.
      block: rows in one, about as many as errors remember; `block_length` suggests it.
      draws: of the bootstrap.
      seed: of the draws.

    Returns:
      the skill; None where the other one has no loss at all.
    """
    losses, other = np.atleast_2d(np.asarray(losses, np.float64)), np.asarray(other, np.float64)
    if not other.sum() > 0:
        return None
    seeds, count = losses.shape
    block = min(max(block, 1), count)
    rng = np.random.default_rng(seed)
    blocks = -(-count // block)
    starts = rng.integers(count, size=(draws, blocks))
    weights = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws) / seeds  # [draws, S]
    sums = _block_sums(losses, block)[:, starts].sum(axis=-1)  # [S, draws]
    own, others = (weights.T * sums).sum(axis=0), _block_sums(other[None], block)[0, starts].sum(axis=-1)
    some = others > 0
    drawn = np.where(some, 1 - own / np.where(some, others, 1), np.where(own > 0, -np.inf, 0.0))
    method = "linear" if np.isfinite(drawn).all() else "inverted_cdf"
    low, high = np.quantile(drawn, [0.025, 0.975], method=method)
    return Skill(float(1 - losses.mean(axis=0).sum() / other.sum()), float(low), float(high))


def _block_sums(losses: np.ndarray, block: int) -> np.ndarray:
    """[S, N] -> the sums over the block that starts in each row [S, N], the end going on at the beginning."""
    around = np.concatenate([losses, losses[:, : block - 1]], axis=1)
    sums = np.concatenate([np.zeros((len(losses), 1)), around.cumsum(axis=1)], axis=1)
    return sums[:, block:] - sums[:, :-block]


def block_length(count: int, horizon: int) -> int:
    """Of a bootstrap over `count` rows: as long as two horizons, and the cube root of the rows at least."""
    return max(2 * horizon, round(count ** (1 / 3)), 1)
