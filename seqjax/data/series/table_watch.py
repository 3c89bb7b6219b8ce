"""A user's own table under watch: every row judged by those before it, with or without labels of anomalies.

A table of one series or of several, of one column or many. The first rows of each series are trained on, and should be
as things usually are. Missing values are filled with what was last seen, for the inputs (or with the training rows'
mean); a row of nothing else is not judged.

Legend: N rows, F columns, S series.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from absl import logging

from seqjax.data.dataset import Dataset, Requests
from seqjax.data.series import (
    anomaly_labels,
    csv_table,
    detections,
    row_stream,
    sources,
    steps,
    table_windows,
    watch,
    windows,
)
from seqjax.data.series.table import Table
from seqjax.errors import UserError, check_least
from seqjax.scoring.surprise import Recipe, Surprise

ASSET = "watch.json"
FACTS = ("columns", "time", "form", "step", "names", "rows", "horizon", "recipe", "mean", "std", "day", "week")
"""What `ASSET` holds."""
SHORTEST = 20
"""Rows to be trained on, at least, in all."""


@dataclasses.dataclass(frozen=True)
class TableWatch:
    """The data source."""

    file: str
    """A CSV, or what else `csv_table` reads: a path, or one below the data folder."""
    columns: str = ""
    """Those to watch, with commas between; by default all that hold numbers."""
    labels: str = ""
    """Where the anomalies are: a column that holds 0 or 1, or a JSON file of windows (`anomaly_labels`)."""
    form: csv_table.Form = dataclasses.field(default_factory=csv_table.Form)
    trained: float = 0.5
    """The share of each series' rows, from its first, that is trained on."""
    rows: int = 64
    horizon: int = 1
    recipe: Recipe = dataclasses.field(default_factory=Recipe)

    def __post_init__(self):
        check_least("sequence_length", self.rows, 1)
        check_least("horizon", self.horizon, 0)
        if not 0 < self.trained < 1:
            raise UserError(f"trained={self.trained} is not in (0, 1)")

    def load(self, data: str, data_dir: Path) -> Dataset:
        """The file, or for the `sample` two of NAB's generated series side by side.

        Raises:
          UserError: no file, one that is malformed, or options that do not fit it.
        """
        if data == "sample":
            return self.dataset(*_sample(), "generated series with planted anomalies")
        if data != "real":
            raise UserError(f"data={data}: choose real or sample")
        path = table_windows.path_of(self.file, data_dir, "--set=file=PATH.csv")
        return self.dataset(*self._read(path), str(path))

    def _read(self, path: Path) -> tuple[Table, np.ndarray | None]:
        """The table and its labels [N]."""
        names = csv_table.split_names(self.columns)
        json_file = anomaly_labels.find(self.labels, path)
        beside = [self.labels] if self.labels and json_file is None else []
        table = csv_table.read(path, self.form, [*names, *beside] if names else [])
        if json_file is not None:
            return table, anomaly_labels.of_file(json_file, table, path)
        if not self.labels:
            return table, None
        return anomaly_labels.of_column(table, self.labels, str(path))

    def dataset(self, table: Table, labels: np.ndarray | None, name: str) -> Dataset:
        """Its rows under watch. Raises UserError: too few of them."""
        series, step, notes = self._series(table, labels, name)
        gather = watch.Watch(self.rows, self.horizon, tuple(series))
        facts = {"columns": table.columns, "time": table.time, "form": csv_table.as_options(self.form)}
        facts |= {"step": step.facts(), "names": table.names, "rows": self.rows, "horizon": self.horizon}
        told = {"recipe": dataclasses.asdict(self.recipe)}
        told |= {key: [getattr(one, key).tolist() for one in series] for key in ("mean", "std")}
        told |= {key: [getattr(one, key) for one in series] for key in ("day", "week")}
        parts = watch.parts_of(series)
        own = {"trained": self.trained, "labels": [] if labels is None else labels.tolist()}
        return Dataset(
            arrays=watch.arrays_of(series),
            gather=gather,
            parts=parts,
            description=sources.describe(table, name, step, parts, "; ".join(notes)),
            fingerprint=sources.fingerprint(table.values, {**facts, **own}, table.times),
            assets={ASSET: json.dumps({**facts, **told}, indent=1) + "\n"},
            baselines=detections.baselines(series, self.horizon, self.recipe),
        )

    def _series(
        self, table: Table, labels: np.ndarray | None, name: str
    ) -> tuple[list[watch.Watched], steps.Step, list[str]]:
        bounds = windows.pieces(table)
        times = [table.times[start:stop] for start, stop in bounds]
        step = steps.find(times)
        if step is None:
            raise UserError(f"{name}: too few rows: {len(table.times)}, from which no time step can be told")
        values, filled, known = windows.filled(table, bounds, name)
        found = []
        for k, (start, stop) in enumerate(bounds):
            own, called = slice(start, stop), table.names[k] if table.names else Path(name).name
            trained = int(self.trained * (stop - start))
            one = watch.watched(called, times[k], values[own], trained, table.columns, int(known[k]) - start)
            mine = None if labels is None else labels[own]
            found.append(_rows(dataclasses.replace(one, labels=mine), times[k], table.values[own]))
        trained = sum(one.trained for one in found)
        if trained < SHORTEST:
            raise UserError(f"{name}: too few rows: {trained} to be trained on ({self.trained:g} of them); at least 20")
        said = [f"watched: {', '.join(table.columns)}", f"{filled} missing values filled", *table.notes]
        said += sources.counted(sum(map(step.missing, times)), "row", "missing, and passed over")
        if labels is not None:
            said += sources.counted(sum(len(detections.windows_of(one)) for one in found), "anomaly", "labelled")
        return found, step, said

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """Every row of a table with the training data's columns, series and time step; labels are not needed.

        Raises:
          UserError: malformed input, with its row and column; another time step; an unknown series.
        """
        facts = sources.read_facts(assets / ASSET, FACTS)
        gather, form = watch.Watch(facts["rows"], facts["horizon"]), csv_table.Form(**facts["form"])
        table = csv_table.parse(csv_table.content(text), name, form, facts["columns"], facts["time"])
        bounds, step = windows.pieces(table), steps.of_facts(facts["step"])
        times = [table.times[start:stop] for start, stop in bounds]
        step.check(times, name, table.names, slack=watch.SLACK)
        called = table.names or ("",)
        found = [
            _rows(_known(facts, own, name), times[k], table.values[slice(*bounds[k])]) for k, own in enumerate(called)
        ]
        for note in sources.counted(sum(map(step.missing, times)), "row", "missing, and passed over"):
            logging.warning("%s: %s", name, note)
        warm = Recipe(**facts["recipe"]).warm
        if min(map(len, times)) <= warm:
            logging.warning(
                "%s: of the first %d rows none is an alarm: begin with rows before those asked for", name, warm
            )
        return Requests(
            arrays=watch.arrays_of(found),
            gather=gather.seen,
            ids=np.arange(len(table.times), dtype=np.int32),
            line=_lines(facts, table, np.concatenate([one.values for one in found])),
            header=header(facts),
        )

    def stream(self, assets: Path, name: str) -> row_stream.RowStream:
        """See `dataset.Stream`: alarms as rows come.

        Raises:
          UserError: the run's file is missing or damaged, or its tables cannot be read row by row.
        """
        from seqjax.data.series import alarm_stream

        return alarm_stream.AlarmStream(sources.read_facts(assets / ASSET, FACTS), name)


def _rows(one: watch.Watched, times: np.ndarray, values: np.ndarray) -> watch.Watched:
    """A series with these rows: times [N], values [N, F], NaN where missing."""
    return dataclasses.replace(one, times=times, values=watch.filled(values, one.mean), missing=np.isnan(values))


def _known(facts: Mapping[str, Any], series: str, name: str) -> watch.Watched:
    """A series as it was trained on, without its rows. Raises UserError: it was not; name: of the data."""
    place = table_windows.place(facts["names"], series, name) if facts["names"] or series else 0
    mean, std = (np.array(facts[key][place]) for key in ("mean", "std"))
    nothing = np.zeros(0, "datetime64[us]"), np.zeros((0, len(mean)))
    return watch.Watched(series, *nothing, mean, std, 0, facts["day"][place], facts["week"][place])


def header(facts: Mapping[str, Any]) -> str:
    """Of the lines: date, score, alarm, and of each column what there was and what was expected."""
    names = [table_windows.quoted(one) for column in facts["columns"] for one in (column, f"expected {column}")]
    return ",".join([*(["series"] if facts["names"] else []), "date", "score", "alarm", *names])


class Lines:
    """Rows become lines, in order: what was seen of each series is remembered."""

    def __init__(self, facts: Mapping[str, Any], name: str):
        """Args: facts: `FACTS` of a run. name: of the data."""
        self.facts, self.name, self.recipe = facts, name, Recipe(**facts["recipe"])
        self.seen: dict[str, Surprise] = {}
        self.of: dict[str, watch.Watched] = {}
        self.zone = ""

    def series(self, called: str) -> watch.Watched:
        """As it was trained on."""
        if called not in self.of:
            self.of[called] = _known(self.facts, called, self.name)
        return self.of[called]

    def line(self, date: str, called: str, values: np.ndarray, missing: np.ndarray, output: Any) -> str:
        """Of the next row of a series; without a score where it could not be judged, because nothing of it is there.

        Args:
          date: of the row, as text.
          called: the series, or "" where there is but one.
          values: [F] of the row, filled.
          missing: [F] bool, what was filled.
          output: [F] what was expected, standardised.
        """
        one, surprise = self.series(called), self.seen.setdefault(called, Surprise(self.recipe))
        actual, expected = (values - one.mean) / one.std, np.asarray(output, np.float64)
        residual = detections.residuals(actual[None], expected[None], missing[None])[0]
        score = surprise.score(float(residual), actual.tolist())
        cells = [table_windows.quoted(called)] if self.facts["names"] else []
        cells += [date, "" if missing.all() else f"{score:.2f}", str(int(surprise.is_alarm(score)))]
        for value, gone, other, size in zip(values, missing, one.unit(expected), one.std, strict=True):
            cells += ["" if gone else f"{value:.12g}", sources.number(float(other), float(size))]
        return ",".join(cells)


def _lines(facts: Mapping[str, Any], table: Table, values: np.ndarray) -> Callable[[int, Any], str]:
    """(row, output) -> a line; called for every row, in order; values: [N, F] filled."""
    lines, dates, missing = Lines(facts, "the table"), steps.texts(table.times, table.zone), np.isnan(table.values)

    def line(row: int, output: Any) -> str:
        called = "" if table.series is None else table.names[table.series[row]]
        return lines.line(dates[row], called, values[row], missing[row], output)

    return line


def _sample() -> tuple[Table, np.ndarray]:
    from seqjax.data.series import nab

    first, second = (one for one in nab.sample() if one.name in ("jump", "drift"))
    labels = np.zeros(len(first.times), np.int64)
    for number, (start, stop) in enumerate(sorted([*first.windows, *second.windows])):
        labels[start : stop + 1] = number + 1
    values = np.stack([first.values, second.values], axis=1)
    return Table(("load", "heat"), first.times, values, time="date"), labels
