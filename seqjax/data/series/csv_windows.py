"""Windows over a user's own CSV, and one column's value some rows after each window's end.

The target is the first feature (its past helps to forecast it). Features are standardised, and the target's mean and
deviation come beside every window, so that a model (`forecasters.Rescaled`) can answer in the target's own units.

Legend: N rows, F features, L samples in a window, B batch.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from seqjax.data.dataset import Arrays, Dataset, Requests
from seqjax.data.series import csv_table, sources, weather, windows
from seqjax.data.series.table import Table
from seqjax.errors import UserError

ASSET = "series.json"
SAMPLE_TARGET = "T (degC)"
FACTS = ("columns", "form", "step", "sampling_rate", "sequence_length", "delay", "mean", "std")
"""What `ASSET` holds."""


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The gather of inputs: windows and, for each, the scale of the target."""

    span: windows.Span

    def inputs(self, arrays: Arrays, ids: Any) -> tuple[Any, Any]:
        """ids [B] -> (windows [B, L, F], the target's mean and standard deviation [B, 2])."""
        return self.span.inputs(arrays, ids), arrays["scale"][ids * 0]

    def examples(self, arrays: Arrays, ids: Any) -> tuple[Any, Any]:
        """-> (inputs, targets [B] in the target's own units)."""
        return self.inputs(arrays, ids), arrays["target"][ids + self.span.delay]


@dataclasses.dataclass(frozen=True)
class CsvWindows:
    """The data source."""

    file: str
    """The CSV (or .csv.gz, .csv.zip): a path, or one below the data folder."""
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
    purge: bool = False
    """Leave out the windows whose target lies in the next part."""

    def __post_init__(self):
        for option in ("sampling", "sequence_length", "horizon"):
            if getattr(self, option) < 1:
                raise UserError(f"{option}={getattr(self, option)}: must be at least 1")

    @property
    def span(self) -> windows.Span:
        """A window's shape."""
        reach = (self.sequence_length - 1) * self.sampling
        return windows.Span(self.sampling, self.sequence_length, reach + self.horizon)

    def load(self, data: str, data_dir: Path) -> Dataset:
        """The file, or for the `sample` the generated climate, whose target is `SAMPLE_TARGET`.

        Raises:
          UserError: no file, one that is malformed, or options that do not fit it.
        """
        if data == "sample":
            from seqjax.data.series.sample_climate import climate

            made = climate()
            names = [SAMPLE_TARGET, *(column for column in made.columns if column != SAMPLE_TARGET)]
            values = made.values[:, [made.columns.index(column) for column in names]]
            return self.dataset(weather.Weather(tuple(names), made.times, values), "generated climate", 0)
        if data != "real":
            raise UserError(f"data={data}: choose real or sample")
        path = self.path(data_dir)
        return self.dataset(*self._ordered(path))

    def path(self, data_dir: Path) -> Path:
        """Where the file is. Raises UserError: nowhere."""
        if not self.file:
            raise UserError("file is missing: --set=file=PATH.csv --set=target=COLUMN, or --data=sample to try")
        for path in (Path(self.file).expanduser(), data_dir.expanduser() / self.file):
            if path.is_file():
                return path
        raise UserError(f"file={self.file} is neither here nor in {data_dir}")

    def _ordered(self, path: Path) -> tuple[weather.Weather, str, int]:
        """-> (the table, its target first; its name; values repaired)."""
        extra = [column.strip() for column in self.features.split(",") if column.strip()]
        if extra and not self.target:
            raise UserError(f"target is missing beside features={self.features}: --set=target=COLUMN")
        wanted = list(dict.fromkeys([self.target, *extra])) if extra else []
        table, repaired = _filled(csv_table.read(path, self.form, wanted), str(path))
        names = list(table.columns)
        target = self.target or (names[0] if len(names) == 1 else "")
        if target not in names:
            which = f"target={target} is no column that holds numbers" if target else "target is missing"
            raise UserError(f"{path}: {which}; choices: {', '.join(names)}")
        names.insert(0, names.pop(names.index(target)))
        values = table.values[:, [table.columns.index(column) for column in names]]
        return weather.Weather(tuple(names), table.times, values), str(path), repaired

    def dataset(self, table: weather.Weather, name: str, repaired: int) -> Dataset:
        """Windows over a table whose first column is the target.

        Raises:
          UserError: too few rows, or dates that do not ascend.
        """
        span, step = self.span, weather.time_step(table, name, self.form.time or "time")
        parts = windows.split(len(table.values), span, name, purge=self.purge)
        mean, std = windows.statistics(table.values[: windows.train_rows(len(table.values))])
        facts = {"columns": table.columns, "form": csv_table.as_options(self.form), "step": step}
        facts |= dataclasses.asdict(span)
        missing = f"target {table.columns[0]!r}; {repaired} missing values repaired"
        return Dataset(
            arrays={
                "series": windows.scaled(table.values, mean, std),
                "target": table.values[:, 0].astype(np.float32),
                "scale": _scale(mean, std),
            },
            gather=Inputs(span).examples,
            parts=parts,
            description=sources.describe(table, name, step, parts, missing),
            fingerprint=sources.fingerprint(table.values, facts | ({"purge": True} if self.purge else {})),
            assets={ASSET: json.dumps({**facts, "mean": mean.tolist(), "std": std.tolist()}, indent=1) + "\n"},
        )

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """Every window of a CSV with the training data's columns and time step; other columns are ignored.

        Raises:
          UserError: malformed input, with its row and column; too few rows; or another time step.
        """
        facts = sources.read_facts(assets / ASSET, FACTS)
        span = windows.Span(facts["sampling_rate"], facts["sequence_length"], facts["delay"])
        form = csv_table.Form(**facts["form"])
        table, _ = _filled(csv_table.parse(csv_table.content(text), name, form, facts["columns"]), name)
        count, step = sources.count_requests(table, span, name), facts["step"]
        if len(table.times) > 1:
            sources.check_step(weather.time_step(table, name, form.time or "time"), step, name)
        mean, std = np.array(facts["mean"]), np.array(facts["std"])
        return Requests(
            arrays={"series": windows.scaled(table.values, mean, std), "scale": _scale(mean, std)},
            gather=Inputs(span).inputs,
            ids=np.arange(count, dtype=np.int32),
            line=sources.lines(table.times, span, step),
            header=f"window_end,forecast_for,{_quoted(facts)}",
        )


def _filled(table: Table, name: str) -> tuple[weather.Weather, int]:
    """-> (the last valid value carried forward over missing ones, how many there were)."""
    found = weather.Weather(table.columns, table.times, table.values)
    return weather.carry_forward(found, np.isnan(table.values), "missing values", name)


def _scale(mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    return np.array([[mean[0], std[0]]], np.float32)


def _quoted(facts: Mapping[str, Any]) -> str:
    name = facts["columns"][0]
    return '"' + name.replace('"', '""') + '"' if {",", '"'} & set(name) else name
