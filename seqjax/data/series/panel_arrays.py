"""A panel as arrays on the device, and the pure gather of windows from them.

An example is an origin: the last row that is known of one target, id = row * C + target. Its window is the L rows up to
there, its targets are the H rows behind. A series that begins within a window is masked before its beginning (padded on
the left, without being copied); what is missing later is the last value seen, and marked. Values are kept in two parts
(`changes`): what a window holds are changes from the value at its origin, so that no digit is lost.

Legend: N rows, S series, C targets, P past features, K covariates known ahead, R static ones, B batch, L context,
H horizon.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqjax.data.dataset import Arrays
from seqjax.data.series import calendar, changes, windows
from seqjax.data.series.panel import Panel
from seqjax.data.series.table import Table
from seqjax.errors import UserError

SCALINGS = ("standard", "mean", "none")


class History(NamedTuple):
    """What is known at an origin. Scaled: in units of its series."""

    changes: Any
    """[B, L, 1 + P] from the values at the origin, the target first; 0 where not `valid`."""
    level: Any
    """[B, 1 + P] those values, scaled; of the target the last one seen."""
    zero: Any
    """[B] where the target's own 0 lies on its scale."""
    unit: Any
    """[B] of one on the scale, in the target's own unit."""
    seen: Any
    """[B, L] bool: the target has a value there."""
    valid: Any
    """[B, L] bool: the series has begun."""
    known: Any
    """[B, L + H, K] of the window and of the horizon."""
    series: Any
    """[B] int32: which series and target it is, from 1; 0 is one that training has not seen."""
    static: Any
    """[B, R]"""
    future: Any
    """[B, H] the targets (changes), for a decoder that is trained on them; 0 in predict. No answer looks at them."""


class Steps(NamedTuple):
    """What is to be forecast."""

    change: Any
    """[B, H] from the value at the origin, scaled; where missing, that of the last one seen."""
    seen: Any
    """[B, H] bool: there is a value."""
    unit: Any
    """[B] of one on the scale, in the target's own unit."""
    origin: Any
    """[B] the value at the origin less `zero`, scaled: (origin + change) * unit is the target itself."""


@dataclasses.dataclass(frozen=True)
class Gather:
    """ids -> windows."""

    context: int
    horizon: int
    targets: int
    """C"""
    mixed: bool = False
    """All targets are past features of each."""

    def history(self, arrays: Arrays, ids: Any) -> History:
        """What is known at the origins `ids` [B]; `future` is 0."""
        origin, target = ids // self.targets, ids % self.targets
        which = arrays["which"][origin]
        offsets = np.arange(1 - self.context, self.horizon + 1, dtype=np.int32)
        rows = origin[:, None] + offsets[None, :]
        begin = arrays["first"][which, target]
        known = arrays["known"][rows.clip(0, len(arrays["known"]) - 1)]
        rows = rows[:, : self.context]
        valid = rows >= begin[:, None]
        rows = rows * valid + origin[:, None] * ~valid
        columns = self._columns(arrays, target)
        moved = changes.minus(arrays, (rows[:, :, None], columns[:, None]), (origin[:, None, None], columns[:, None]))
        return History(
            changes=moved * valid[:, :, None],
            level=arrays["series"][origin[:, None], columns],
            zero=arrays["zero"][which, target],
            unit=arrays["unit"][which, target],
            seen=arrays["seen"][rows, target[:, None]] & valid,
            valid=valid,
            known=known,
            series=arrays["identity"][which, target],
            static=arrays["static"][which],
            future=moved[:, :1, 0] * np.zeros((1, self.horizon), np.float32),
        )

    def examples(self, arrays: Arrays, ids: Any) -> tuple[History, Steps]:
        """The windows and their targets."""
        origin, target = ids // self.targets, ids % self.targets
        which = arrays["which"][origin]
        rows = origin[:, None] + np.arange(1, self.horizon + 1, dtype=np.int32)[None, :]
        column = target[:, None]
        change = changes.minus(arrays, (rows, column), (origin[:, None], column))
        from_zero = (arrays["series"][origin, target] - arrays["zero"][which, target]) + arrays["rest"][origin, target]
        steps = Steps(change, arrays["seen"][rows, column], arrays["unit"][which, target], from_zero)
        return self.history(arrays, ids)._replace(future=change), steps

    def _columns(self, arrays: Arrays, target: Any) -> Any:
        """[B, 1 + P] those of the target and of the past features."""
        past = np.arange(0 if self.mixed else self.targets, arrays["series"].shape[1], dtype=np.int32)
        own = np.array([[1] + [0] * len(past)], np.int32)
        return target[:, None] * own + np.append(0, past).astype(np.int32)[None, :]


class Scale(NamedTuple):
    """Of each series: (value - shift) / unit."""

    shift: np.ndarray
    """[S, C + P] float64."""
    unit: np.ndarray
    """[S, C + P] float64, above 0."""


def scale_of(values: np.ndarray, bounds: windows.Bounds, how: str) -> Scale:
    """Of the rows that may be looked at.

    Args:
      values: [N, C + P], NaN where missing.
      bounds: [S] of the rows of each series that may be looked at; of one without a value the scale is 0 and 1.
      how: `standard`: mean and deviation. `mean`: no shift, the mean size (DeepAR). `none`.

    Raises:
      UserError: an unknown `how`.
    """
    if how not in SCALINGS:
        raise UserError(f"scaling={how}: choose {', '.join(SCALINGS)}")
    shape = (len(bounds), values.shape[1])
    shift, unit = np.zeros(shape), np.ones(shape)
    for k, (start, stop) in enumerate(bounds if how != "none" else []):
        for c in range(shape[1]):
            own = values[start:stop, c]
            own = own[~np.isnan(own)]
            if len(own):
                with np.errstate(over="ignore"):  # of numbers around 1e200, which are refused later
                    shift[k, c], unit[k, c] = _scale(own, how)
    return Scale(shift, unit)


def _scale(own: np.ndarray, how: str) -> tuple[float, float]:
    """Of one that is constant its size: no unit is preferred; of nothing but zeros 1."""
    size = float(np.abs(own).mean())
    if how == "mean":
        return 0.0, size or 1.0
    constant = own.min() == own.max()
    return float(own.mean()), (size or 1.0) if constant else float(own.std())


def filled(panel: Panel, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last value seen laid over missing ones: ([N, C + P], the first row of each that has a value [S, C]).

    Before it stands the shift, the scale's 0; the first row of a target without any value is the one behind its last.
    """
    values, targets = panel.values.copy(), len(panel.roles.targets)
    first = np.zeros((len(panel.bounds), targets), np.int32)
    for k, (start, stop) in enumerate(panel.bounds):
        for c in range(values.shape[1]):
            valid = ~np.isnan(values[start:stop, c])
            begin = int(valid.argmax()) if valid.any() else stop - start
            if begin < stop - start:
                values[start:stop, c] = values[start + windows.last_valid(valid), c]
            values[start : start + begin, c] = shift[k, c]
            if c < targets:
                first[k, c] = start + begin
    return values, first


class Known(NamedTuple):
    """How covariates are scaled, over all series; missing ones become 0."""

    mean: np.ndarray
    deviation: np.ndarray
    """0 of one that is constant where it is learned from: whatever it is later, nothing follows from it."""
    circles: tuple[str, ...] = ()
    """What dates tell besides: see `calendar.names`."""

    def scaled(self, values: np.ndarray, columns: Sequence[str] = (), name: str = "") -> np.ndarray:
        """float32 [..., K]. Raises UserError: numbers beyond float32; columns: their names; name: of the data."""
        size = np.where(self.deviation > 0, self.deviation, np.inf)
        with np.errstate(over="ignore"):
            found = np.nan_to_num((values - self.mean) / size, nan=0.0, posinf=np.inf, neginf=-np.inf)
        far = np.argwhere(np.abs(found) > 1 / changes.LEAST)
        if len(far):
            place = tuple(far[0])
            raise UserError(
                f"{name}: column {columns[place[-1]]!r}: {values[place]:g} is too far from the training rows to be "
                "computed with"
            )
        return found.astype(np.float32)


def known_of(values: np.ndarray, columns: Sequence[str] = (), name: str = "") -> Known:
    """Of values [N, K], NaN where missing. Raises UserError: as `Known.scaled`."""
    means, deviations = [], []
    for k in range(values.shape[1]):
        own = values[~np.isnan(values[:, k]), k]
        constant = not len(own) or own.min() == own.max()
        if len(own) and np.abs(own).max() > 1 / changes.LEAST:
            raise UserError(
                f"{name}: column {columns[k]!r}: {own[np.abs(own).argmax()]:g} is too large: give it in another unit"
            )
        means.append(own.mean() if len(own) else 0.0)
        deviations.append(0.0 if constant else own.std())
    return Known(np.array(means), np.array(deviations))


def arrays_of(
    panel: Panel, scale: Scale, known: Known, static: Known, identity: np.ndarray, name: str
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What goes to the device, as `Gather` reads it; and the filled values [N, C + P] float64.

    Args:
      panel: with H rows behind the last origin of each series.
      scale: of the series.
      known: of the known covariates.
      static: of the static ones.
      identity: [S, C] int32, `History.series`.
      name: of the data, for messages.

    Raises:
      UserError: numbers beyond float32.
    """
    roles = panel.roles
    values, first = filled(panel, scale.shift)
    times = np.arange(len(values)).astype("datetime64[us]") if panel.times is None else panel.times
    table = Table((*roles.targets, *roles.past), times, values)
    found = changes.arrays_of(table, values, scale.shift, scale.unit, panel.bounds, name)
    targets = len(roles.targets)
    circles = np.zeros((len(values), 0), np.float32)
    if panel.times is not None:
        circles = calendar.covariates(panel.times, known.circles)
    lengths = [stop - start for start, stop in panel.bounds]
    found |= {
        "seen": ~np.isnan(panel.values[:, :targets]),
        "first": first,
        "which": np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
        "zero": (-scale.shift / scale.unit)[:, :targets].astype(np.float32),
        "unit": scale.unit[:, :targets].astype(np.float32),
        "known": np.concatenate([circles, known.scaled(panel.known, roles.known, name)], axis=1),
        "static": static.scaled(panel.static, roles.statics, name),
        "identity": identity.astype(np.int32),
    }
    return found, values
