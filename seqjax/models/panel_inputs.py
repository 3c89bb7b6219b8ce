"""What a model of a panel reads: windows on a scale of their own, and what is known of every step beside them.

Legend: B batch, L context, H horizon, P past features, K covariates known ahead, R static ones, S seasons.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from seqjax.data.series.panel_arrays import History
from seqjax.errors import UserError, check_least
from seqjax.layers.embeddings import Embedding
from seqjax.models.distributions import Frame

NORMALIZATIONS = ("series", "last", "window", "mean")
EPSILON = 1e-2
"""Beside the variance of a window, in units of its series: see `forecasters.Normalized`."""


def scales(history: History, how: str) -> tuple[jax.Array, jax.Array]:
    """Of each window and column: the change that is its 0, and the size of its 1, [B, 1 + P] each.

    `series`: the series' own scale. `last`: the same size, from the window's last value on (NLinear, Zeng et al. 2023).
    `window`: mean and deviation of the window (RevIN, Kim et al. 2022). `mean`: the target's own 0, and its mean size
    in the window (DeepAR, Salinas et al. 2020).

    Raises:
      UserError: an unknown `how`.
    """
    if how not in NORMALIZATIONS:
        raise UserError(f"normalize={how} is unknown; choices: {', '.join(NORMALIZATIONS)}")
    if how == "series":
        return -history.level, jnp.ones_like(history.level)
    if how == "last":
        return jnp.zeros_like(history.level), jnp.ones_like(history.level)
    weight = history.valid[:, :, None].astype(history.changes.dtype)
    count = jnp.maximum(weight.sum(axis=1), 1)
    mean = (history.changes * weight).sum(axis=1) / count
    square = jnp.square(history.changes - mean[:, None]) * weight
    size = jnp.sqrt(square.sum(axis=1) / count + EPSILON)
    if how == "window":
        return mean, size
    zero = (history.zero - history.level[:, 0])[:, None]  # [B, 1]
    sizes = (jnp.abs(history.changes[:, :, :1] - zero[:, None]) * weight).sum(axis=1) / count + EPSILON
    return jnp.concatenate([zero, mean[:, 1:]], axis=1), jnp.concatenate([sizes, size[:, 1:]], axis=1)


def frame(history: History, location: jax.Array, size: jax.Array) -> Frame:
    """That of the target, [B, 1] each, from `scales`."""
    zero = (history.zero - history.level[:, 0])[:, None]
    return Frame(location[:, :1], size[:, :1], zero, history.unit[:, None])


def season_places(context: int, horizon: int, seasons: tuple[int, ...]) -> np.ndarray:
    """[H, S] where in a window the value stands that is so many steps before each of the horizon, or twice as many, ...

    Raises:
      UserError: the window does not reach back so far.
    """
    for season in seasons:
        check_least("seasons", season, 1)
        if season > context:
            raise UserError(f"seasons: {season} rows are more than context={context}")
    ahead = np.arange(1, horizon + 1)[:, None]
    each = np.array(seasons, int)[None, :]
    return (context - 1 + ahead - each * -(-ahead // np.maximum(each, 1))).astype(np.int32)


class About(nn.Module):
    """What is known of a series as a whole: its static covariates, and a vector of its own."""

    series_count: int
    embedding_size: int
    unknown: float = 0.05
    """In training a series is taken for an unknown one so often, so that unknown ones can be forecast."""

    @nn.compact
    def __call__(self, history: History, train: bool) -> jax.Array:
        """-> [B, E + R]"""
        if not self.embedding_size:
            return history.static
        number = history.series
        if train:
            number = number * jax.random.bernoulli(self.make_rng("dropout"), 1 - self.unknown, number.shape)
        vectors = Embedding(self.series_count + 1, self.embedding_size)(number[:, None])[:, 0]
        return jnp.concatenate([vectors, history.static], axis=1)


def beside(about: jax.Array, steps: int) -> jax.Array:
    """[B, E] at every step: [B, T, E]."""
    return jnp.repeat(about[:, None], steps, axis=1)


def example(context: int, horizon: int, known: int, past: int = 0, static: int = 0) -> History:
    """Inputs of one window, for the shapes."""
    flat: Any = jnp.zeros
    return History(
        changes=flat((1, context, 1 + past)),
        level=flat((1, 1 + past)),
        zero=flat(1),
        unit=jnp.ones(1),
        seen=jnp.ones((1, context), bool),
        valid=jnp.ones((1, context), bool),
        known=flat((1, context + horizon, known)),
        series=jnp.ones(1, jnp.int32),
        static=flat((1, static)),
        future=flat((1, horizon)),
    )
