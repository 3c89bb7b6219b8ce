"""Series as the arrays that a batch is gathered from, and how their values are scaled.

Legend: B batch, N series, T_n steps of series n, L the longest, S steps of all series together, D dimensions.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.data.series import missing_values
from seqjax.data.series.ragged import Ragged
from seqjax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Scale:
    """How values are scaled, learned from the training part."""

    normalize: str
    missing: str
    mean: list[float]
    """[D]."""
    deviation: list[float]
    """[D]; 1 of what does not change."""

    @staticmethod
    def of(train: Sequence[np.ndarray], normalize: str, missing: str) -> "Scale":
        """From the series of the training part, [T_n, D] each."""
        whole = np.concatenate(train)
        if missing == "interpolate":
            whole = np.concatenate([missing_values.interpolated(own) for own in train])
        if normalize == "none":
            mean, deviation = np.zeros(whole.shape[1]), np.ones(whole.shape[1])
        else:
            mean, deviation = moments(whole)
        return Scale(normalize, missing, mean.tolist(), deviation.tolist())

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """A series [T, D] as a model takes it: [T, D] or [T, 2 D], without NaN."""
        if self.missing == "interpolate":
            values = missing_values.interpolated(values)
        mean, deviation = np.array(self.mean), np.array(self.deviation)
        if self.normalize == "series":
            mean, deviation = moments(values)
        values = (values - mean) / deviation
        return missing_values.masked(values) if self.missing == "mask" else np.nan_to_num(values, nan=0.0)


def moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each column of [T, D] over what is known; 0 and 1 of a column without a value.

    A deviation below a millionth of a millionth of the size is rounding, and taken for none.
    """
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0).sum(axis=0) / count
    apart = np.where(known, values - mean, 0)
    size = np.maximum(np.abs(apart).max(axis=0, initial=0), np.finfo(np.float64).tiny)  # its square may be too large
    deviation = size * np.sqrt(np.square(apart / size).sum(axis=0) / count)
    return mean, np.where(deviation > 1e-12 * np.maximum(1e-12, np.abs(mean)), deviation, 1)


def arrays_of(series: Ragged, scale: Scale, name: str) -> dict[str, np.ndarray]:
    """For `inputs`. Where all series are equally long: `values` [N, L, D]; else one behind the other, [S, D].

    Raises:
      UserError: values that are missing and refused, or too large for float32.
    """
    if scale.missing == "refuse":
        missing_values.check(series.values, series.rows, name)
    lengths = series.lengths
    with np.errstate(over="ignore"):
        values = np.concatenate([scale.scaled(own) for own in series.values]).astype(np.float32)
    if not np.isfinite(values).all():
        place = np.searchsorted(np.cumsum(lengths), np.flatnonzero(~np.isfinite(values).all(axis=1))[0], side="right")
        raise UserError(f"{name}: row {series.rows[int(place)]}: a value is too large for float32; normalize it")
    if (lengths == lengths[0]).all():
        return {"values": values.reshape(len(lengths), lengths[0], -1)}
    starts = np.append(0, np.cumsum(lengths)).astype(np.int32)
    return {"values": values, "starts": starts, "places": np.arange(lengths.max(), dtype=np.int32)}


def inputs(arrays: Mapping[str, Any], ids: Any) -> Any:
    """ids [B] -> values [B, L, D], or these and where they are real [B, L] bool; on NumPy or traced by jit."""
    values = arrays["values"]
    if "starts" not in arrays:
        return values[ids]
    starts, ends = arrays["starts"][ids], arrays["starts"][ids + 1]
    places = starts[:, None] + arrays["places"][None, :]
    real = places < ends[:, None]
    return values[places.clip(0, len(values) - 1)] * real[:, :, None].astype(values.dtype), real


def labelled(arrays: Mapping[str, Any], ids: Any) -> tuple[Any, Any]:
    """`Dataset.gather`."""
    return inputs(arrays, ids), arrays["labels"][ids]


def weighted(arrays: Mapping[str, Any], ids: Any) -> tuple[Any, Any]:
    """`Dataset.gather` with the weights of the losses."""
    return inputs(arrays, ids), (arrays["labels"][ids], arrays["weights"][ids])
