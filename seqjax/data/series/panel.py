"""Many series in one table: on an even grid, one below the other, what is missing missing.

A step that a series leaves out becomes a row of missing values, so that rows are steps of time.

Legend: N rows, S series, C targets, P past features, K known covariates, R static ones.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.data.series import sources, steps, windows
from seqjax.data.series.table import Table
from seqjax.errors import UserError

GROWTH = 20
"""A table may become so many times longer by its missing steps (and by a million rows): beyond, its dates are odd."""


@dataclasses.dataclass(frozen=True)
class Roles:
    """What the columns of a table are for."""

    targets: tuple[str, ...]
    past: tuple[str, ...] = ()
    """Known up to the origin of a forecast, as the targets are."""
    known: tuple[str, ...] = ()
    """Known of the future, too: a price that is planned, a holiday."""
    static: tuple[str, ...] = ()
    """One number a series."""
    classes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """One word a series: columns, and which words training has seen there (`static_words`)."""

    @property
    def columns(self) -> list[str]:
        """All of numbers, each once."""
        return list(dict.fromkeys([*self.targets, *self.past, *self.known, *self.static]))

    @property
    def statics(self) -> list[str]:
        """What `Panel.static` is of: the numbers, and of each column of words a mark for each word."""
        return [*self.static, *(f"{column}={word}" for column, words in self.classes for word in words)]

    def facts(self) -> dict[str, Any]:
        """For JSON, as `roles_of` reads it."""
        found = dataclasses.asdict(self)
        return found if self.classes else {key: value for key, value in found.items() if key != "classes"}


def roles_of(facts: Mapping[str, Any]) -> Roles:
    """The reverse of `Roles.facts`."""
    classes = tuple((column, tuple(words)) for column, words in facts.get("classes", ()))
    return Roles(**{role: tuple(names) for role, names in facts.items() if role != "classes"}, classes=classes)


@dataclasses.dataclass(frozen=True)
class Panel:
    """Series of the same columns; rows of one series are in one piece and a step apart."""

    roles: Roles
    names: tuple[str, ...]
    """[S] in the order of the file; of a table of one series its name is empty."""
    bounds: windows.Bounds
    """[S]"""
    values: np.ndarray
    """[N, C + P] float64, NaN where missing: the targets, then the past features."""
    known: np.ndarray
    """[N, K] float64, NaN where missing."""
    static: np.ndarray
    """[S, R] float64, NaN where missing: of `Roles.statics`."""
    times: np.ndarray | None = None
    """[N] datetime64[us]; None: rows have no dates."""
    step: steps.Step | None = None
    notes: tuple[str, ...] = ()
    """What the user must know, each a short phrase."""
    zone: str = ""
    """What belongs behind a date in text."""

    def name(self, series: int, target: int) -> str:
        """What a forecast series is called: `shop 3`, `HUFL`, `shop 3/HUFL`."""
        several = [self.roles.targets[target]] if len(self.roles.targets) > 1 else []
        return "/".join([*filter(None, [self.names[series]]), *several])


def of_table(table: Table, roles: Roles, step: steps.Step, name: str, marks: np.ndarray | None = None) -> Panel:
    """The panel of a table that has all the columns of the roles.

    Args:
      table: the rows.
      roles: of its columns.
      step: from one row to the next.
      name: of the data, for messages.
      marks: [S, ...] of the columns of words, if there are any (`static_words.marks`).

    Raises:
      UserError: dates so far apart that the missing steps between them are more than the rows; two rows of a day; a
        static column that is not constant.
    """
    bounds, added = [], 0
    rows: list[np.ndarray] = []
    for k, (start, stop) in enumerate(windows.pieces(table)):
        which = f"{name}: the series {table.names[k]!r}" if table.names else name
        _check_doubled(step, table.times[start:stop], which)
        places = _places(step, table.times[start:stop])
        length = int(places[-1]) + 1 if len(places) else 0
        added += length - len(places)
        if added > GROWTH * len(table.times) + 1_000_000:
            raise UserError(f"{which}: {added:,} steps of {step} are missing between its dates: are these right?")
        grid = np.full(length, -1)
        grid[places] = np.arange(start, stop)
        first = bounds[-1][1] if bounds else 0
        bounds.append((first, first + length))
        rows.append(grid)
    at = np.concatenate(rows)
    pick = lambda names: _picked(table, names, at)
    constant = _constant(pick(roles.static), roles.static, bounds, table.names, name)
    uneven = sum(step.uneven(table.times[start:stop]) for start, stop in windows.pieces(table))
    notes = [*table.notes, *sources.counted(added, "missing step", "filled in as missing values")]
    notes += sources.counted(uneven, "step", f"of no whole number of {step}")
    return Panel(
        roles=roles,
        names=table.names or ("",),
        bounds=bounds,
        values=pick([*roles.targets, *roles.past]),
        known=pick(roles.known),
        static=np.concatenate([constant, np.zeros((len(bounds), 0)) if marks is None else marks], axis=1),
        times=_dates(table.times, at, step),
        step=step,
        notes=tuple(notes),
        zone=table.zone,
    )


def of_rows(series: Sequence[np.ndarray], names: Sequence[str], notes: Sequence[str] = ()) -> Panel:
    """The panel of values [T] of each series, without dates: one target called `value`."""
    edges = np.cumsum([0, *map(len, series)])
    values = np.concatenate([np.asarray(own, float) for own in series])[:, None]
    none = np.zeros((len(values), 0)), np.zeros((len(series), 0))
    bounds = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    return Panel(Roles(("value",)), tuple(names), bounds, values, *none, notes=tuple(notes))


def _check_doubled(step: steps.Step, times: np.ndarray, name: str) -> None:
    """Raises UserError: a date that comes twice, and not as an hour does at the end of summer time."""
    twice = np.flatnonzero(times[1:] == times[:-1])
    if len(twice) and step.seconds * 1e6 >= steps.UNITS["day"]:
        date = steps.texts(times[twice[:1]])[0]
        raise UserError(f"{name}: {date} is there twice with other values: --set=doubled=first, last or mean")


def _places(step: steps.Step, times: np.ndarray) -> np.ndarray:
    """[T] the step at which each row stands, from 0, strictly ascending: doubled dates come one behind the other."""
    if not len(times):
        return np.zeros(0, int)
    apart = np.maximum(np.rint(step.between(times)).astype(int), 1)
    return np.concatenate([[0], np.cumsum(apart)])


def _picked(table: Table, names: Sequence[str], at: np.ndarray) -> np.ndarray:
    columns = [table.columns.index(name) for name in names]
    return np.where(at[:, None] >= 0, table.values[at][:, columns], np.nan)


def _dates(times: np.ndarray, at: np.ndarray, step: steps.Step) -> np.ndarray:
    """[N] of the rows, those of missing ones counted from the last before them."""
    found = times[at]
    missing = np.flatnonzero(at < 0)
    if len(missing):
        before = windows.last_valid(at >= 0)  # the first row of a series is never missing
        found[missing] = step.ahead(found[before[missing]], missing - before[missing])
    return found


def _constant(values: np.ndarray, columns: Sequence[str], bounds: windows.Bounds, names: Any, name: str) -> np.ndarray:
    """[S, R]: the one value of each series, NaN where there is none."""
    found = np.full((len(bounds), len(columns)), np.nan)
    for k, (start, stop) in enumerate(bounds):
        for r, column in enumerate(columns):
            own = values[start:stop, r]
            own = np.unique(own[~np.isnan(own)])
            if len(own) > 1:
                which = f"the series {names[k]!r}" if names else "the table"
                raise UserError(f"{name}: static={column}: {which} has {own[0]:g} and {own[1]:g}: it is not static")
            found[k, r] = own[0] if len(own) else np.nan
    return found
