"""Windows over a panel, and all steps of a horizon behind each: what every source of such forecasts shares.

Every series is scaled by its own training rows. Rows of a series that are too few for training are forecast all the
same, by the scale of what comes before; how many there are is said.

Legend: N rows, S series, C targets, P past features, L context, H horizon, Q levels.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from seqjax.data.dataset import Dataset
from seqjax.data.series import calendar, panel_arrays, panel_baselines, panel_parts, panel_truth, sources, steps
from seqjax.data.series.panel import Panel
from seqjax.data.series.panel_arrays import Gather, Known, Scale
from seqjax.data.series.panel_parts import Edges
from seqjax.errors import UserError, check_least

ASSET = "panel.json"
FACTS = (
    "roles",
    "names",
    "step",
    "context",
    "horizon",
    "levels",
    "shift",
    "unit",
    "known",
    "circles",
    "static",
    "scaling",
    "mixed",
    "own",
)
"""What `ASSET` holds."""
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Of GluonTS's mean_wQuantileLoss."""


@dataclasses.dataclass(frozen=True)
class Windows:
    """The shape of an example, and how its series are scaled."""

    context: int
    """L: rows that a forecast looks at."""
    horizon: int
    """H: rows that it forecasts."""
    levels: tuple[float, ...] = LEVELS
    """Q: what the columns of a forecast stand for."""
    scaling: str = "standard"
    """See `panel_arrays.scale_of`."""
    stride: int = 1
    """Rows from one origin to the next in training."""
    test_stride: int = 1
    """In validation and test."""
    size_weight: float = 0.0
    """Above 0, training origins are drawn, as many as with the stride, from all, with replacement: the more often the
    larger a series' unit is, to this power (DeepAR draws so by 1). Where errors count by their size, as in WQL."""
    mixed: bool = False
    """A target is forecast from all of them, not from its own past alone."""
    season: int | None = None
    """Rows of one, for the seasonal naive forecast; by default what suits the step of time."""
    folds: panel_parts.Folds | None = None
    """Of a backtest; None: the parts as the source has them."""

    def __post_init__(self):
        for option in ("context", "horizon", "stride", "test_stride", "season"):
            if getattr(self, option) is not None:
                check_least(option, getattr(self, option), 1)
        check_levels(self.levels)

    def dataset(
        self,
        panel: Panel,
        edges: Edges,
        name: str,
        own: Mapping[str, Any],
        baselines: Callable[[Dataset], Mapping[str, Any]] = panel_baselines.scores,
    ) -> Dataset:
        """Examples in three parts.

        Args:
          panel: the series.
          edges: of the parts.
          name: of the data, for messages.
          own: facts of the source, kept with the others for its requests.
          baselines: of what needs no model; kept, for the folds of a backtest.

        Raises:
          UserError: too few rows, or numbers beyond float32.
        """
        if self.folds is not None:
            panel, edges = panel_parts.rolled(panel, edges, self.horizon, self.folds)
        scale = _scale(panel, edges, self.scaling)
        found = self._origins(panel, edges, scale, name)
        trained = np.concatenate([np.arange(*pair) for pair in edges.bounds(panel.bounds, 0)]).astype(int)
        known = panel_arrays.known_of(panel.known[trained], panel.roles.known, name)
        known = known._replace(circles=_circles(panel, edges))
        static = panel_arrays.known_of(panel.static, panel.roles.statics, name)
        targets = len(panel.roles.targets)
        identity = 1 + np.arange(len(panel.bounds) * targets).reshape(-1, targets)
        arrays, filled = panel_arrays.arrays_of(panel, scale, known, static, identity, name)
        season = panel_truth.season(filled, arrays["first"], found.ids["train"], self, panel)
        facts = self._facts(panel, scale, known, static, own)
        dataset = Dataset(
            arrays=arrays,
            gather=Gather(self.context, self.horizon, targets, self.mixed).examples,
            parts=found.ids,
            description=_describe(panel, name, found, self, known),
            fingerprint=_fingerprint(panel, facts, edges, dataclasses.replace(self, season=season)),
            assets={ASSET: json.dumps(facts) + "\n"},
            knobs={"series_count": identity.size, "season": season, "examples": len(found.ids["train"])},
            kept=panel_truth.kept(panel, filled, arrays["first"], scale, edges, season, self)
            | {"baselines": baselines},
        )
        return dataclasses.replace(dataset, baselines=baselines(dataset))

    def _origins(self, panel: Panel, edges: Edges, scale: Scale, name: str) -> panel_parts.Found:
        """Of the parts."""
        last = self.test_stride if self.folds is None else self.horizon
        strides = (1 if self.size_weight else self.stride, self.test_stride, last)
        found = panel_parts.parts(panel, edges, self.context, self.horizon, strides, name)
        if self.size_weight:
            found.ids["train"] = self._drawn(found.ids["train"], panel, scale)
        return found

    def _drawn(self, ids: np.ndarray, panel: Panel, scale: Scale) -> np.ndarray:
        """Of the training origins those that `size_weight` draws, always the same."""
        rows, target = np.divmod(ids, len(panel.roles.targets))
        which = np.searchsorted([stop for _, stop in panel.bounds], rows, side="right")
        odds = (scale.unit[which, target] / scale.unit.max()) ** self.size_weight
        count = max(1, len(ids) // self.stride)
        return np.sort(np.random.default_rng(0).choice(ids, count, p=odds / odds.sum()))

    def _facts(self, panel: Panel, scale: Scale, known: Known, static: Known, own: Mapping[str, Any]) -> dict[str, Any]:
        pair = lambda both: [both.mean.tolist(), both.deviation.tolist()]
        return {
            "roles": panel.roles.facts(),
            "names": list(panel.names),
            "step": None if panel.step is None else panel.step.facts(),
            "context": self.context,
            "horizon": self.horizon,
            "levels": list(self.levels),
            "shift": scale.shift.tolist(),
            "unit": scale.unit.tolist(),
            "scaling": self.scaling,
            "mixed": self.mixed,
            "known": pair(known),
            "circles": list(known.circles),
            "static": pair(static),
            "own": dict(own),
        }


def levels_of(text: str) -> tuple[float, ...]:
    """`0.1,0.5,0.9`. Raises UserError: no such list, or as `check_levels`."""
    try:
        levels = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UserError(f"levels={text}: probabilities with commas between are expected") from error
    check_levels(levels)
    return levels


def check_levels(levels: tuple[float, ...]) -> None:
    """Raises UserError: they do not ascend between 0 and 1, or the median is not among them."""
    if list(levels) != sorted(set(levels)) or not all(0 < level < 1 for level in levels) or 0.5 not in levels:
        said = ",".join(map(str, levels))
        raise UserError(f"levels={said}: probabilities between 0 and 1 are expected, ascending, with 0.5 among them")


def _circles(panel: Panel, edges: Edges) -> tuple[str, ...]:
    """What the longest training part can learn of a calendar."""
    if panel.step is None or panel.times is None:
        return ()
    rows = max(stop - start for start, stop in edges.bounds(panel.bounds, 0))
    return tuple(calendar.names(panel.step, rows * panel.step.seconds))


def _scale(panel: Panel, edges: Edges, how: str) -> Scale:
    """By the training rows; of a series that has no value there by the validation's, or else as others on average."""
    train, more = (panel_arrays.scale_of(panel.values, edges.bounds(panel.bounds, part), how) for part in (0, 1))
    first, some = (
        np.array(
            [(~np.isnan(panel.values[start:stop])).any(axis=0) for start, stop in edges.bounds(panel.bounds, part)]
        )
        for part in (0, 1)
    )
    found = Scale(np.where(first, train.shift, more.shift), np.where(first, train.unit, more.unit))
    counts = np.maximum(some.sum(axis=0), 1)
    means = [np.where(some, own, 0).sum(axis=0) / counts for own in found]
    return Scale(*(np.where(some | ~some.any(axis=0), own, mean) for own, mean in zip(found, means, strict=True)))


def _describe(panel: Panel, name: str, found: panel_parts.Found, windows: Windows, known: Known) -> str:
    counts = ", ".join(f"{len(ids):,} {part}" for part, ids in found.ids.items())
    targets = ", ".join(panel.roles.targets[:8]) + (", ..." if len(panel.roles.targets) > 8 else "")
    said = [f"{len(panel.values):,} rows of {len(panel.bounds):,} series" if len(panel.bounds) > 1 else ""]
    said = [said[0] or f"{len(panel.values):,} rows"]
    if panel.times is not None:
        dates = steps.texts(np.array([panel.times.min(), panel.times.max()]))
        said[0] += f" {panel.step} apart, {dates[0]} to {dates[1]}"
    missing = int(np.isnan(panel.values[:, : len(panel.roles.targets)]).sum())
    notes = [*sources.counted(missing, "target", "missing"), *panel.notes]
    notes += sources.counted(
        int(np.isnan(panel.known).sum()), "missing value", "of known covariates taken as their mean"
    )
    same = [column for column, size in zip(panel.roles.known, known.deviation, strict=True) if not size]
    notes += [f"{column} is the same in all training rows: nothing is learned of it" for column in same]
    notes += sources.counted(found.untrained, "series", "too short for training, only forecast")
    notes += sources.counted(found.unused, "series", "too short for any forecast, left out")
    shape = f"forecasts of {windows.horizon} rows from {windows.context}: {counts}"
    return f"{name}: {'; '.join([said[0], f'target {targets}', shape, *notes])}"


def _fingerprint(panel: Panel, facts: Mapping[str, Any], edges: Edges, windows: Windows) -> str:
    content = np.concatenate([panel.values, panel.known], axis=1)
    parts = [edge.tolist() for edge in edges]
    own = {name: value for name, value in dataclasses.asdict(windows).items() if value is not None or name != "folds"}
    told = {name: fact for name, fact in facts.items() if name != "circles"}  # they follow from dates and parts
    options = {**told, "parts": parts, "windows": own}
    return sources.fingerprint(content, options, panel.times)
