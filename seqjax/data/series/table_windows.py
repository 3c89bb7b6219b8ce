"""Windows over a user's own table, and one column's value some rows after each window's end.

The target is the first feature (its past helps to forecast it). Every series is standardised by its own training
rows, in float64, and so is the target: what a model learns does not depend on the unit or the offset of a column.
Windows, target and forecast are told as changes from the window's last row, of numbers kept in two parts, so that
nothing is lost to float32 however far a series wanders. Losses are of the standardised target; metrics get the unit
beside it (`changes`), and forecasts are brought back in float64.

A window belongs to the part that holds its target, and may begin before it. Missing values are filled with the last
valid one for the inputs; a missing target is neither trained on nor scored.

Legend: N rows, F features, L samples in a window, B batch, S series.
"""

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from absl import logging

from seqjax.data.dataset import Arrays, Dataset, Requests
from seqjax.data.series import baselines, changes, csv_table, row_stream, sources, steps, windows
from seqjax.data.series.table import Table
from seqjax.errors import UserError

ASSET = "series.json"
SAMPLE_TARGET = "T (degC)"
FACTS = ("columns", "time", "form", "step", "sampling_rate", "sequence_length", "delay", "names", "mean", "std")
"""What `ASSET` holds."""


@dataclasses.dataclass(frozen=True)
class TableWindows:
    """The data source."""

    file: str
    """A CSV, or what else `csv_table` reads: a path, or one below the data folder."""
    target: str
    """The column to forecast; empty is right where there is but one."""
    features: str = ""
    """The columns to forecast it from, besides itself, with commas between; by default all that hold numbers."""
    form: csv_table.Form = dataclasses.field(default_factory=csv_table.Form)
    sampling: int = 1
    """Rows from one sample of a window to the next."""
    sequence_length: int = 120
    horizon: int = 24
    """Rows from a window's last one to its target."""
    season: int | None = dataclasses.field(default=None, kw_only=True)
    """Rows of one, for the seasonal naive forecast; by default what suits the step of time."""

    def __post_init__(self):
        for option in ("sampling", "sequence_length", "horizon", "season"):
            value = getattr(self, option)
            if value is not None and value < 1:
                raise UserError(f"{option}={value}: must be at least 1")

    @property
    def span(self) -> windows.Span:
        """A window's shape."""
        reach = (self.sequence_length - 1) * self.sampling
        return windows.Span(self.sampling, self.sequence_length, reach + self.horizon)

    def load(self, data: str, data_dir: Path) -> Dataset:
        """Windows over `table`. Raises UserError: as that, or options that do not fit it."""
        return self.dataset(*self.table(data, data_dir))

    def table(self, data: str, data_dir: Path) -> tuple[Table, str]:
        """The file, or for the `sample` the generated climate, whose target is `SAMPLE_TARGET`; and its name.

        Raises:
          UserError: no file, or one that is malformed.
        """
        if data == "sample":
            from seqjax.data.series.sample_climate import climate

            made = climate()
            table = Table(made.columns, made.times.astype("datetime64[us]"), made.values)
            return _first(table, SAMPLE_TARGET), "generated climate"
        if data != "real":
            raise UserError(f"data={data}: choose real or sample")
        path = path_of(self.file, data_dir, "--set=file=PATH.csv --set=target=COLUMN")
        return self._ordered(path), str(path)

    def _ordered(self, path: Path) -> Table:
        """The table, its target first."""
        extra = csv_table.split_names(self.features)
        if extra and not self.target:
            raise UserError(f"target is missing beside features={self.features}: --set=target=COLUMN")
        target = "".join(csv_table.split_names(self.target)[:1])
        table = csv_table.read(path, self.form, list(dict.fromkeys([self.target, *extra])) if extra else [])
        names = table.columns
        found = next((name for name in (self.target, target) if name in names), names[0] if len(names) == 1 else "")
        if not found or (self.target and found not in (self.target, target)):
            which = f"target={self.target} is no column that holds numbers" if self.target else "target is missing"
            raise UserError(f"{path}: {which}; choices: {', '.join(names)}")
        return _first(table, found)

    def dataset(self, table: Table, name: str) -> Dataset:
        """Windows over a table whose first column is the target.

        Raises:
          UserError: too few rows.
        """
        bounds = windows.pieces(table)
        times = [table.times[start:stop] for start, stop in bounds]
        step = steps.find(times)
        if step is None:
            raise UserError(f"{name}: too few rows: {len(table.times)}, from which no time step can be told")
        step.check([own if len(own) > 3 else own[:1] for own in times], name, table.names, "those of most")
        values, filled, known = windows.filled(table, bounds, name)
        parts, short = windows.split_by_target(bounds, self.span, ~np.isnan(table.values[:, 0]), known, name)
        mean, std = windows.statistics_of(values, bounds)
        facts = {"columns": table.columns, "time": table.time, "form": csv_table.as_options(self.form)}
        facts |= {"step": step.facts(), **dataclasses.asdict(self.span), "names": table.names}
        scales = {"mean": mean.tolist(), "std": std.tolist()}
        said = [f"target {table.columns[0]!r}", f"{filled} missing values filled", *table.notes]
        said += sources.counted(sum(map(step.missing, times)), "row", "missing")
        said += sources.counted(sum(map(step.uneven, times)), "step", f"of no whole number of {step}")
        said += sources.counted(short, "series", "without a window")
        return Dataset(
            arrays=changes.arrays_of(table, values, mean, std, bounds, name),
            gather=self._examples,
            parts=parts,
            description=sources.describe(table, name, step, parts, "; ".join(said)),
            fingerprint=sources.fingerprint(table.values, facts, table.times),
            assets={ASSET: json.dumps({**facts, **scales}, indent=1) + "\n"},
            baselines=baselines.scores(
                values[:, 0],
                {part: ids + self.span.delay for part, ids in parts.items()},
                self.horizon,
                [self.season] if self.season else steps.season_lengths(step),
                np.concatenate([np.full(stop - start, start) for start, stop in bounds]),
            ),
        )

    def _examples(self, arrays: Arrays, ids: Any) -> tuple[changes.Window, changes.Target]:
        rows, last = ids + self.span.delay, ids + self.span.reach
        change = changes.minus(arrays, (rows, 0), (last, 0))
        return changes.inputs(self.span, arrays, ids), changes.Target(change, arrays["unit"][rows])

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """Every window of a table with the training data's columns, series and time step; other columns are ignored.

        Raises:
          UserError: malformed input, with its row and column; too few rows; another time step; an unknown series.
        """
        facts = sources.read_facts(assets / ASSET, FACTS)
        span = windows.Span(facts["sampling_rate"], facts["sequence_length"], facts["delay"])
        form = csv_table.Form(**facts["form"])
        table = csv_table.parse(csv_table.content(text), name, form, facts["columns"], facts["time"])
        bounds, step = windows.pieces(table), steps.of_facts(facts["step"])
        times = [table.times[start:stop] for start, stop in bounds]
        step.check(times, name, table.names)
        values, filled, known = windows.filled(table, bounds, name)
        ids = windows.starts(bounds, span, known)
        if not len(ids):
            longest = max((stop - start for start, stop in bounds), default=0)
            raise UserError(f"{name}: too few rows: {longest}; a window takes {span.reach + 1}")
        for note in sources.counted(filled, "missing value", "filled with the last valid one"):
            logging.warning("%s: %s", name, note)
        for note in sources.counted(sum(map(step.missing, times)), "row", "missing, and passed over"):
            logging.warning("%s: %s", name, note)
        for note in sources.counted(sum(map(step.uneven, times)), "step", f"of no whole number of {step}"):
            logging.warning("%s: %s: the dates of forecasts may be wrong", name, note)
        trained = [place(facts["names"], own, name) for own in table.names] or [0]
        mean, std = (np.array(facts[key])[trained] for key in ("mean", "std"))
        return Requests(
            arrays=changes.arrays_of(table, values, mean, std, bounds, name),
            gather=functools.partial(changes.inputs, span),
            ids=ids,
            line=_lines(table, ids, span, step, values[:, 0], std[:, 0]),
            header=("series," if table.names else "") + f"window_end,forecast_for,{quoted(facts['columns'][0])}",
        )

    def stream(self, assets: Path, name: str) -> row_stream.RowStream:
        """See `dataset.Stream`: the window that ends in each row of a table as `requests` takes it, if it is text.

        Raises:
          UserError: the run's file is missing or damaged, or its tables cannot be read row by row.
        """
        from seqjax.data.series import table_stream

        return row_stream.RowStream(table_stream.kind(sources.read_facts(assets / ASSET, FACTS), name), name)


def path_of(file: str, data_dir: Path, how: str) -> Path:
    """Where the user's file is; how: it is to be given. Raises UserError: nowhere."""
    if not file:
        raise UserError(f"file is missing: {how}, or --data=sample to try")
    for path in (Path(file).expanduser(), data_dir.expanduser() / file):
        if path.is_file():
            return path
    raise UserError(f"file={file} is neither here nor in {data_dir}")


def samples(option: str, rows: int, sampling: int) -> int:
    """So many rows in samples. Raises UserError: they are no whole number."""
    if rows % max(sampling, 1):
        raise UserError(f"{option}={rows}: must be a multiple of sampling={sampling}, or no sample lies there")
    return rows // max(sampling, 1)


def _first(table: Table, target: str) -> Table:
    """The table with the target as its first column."""
    names = [target, *(column for column in table.columns if column != target)]
    values = table.values[:, [table.columns.index(column) for column in names]]
    return dataclasses.replace(table, columns=tuple(names), values=values)


def _lines(
    table: Table, ids: np.ndarray, span: windows.Span, step: steps.Step, values: np.ndarray, std: np.ndarray
) -> Callable[[int, Any], str]:
    """(position, the model's standardised output) -> `[series,]window_end,forecast_for,value`.

    Args:
      table: of the requests.
      ids: the first rows of the windows.
      span: of a window.
      step: of time.
      values: [N] of the target, filled.
      std: [S] of the target.
    """
    ends = ids + span.reach
    ahead = step.ahead(table.times[ends], span.delay - span.reach)
    dates = steps.texts(np.concatenate([table.times[ends], ahead]), table.zone)
    of = np.zeros(len(ends), int) if table.series is None else table.series[ends]

    def line(position: int, output: Any) -> str:
        k = of[position]
        value = float(values[ends[position]] + std[k] * np.asarray(output).item())
        names = [quoted(table.names[k])] if table.names else []
        number = sources.number(value, float(std[k]))
        return ",".join([*names, dates[position], dates[len(ends) + position], number])

    return line


def place(known: list[str], wanted: str, name: str) -> int:
    """Where a series is among those that a run knows. Raises UserError: nowhere; name: of the data."""
    if wanted not in known:
        some = ", ".join(known[:5]) + (", ..." if len(known) > 5 else "")
        raise UserError(f"{name}: the series {wanted!r} was not trained on; choices: {some or 'a table of one series'}")
    return known.index(wanted)


def quoted(text: str) -> str:
    """A cell of a CSV."""
    return '"' + text.replace('"', '""') + '"' if {",", '"', "\n", "\r"} & set(text) else text
