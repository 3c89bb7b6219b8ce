"""How a small change of a state grows or fades: the product of the steps' Jacobians, by how far it reaches back.

    ds_T/ds_k = ds_T/ds_(T-1) ... ds_(k+1)/ds_k

Singular values are given as log10, because 1,000 steps of a vanishing gradient leave the range of any float: the
product is brought to size 1 at every step. The smallest is that of the product of the inverses, since beside a large
one it would drown in rounding; where a step cannot be inverted it is 0, log10 -inf.

Legend: T time, S numbers of a state, L lags; a lag is the number of real steps from k to T.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from seqjax.errors import UserError
from seqjax.probes.recurrences import Recurrence, jacobian

AT_ONCE = 1 << 22, 64
"""Numbers in the Jacobians that are held at once, 32 MB, and how many they are at most."""


class Fading(NamedTuple):
    """log10 of the singular values of ds_T/ds_(T-lag), [L] each; NaN where the sequence is shorter."""

    lags: np.ndarray
    largest: np.ndarray
    """How much the change grows that grows most: the spectral norm."""
    typical: np.ndarray
    """The root of the mean square, the Frobenius norm over sqrt(S): what a change in a random direction becomes."""
    smallest: np.ndarray


def chosen_lags(steps: int, most: int = 60) -> np.ndarray:
    """Lags to look at: 0, 1, 2, 5, 10 and some evenly up to `steps`."""
    return np.unique([*(lag for lag in (0, 1, 2, 5, 10) if lag <= steps), *np.linspace(0, steps, most).astype(int)])


def backwards(recurrence: Recurrence, params: Any, initial: Any, states: Any, xs: Any) -> Iterator[np.ndarray]:
    """ds_t/ds_(t-1) [S, S] of one sequence, the last step first.

    Args:
      recurrence: what is repeated.
      params: of its cell.
      initial: the state before the first step, leaves [U].
      states: after each, leaves [T, U].
      xs: what was fed.
    """
    initial, states, xs = jax.tree.map(np.asarray, (initial, states, xs))
    before = jax.tree.map(lambda first, rest: np.concatenate([first[None], rest[:-1]]), initial, states)
    steps = len(jax.tree.leaves(states)[0])
    size = sum(leaf.size for leaf in jax.tree.leaves(initial))
    piece = max(1, min(AT_ONCE[1], AT_ONCE[0] // size**2))
    for stop in range(steps, 0, -piece):
        places = np.maximum(np.arange(stop - piece, stop), 0)  # the last piece is filled up: all are compiled as one
        some = jax.tree.map(lambda leaf, places=places: leaf[places], (before, xs))
        yield from np.asarray(_jacobians(recurrence, params, *some))[::-1][:stop]


@jax.jit(static_argnums=0)
def _jacobians(recurrence: Recurrence, params: Any, before: Any, xs: Any) -> jax.Array:
    return jax.vmap(lambda state, x: jacobian(recurrence, params, state, x))(before, xs)


def fading(jacobians: Iterable[np.ndarray], lags: Sequence[int] | np.ndarray) -> Fading:
    """The singular values of the products of the first 0, 1, 2, ... of some Jacobians, those of the last step first.

    Raises:
      UserError: there are none.
    """
    wanted = set(map(int, lags))
    product = inverse = np.zeros((0, 0))
    grown = shrunk = 0.0
    found: dict[int, tuple[float, float, float]] = {}
    for lag, step in enumerate(itertools.chain([None], jacobians)):
        if step is not None:
            if lag == 1:
                product = inverse = np.eye(len(step))
            product, grown = _scaled(product @ step, grown)
            inverse, shrunk = _scaled(_undone(step, inverse), shrunk)
        if lag in wanted:
            found[lag] = (0.0, 0.0, 0.0) if step is None else _values(product, grown, inverse, shrunk)
    if len(product) == 0:
        raise UserError("there is no step whose Jacobian could be taken")
    missing = (np.nan,) * 3
    columns = np.array([found.get(int(lag), missing) for lag in lags]).reshape(-1, 3).T
    return Fading(np.asarray(lags), *columns)


def _scaled(matrix: np.ndarray, size: float) -> tuple[np.ndarray, float]:
    """The matrix at size 1, and log10 of all that it has been divided by."""
    norm = float(np.abs(matrix).max())
    if norm == 0 or not np.isfinite(norm):
        return matrix, size
    return matrix / norm, size + float(np.log10(norm))


def _undone(step: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """step^-1 @ inverse; infinite where there is none, and from then on."""
    if not np.isfinite(inverse).all():
        return inverse
    try:
        return np.linalg.solve(step, inverse)
    except np.linalg.LinAlgError:
        return np.full_like(inverse, np.inf)


def _values(product: np.ndarray, grown: float, inverse: np.ndarray, shrunk: float) -> tuple[float, float, float]:
    with np.errstate(divide="ignore"):
        values = np.linalg.svd(product, compute_uv=False)
        largest, typical = np.log10(values[0]), np.log10(np.sqrt(np.mean(values**2)))
        smallest = -np.inf if not np.isfinite(inverse).all() else -shrunk - np.log10(np.linalg.norm(inverse, 2))
    return float(largest + grown), float(typical + grown), float(smallest)


def of_diagonals(decay: np.ndarray, lags: Sequence[int] | np.ndarray) -> Fading:
    """As `fading`, of a layer whose Jacobians are diagonal: decay [T, U], real or complex."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(np.abs(decay))[::-1]
        sums = np.concatenate([np.zeros((1, decay.shape[1])), np.cumsum(logs, axis=0)])  # [T + 1, U], by lag
        highest = sums.max(axis=1)
        shift = np.where(np.isfinite(highest), highest, 0)[:, None]
        typical = shift[:, 0] + 0.5 * np.log10(np.mean(10 ** (2 * (sums - shift)), axis=1))
    columns = np.stack([highest, typical, sums.min(axis=1)])
    inside = np.asarray(lags) < len(sums)
    return Fading(np.asarray(lags), *np.where(inside, columns[:, np.where(inside, lags, 0)], np.nan))
