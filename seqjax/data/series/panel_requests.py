"""What predict does with a panel: the horizon after the last value of each series, as a tidy CSV.

A line is `series,origin,step,date` and a column for each quantile. A series that training has seen keeps its scale; one
that is new is scaled by what it has here. Rows behind the last value of a series, without one, say what is known ahead.

Legend: N rows, S series, C targets, H horizon, K known covariates, Q levels.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from seqjax.data.dataset import Requests
from seqjax.data.series import panel_arrays, panel_truth, sources, steps
from seqjax.data.series.panel import Panel
from seqjax.data.series.panel_arrays import Gather, Known, Scale
from seqjax.data.series.panel_windows import ASSET, FACTS
from seqjax.data.series.table_windows import quoted
from seqjax.errors import UserError

WORTH = ("missing step", "no whole number", "doubled")
"""Of a panel's notes, those of which a warning is made."""


def facts_of(assets: Path) -> dict[str, Any]:
    """What training has kept. Raises UserError: nothing."""
    return sources.read_facts(assets / ASSET, FACTS)


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is to be forecast, and what brings forecasts back to the targets' own unit; N series and targets."""

    arrays: dict[str, np.ndarray]
    gather: Gather
    ids: np.ndarray
    """[N]"""
    names: list[str]
    """[N]"""
    level: np.ndarray
    """[N] float64: the values at the origins."""
    unit: np.ndarray
    """[N] float64: of their scales."""
    panel: Panel
    """With the rows of the horizon."""
    rows: np.ndarray
    """[N] those of the origins."""
    starts: np.ndarray
    """[N] the first rows of their series."""

    def values(self, outputs: np.ndarray) -> np.ndarray:
        """Quantiles [N, H, Q] of changes on the scale -> float64 in the own unit."""
        return self.level[:, None, None] + self.unit[:, None, None] * np.asarray(outputs, float)

    def times(self, horizon: int) -> np.ndarray | None:
        """[N, H] the dates that are forecast; None: there are none."""
        ahead = self.rows[:, None] + np.arange(1, horizon + 1)
        return None if self.panel.times is None else self.panel.times[ahead]


def of_panel(panel: Panel, assets: Path, name: str, counts: bool = False) -> Requests:
    """The request of each series and target.

    Args:
      panel: the series.
      assets: the folder of what training has kept.
      name: of the data, for messages.
      counts: forecasts are numbers of things.

    Raises:
      UserError: covariates that are not known ahead, or nothing to go on.
    """
    facts = facts_of(assets)
    found = asked(panel, facts, name)
    quantiles = ",".join(f"q{level:g}" for level in facts["levels"])
    places = (found.panel, found.rows, found.starts, found.names, found.level, found.unit)
    return Requests(
        arrays=found.arrays,
        gather=found.gather.history,
        ids=found.ids,
        line=_lines(*places, facts["horizon"], counts),
        header=f"series,origin,step,date,{quantiles}",
    )


def asked(panel: Panel, facts: dict[str, Any], name: str, quiet: bool = False) -> Asked:
    """As `of_panel`, from facts as `facts_of` gives them. quiet: no warnings."""
    told = (lambda *said: None) if quiet else logging.warning
    horizon, targets = facts["horizon"], len(panel.roles.targets)
    origins = _origins(panel, name, told)
    _check_known(panel, origins, horizon, name)
    _warn(panel, origins, name, told)
    longer, moved = extended(panel, origins, horizon)
    scale, identity = _known_series(panel, facts, origins, told)
    known, static = (Known(np.array(facts[key][0]), np.array(facts[key][1])) for key in ("known", "static"))
    known = known._replace(circles=tuple(facts["circles"]))
    arrays, filled = panel_arrays.arrays_of(longer, scale, known, static, identity, name)
    some = origins >= 0
    rows = (origins + moved[:, None])[some]
    which, target = np.nonzero(some)
    ids = (rows * targets + target).astype(np.int32)
    gather = Gather(facts["context"], horizon, targets, facts["mixed"])
    return Asked(
        arrays=arrays,
        gather=gather,
        ids=ids,
        names=[panel.name(int(k), int(c)) for k, c in zip(which, target, strict=True)],
        level=filled[rows, target],
        unit=scale.unit[which, target],
        panel=longer,
        rows=rows,
        starts=np.array(panel.bounds)[which, 0] + moved[which],
    )


def _origins(panel: Panel, name: str, told: Callable[..., Any]) -> np.ndarray:
    """[S, C] the last row of each series that has a value, -1 where there is none."""
    targets = len(panel.roles.targets)
    found = np.full((len(panel.bounds), targets), -1)
    for k, (start, stop) in enumerate(panel.bounds):
        for c in range(targets):
            seen = np.flatnonzero(~np.isnan(panel.values[start:stop, c]))
            if len(seen):
                found[k, c] = start + seen[-1]
            else:
                told("%s: %s has no value: it is not forecast", name, panel.name(k, c) or "the series")
    if not (found >= 0).any():
        raise UserError(f"{name}: no series has a value to go on from")
    return found


def _check_known(panel: Panel, origins: np.ndarray, horizon: int, name: str) -> None:
    """Raises UserError: a covariate lacks a value in a horizon."""
    for (k, c), origin in np.ndenumerate(origins):
        if origin < 0 or not panel.roles.known:
            continue
        ahead = panel.known[origin + 1 : min(origin + 1 + horizon, panel.bounds[k][1])]
        which = f"the series {panel.name(k, c)!r}" if panel.name(k, c) else "the table"
        for j, column in enumerate(panel.roles.known):
            there = int((~np.isnan(ahead[:, j])).sum())
            if there < horizon:
                raise UserError(
                    f"{name}: {which} has {there} of the {horizon} values of {column!r} after its last target: add "
                    f"rows without a target that hold what is known ahead"
                )


def _warn(panel: Panel, origins: np.ndarray, name: str, told: Callable[..., Any]) -> None:
    """Say what is not there, or not where it is expected."""
    pairs = zip(panel.bounds, origins.max(axis=1), strict=True)
    lacking = sum(int(np.isnan(panel.known[start : last + 1]).sum()) for (start, _), last in pairs)
    for note in [
        *(note for note in panel.notes if any(word in note for word in WORTH)),
        *sources.counted(lacking, "missing value", "of known covariates taken as their mean"),
    ]:
        told("%s: %s", name, note)


def extended(panel: Panel, origins: np.ndarray, horizon: int) -> tuple[Panel, np.ndarray]:
    """The panel with a horizon of rows behind the last origin of each series; and by how much it has moved [S]."""
    bounds, moved, at, ahead = [], [], [], []
    for (start, stop), own in zip(panel.bounds, origins, strict=True):
        more = max(0, int(own.max()) + 1 + horizon - stop) if own.max() >= 0 else 0
        first = bounds[-1][1] if bounds else 0
        bounds.append((first, first + stop - start + more))
        moved.append(first - start)
        at += [np.arange(start, stop), np.full(more, stop - 1)]
        ahead += [np.zeros(stop - start, int), np.arange(1, more + 1)]
    rows, steps_on = np.concatenate(at), np.concatenate(ahead)
    new = steps_on > 0
    blank = lambda values: np.where(new[:, None], np.nan, values[rows])
    times = panel.times
    if times is not None and panel.step is not None:
        times = times[rows]
        times[new] = panel.step.ahead(times[new], steps_on[new])
    longer = dataclasses.replace(
        panel, bounds=bounds, values=blank(panel.values), known=blank(panel.known), times=times
    )
    return longer, np.array(moved)


def _known_series(
    panel: Panel, facts: dict[str, Any], origins: np.ndarray, told: Callable[..., Any]
) -> tuple[Scale, np.ndarray]:
    """Scale and identity [S, C] of each series, of those that training has seen its own."""
    shift, unit = np.array(facts["shift"]), np.array(facts["unit"])
    targets = len(panel.roles.targets)
    places = {name: k for k, name in enumerate(facts["names"])}
    at = np.array([places.get(name, -1) for name in panel.names])
    new = at < 0
    if new.any():
        some = ", ".join(own for own, fresh in zip(panel.names, new, strict=True) if fresh)[:200] or "the series"
        told("training has not seen %s: scaled by what is here", some)
    here = panel_arrays.scale_of(panel.values, panel.bounds, facts["scaling"])
    identity = np.where(new[:, None], 0, 1 + at[:, None] * targets + np.arange(targets)[None, :])
    pick = lambda trained, own: np.where(new[:, None], own, trained[np.maximum(at, 0)])
    return Scale(pick(shift, here.shift), pick(unit, here.unit)), identity


def _lines(
    panel: Panel,
    rows: np.ndarray,
    starts: np.ndarray,
    names: list[str],
    level: np.ndarray,
    unit: np.ndarray,
    horizon: int,
    counts: bool,
) -> Callable[[int, Any], str]:
    """(position, quantiles [H, Q] of changes on the scale) -> H lines.

    Args:
      panel: with the rows of the horizon.
      rows: of the origins.
      starts: first rows of their series.
      names: of the series.
      level: values at the origins.
      unit: of their scales.
      horizon: H.
      counts: what is a whole number is told as one.
    """
    ahead = rows[:, None] + np.arange(horizon + 1)
    dates = None
    if panel.times is not None:
        dates = np.array(steps.texts(panel.times[ahead].reshape(-1), panel.zone)).reshape(ahead.shape)

    def line(position: int, output: Any) -> str:
        values = level[position] + unit[position] * np.asarray(output, float)
        values = panel_truth.counted(values, level[position]) if counts else values
        whole = lambda value: counts and float(value).is_integer()
        number = lambda value: str(int(value)) if whole(value) else sources.number(float(value), float(unit[position]))
        origin = str(rows[position] - starts[position] + 1) if dates is None else dates[position][0]
        said = []
        for k, row in enumerate(values, 1):
            date = "" if dates is None else dates[position][k]
            said.append(",".join([quoted(names[position]), origin, str(k), date, *map(number, row)]))
        return "\n".join(said)

    return line
