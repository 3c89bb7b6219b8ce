"""What stands for the values that a series lacks. It is always said how many they are.

Legend: N series, T_n steps, D dimensions.
"""

from collections.abc import Sequence

import numpy as np

from seqjax.errors import UserError

CHOICES = ("interpolate", "mask", "refuse")
"""`interpolate`: the line between the values before and after, at an end the nearest; of a dimension without any, its
mean over the training part. `mask`: that mean, and beside every dimension another one, 1 where its value is known and
else 0 (Che et al. 2018). `refuse`: none may be missing."""


def interpolated(values: np.ndarray) -> np.ndarray:
    """A series [T, D] without NaN, but for dimensions that have no value at all."""
    unknown = np.isnan(values)
    if not unknown.any():
        return values
    found, steps = values.copy(), np.arange(len(values))
    for dimension in np.flatnonzero(unknown.any(axis=0) & ~unknown.all(axis=0)):
        holes = unknown[:, dimension]
        found[holes, dimension] = np.interp(steps[holes], steps[~holes], values[~holes, dimension])
    return found


def masked(values: np.ndarray) -> np.ndarray:
    """A standardised series [T, D] -> [T, 2 D]: 0 for NaN, then 1 where a value is known."""
    known = ~np.isnan(values)
    return np.concatenate([np.where(known, values, 0), known], axis=1)


def check(values: Sequence[np.ndarray], rows: Sequence[int], name: str) -> None:
    """Raise UserError: a value is missing, and that is refused."""
    row = next((row for row, own in zip(rows, values, strict=True) if np.isnan(own).any()), None)
    if row is not None:
        raise UserError(f"{name}: row {row}: a value is missing; --set=missing=interpolate or mask takes it")
