"""A user's own table of one series or many, as a panel: what its columns are for, and its three parts.

Legend: N rows, S series, C targets, H horizon.
"""

import dataclasses
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from absl import logging

from seqjax.data.dataset import Dataset, Requests
from seqjax.data.series import (
    csv_table,
    m4,
    own_series,
    panel,
    panel_parts,
    panel_requests,
    sample_panel,
    static_words,
    steps,
    windows,
)
from seqjax.data.series.panel import Panel, Roles
from seqjax.data.series.panel_parts import Edges
from seqjax.data.series.panel_windows import Windows
from seqjax.data.series.table import Table
from seqjax.errors import UserError, check_least

ALL = "*"


@dataclasses.dataclass(frozen=True)
class Columns:
    """What the user calls them: each text is one name, or several with commas between."""

    target: str = ""
    """Empty is right where but one column is left; `*`: all that are left, each a series of its own."""
    features: str = ""
    """Known up to now."""
    known: str = ""
    """Known ahead."""
    static: str = ""
    """The same in all rows of a series: numbers or words."""


@dataclasses.dataclass(frozen=True)
class CsvPanel:
    """The data source."""

    file: str
    columns: Columns
    windows: Windows
    form: csv_table.Form = dataclasses.field(default_factory=csv_table.Form)
    validation: int | None = None
    """The last rows of each series before `test`; by default a fourth of them, and a horizon at least."""
    test: int | None = None
    counts: bool = False
    """Targets are numbers of things: 0, 1, 2, ..."""
    wide: bool = False
    """The file has a series a row, its name and its values, and no dates (`m4.parse`)."""

    def __post_init__(self):
        if self.wide and (self.columns != Columns() or self.form.series or self.form.time):
            raise UserError("wide=true: a row is a series, and there are no columns to name")
        for option in ("validation", "test"):
            if getattr(self, option) is not None:
                check_least(option, getattr(self, option), self.windows.horizon)

    def load(self, data: str, data_dir: Path) -> Dataset:
        """The file, or generated series.

        Raises:
          UserError: no file, one that is malformed, or options that do not fit it.
        """
        if data == "sample":
            made = sample_panel.panel(counts=self.counts)
            edges = panel_parts.by_share(made.panel.bounds, self.windows.horizon)
            dataset = self.windows.dataset(made.panel, edges, "generated series", {"form": {}, "time": ""})
            best = sample_panel.optimum(made, dataset.parts["test"], self.windows.horizon, self.windows.levels)
            return self._counted(dataclasses.replace(dataset, optimum=best))
        if data != "real":
            raise UserError(f"data={data}: choose real or sample")
        if not self.file:
            raise UserError("file is missing: --set=file=PATH.csv --set=target=COLUMN, or --data=sample to try")
        path = own_series.find(self.file, "file", data_dir)
        found, own = self._read(path)
        _check_values(found, str(path))
        if self.counts:
            _check_counts(found, str(path))
        return self._counted(self.windows.dataset(found, self._edges(found), str(path), own))

    def _counted(self, dataset: Dataset) -> Dataset:
        return dataclasses.replace(dataset, kept={**dataset.kept, "counts": self.counts})

    def _read(self, path: Path) -> tuple[Panel, dict[str, Any]]:
        """The panel, and what predict has to know of it."""
        own: dict[str, Any] = {"form": csv_table.as_options(self.form)}
        if self.wide:
            return panel.of_rows(*m4.parse(csv_table.bytes_of(path), str(path), self.form)), own | {"wide": True}
        table, roles, words = read(path, self.columns, self.form)
        marks = static_words.marks(words, roles.classes, table.names or ("",))
        return panel.of_table(table, roles, _step(table, str(path)), str(path), marks), own | {"time": table.time}

    def _edges(self, found: Panel) -> Edges:
        """Of the rows up to the last that has a target: behind it stands what is known ahead."""
        some = np.any(~np.isnan(found.values[:, : len(found.roles.targets)]), axis=1)
        bounds = []
        for start, stop in found.bounds:
            own = np.flatnonzero(some[start:stop])
            bounds.append((start, start + int(own[-1]) + 1 if len(own) else start))
        shared = panel_parts.by_share(bounds, self.windows.horizon)
        if self.validation is None and self.test is None:
            return shared
        starts, stops = np.array(bounds).T
        last = stops - shared.validation if self.test is None else np.full(len(stops), self.test)
        before = shared.validation - shared.train if self.validation is None else np.full(len(stops), self.validation)
        return Edges(np.maximum(stops - last - before, starts), np.maximum(stops - last, starts), stops)

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """The horizon after the last target of each series of a table like the one that was trained on.

        Raises:
          UserError: malformed input, with its row and column; another time step; covariates that are not there.
        """
        facts = panel_requests.facts_of(assets)
        roles, data = panel.roles_of(facts["roles"]), csv_table.content(text)
        form = csv_table.Form(**facts["own"]["form"])
        if facts["own"].get("wide"):
            return panel_requests.of_panel(panel.of_rows(*m4.parse(data, name, form)), assets, name, self.counts)
        table = csv_table.parse(data, name, form, roles.columns, facts["own"]["time"])
        words = static_words.read(data, name, form, [column for column, _ in roles.classes], every=True)
        for word in static_words.new(words, roles.classes):
            logging.warning("%s: training has not seen %s: taken for the average of those that it has", name, word)
        marks = static_words.marks(words, roles.classes, table.names or ("",))
        step = steps.of_facts(facts["step"])
        step.check([table.times[start:stop] for start, stop in windows.pieces(table)], name, table.names, gaps=True)
        return panel_requests.of_panel(panel.of_table(table, roles, step, name, marks), assets, name, self.counts)


def read(path: Path, columns: Columns, form: csv_table.Form) -> tuple[Table, Roles, static_words.Words]:
    """A table, what its columns are for, and what words say of its series.

    Raises:
      UserError: as `csv_table.read`; no target, or a column with two roles.
    """
    words = {}
    if columns.static:
        data = csv_table.bytes_of(path)
        words = static_words.read(data, str(path), form, csv_table.split_names(columns.static))
    classes = static_words.classes_of(words, str(path))
    numbers = ",".join(f'"{own}"' for own in csv_table.split_names(columns.static) if own not in words)
    others = [columns.features, columns.known, numbers]
    named = columns.target not in ("", ALL)
    table = csv_table.read(path, form, [text for text in [columns.target, *others] if text] if named else [])
    past, known, static = (_names(text, table, path) for text in others)
    left = [name for name in table.columns if name not in {*past, *known, *static}]
    target = _names(columns.target, table, path) if named else left
    if not target or (len(target) > 1 and not columns.target):
        raise UserError(f"{path}: target is missing; choices: {', '.join(left) or 'none'}, or {ALL} for all of them")
    for name in {*past, *known, *static}:
        roles = [role for role, own in zip(_ROLES, (target, past, known, static), strict=True) if name in own]
        if len(roles) > 1:
            raise UserError(f"{path}: column {name!r} is named by {' and by '.join(roles)}: a column has one use")
    return table, Roles(tuple(target), tuple(past), tuple(known), tuple(static), classes), words


_ROLES = ("target", "features", "known", "static")


def _names(text: str, table: Table, path: Path) -> list[str]:
    """The columns that a text names."""
    if text in table.columns:
        return [text]
    names = csv_table.split_names(text)
    absent = [name for name in names if name not in table.columns]
    if absent:
        raise UserError(f"{path}: {absent[0]!r} is no column that holds numbers; choices: {', '.join(table.columns)}")
    return list(dict.fromkeys(names))


def _step(table: Table, name: str) -> steps.Step:
    times = [table.times[start:stop] for start, stop in windows.pieces(table)]
    step = steps.find(times)
    if step is None:
        raise UserError(f"{name}: too few rows: {len(table.times)}, from which no time step can be told")
    step = steps.finest(step, times)
    step.check([own if len(own) > 3 else own[:1] for own in times], name, table.names, "those of most", gaps=True)
    return step


def _check_values(found: Panel, name: str) -> None:
    """Raises UserError: a column without any value."""
    roles = found.roles
    for columns, values in (
        ((*roles.targets, *roles.past), found.values),
        (roles.known, found.known),
        (roles.statics, found.static),
    ):
        for column, own in zip(columns, values.T, strict=True):
            if np.isnan(own).all():
                raise UserError(f"{name}: column {column!r} holds nothing but missing values")


def _check_counts(found: Panel, name: str) -> None:
    values: Any = found.values[:, : len(found.roles.targets)]
    wrong = np.argwhere((values < 0) | (values != np.round(values)) & ~np.isnan(values))
    if len(wrong):
        row, column = wrong[0]
        date = "" if found.times is None else f" at {steps.texts(found.times[[row]])[0]}"
        raise UserError(
            f"{name}: column {found.roles.targets[column]!r}: {values[row, column]:g}{date} is no count, as "
            "likelihood=negative_binomial expects: choose quantiles or student_t"
        )
