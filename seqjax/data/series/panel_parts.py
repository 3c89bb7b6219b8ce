"""The origins of a panel's three parts: a forecast belongs to the part that holds all of its horizon.

Legend: N rows, S series, C targets, L context, H horizon.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from seqjax.data.series import windows
from seqjax.data.series.panel import Panel
from seqjax.errors import UserError

PARTS = ("train", "validation", "test")


class Edges(NamedTuple):
    """The first row behind each part, of each series."""

    train: np.ndarray
    """[S]"""
    validation: np.ndarray
    """[S]"""
    test: np.ndarray
    """[S]"""

    def bounds(self, bounds: windows.Bounds, part: int) -> windows.Bounds:
        """From each series' first row to the end of a part."""
        return [(start, int(stop)) for (start, _), stop in zip(bounds, self[part], strict=True)]


def by_share(bounds: windows.Bounds, horizon: int, validation: float = 0.25, test: float = 0.25) -> Edges:
    """The last rows of each series, a share each, and a horizon at least."""
    stops = np.array([stop for _, stop in bounds])
    lengths = np.array([stop - start for start, stop in bounds])
    last = np.maximum(horizon, (test * lengths).astype(int))
    before = np.maximum(horizon, (validation * lengths).astype(int))
    starts = stops - lengths
    return Edges(np.maximum(stops - last - before, starts), np.maximum(stops - last, starts), stops)


def by_rows(bounds: windows.Bounds, validation: int, test: int) -> Edges:
    """The last rows of each series, so many each."""
    starts, stops = np.array(bounds).T
    return Edges(np.maximum(stops - test - validation, starts), np.maximum(stops - test, starts), stops)


class Folds(NamedTuple):
    """A test part of a backtest: so many horizons, one behind the other, at the end of each series."""

    count: int
    after: int = 0
    """The last rows of each series, left out as if they had not come yet."""


def rolled(panel: Panel, edges: Edges, horizon: int, folds: Folds) -> tuple[Panel, Edges]:
    """The panel as it was then, and its parts: the validation part is as long as before, training is what is left.

    A series that had not begun then has no rows. What stands behind the test part, known ahead, has not come either.
    """
    lengths = np.asarray(edges.test) - np.array([start for start, _ in panel.bounds])
    left = np.maximum(lengths - folds.after, 0)
    kept = np.concatenate([np.arange(start, start + n) for (start, _), n in zip(panel.bounds, left, strict=True)])
    kept = kept.astype(int)
    stops = np.cumsum(left)
    starts = stops - left
    held_out = np.asarray(edges.validation) - np.asarray(edges.train)
    before = np.maximum(stops - folds.count * horizon, starts)
    cut = dataclasses.replace(
        panel,
        bounds=list(zip(starts.tolist(), stops.tolist(), strict=True)),
        values=panel.values[kept],
        known=panel.known[kept],
        times=None if panel.times is None else panel.times[kept],
    )
    return cut, Edges(np.maximum(before - held_out, starts), before, stops)


class Found(NamedTuple):
    """See `parts`."""

    ids: dict[str, np.ndarray]
    """Of each part, int32."""
    untrained: int
    """Series and targets without an origin in train, but with one in another part."""
    unused: int
    """Without any."""


def parts(panel: Panel, edges: Edges, context: int, horizon: int, strides: tuple[int, int, int], name: str) -> Found:
    """Ids (row * C + target) of the origins that know a value within their context, and have one to be forecast.

    Args:
      panel: the series.
      edges: of its parts.
      context: L.
      horizon: H.
      strides: rows from one origin to the next in each part; the last one possible is always there.
      name: of the data, for messages.

    Raises:
      UserError: a part has no origin.
    """
    targets = len(panel.roles.targets)
    found: dict[str, list[np.ndarray]] = {part: [] for part in PARTS}
    untrained = unused = 0
    for k, (start, stop) in enumerate(panel.bounds):
        firsts = (start, int(edges.train[k]), int(edges.validation[k]))
        for c in range(targets):
            count = counts(~np.isnan(panel.values[start:stop, c]))
            own = []
            for first, stride, after in zip(firsts, strides, (int(edge[k]) for edge in edges), strict=True):
                rows = origins(count, first - start, after - start, context, horizon, stride)
                own.append(((rows + start) * targets + c).astype(np.int32))
            for part, ids in zip(PARTS, own, strict=True):
                found[part].append(ids)
            some = sum(map(len, own)) > 0
            untrained += some and not len(own[0])
            unused += not some
    ids = {part: np.concatenate(own) for part, own in found.items()}
    for part, own in ids.items():
        if not len(own):
            longest = max(stop - start for start, stop in panel.bounds)
            filled = next((f" ({note}: are its dates right?)" for note in panel.notes if "missing step" in note), "")
            raise UserError(
                f"{name}: too few rows: the {part} part has no forecast of {horizon} rows; the longest series has "
                f"{longest:,}{filled}: shorten horizon, or change the parts"
            )
    return Found(ids, untrained, unused)


def counts(seen: np.ndarray) -> np.ndarray:
    """[T + 1] how many values there are before each row."""
    return np.concatenate([[0], np.cumsum(seen)])


def origins(count: np.ndarray, first: int, after: int, context: int, horizon: int, stride: int) -> np.ndarray:
    """Rows whose horizon lies in [first, after), with a value in their context and one in their horizon.

    Args:
      count: [T + 1] as `counts` gives it.
      first: a row.
      after: a row.
      context: L.
      horizon: H.
      stride: from the last one backwards.
    """
    last = after - horizon - 1
    rows = np.arange(last, max(first - 1, 0) - 1, -stride)[::-1]
    before = count[rows + 1] - count[np.maximum(rows + 1 - context, 0)]
    return rows[(before > 0) & (count[rows + 1 + horizon] > count[rows + 1])]
