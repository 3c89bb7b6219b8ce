"""The source of runs of csv_lstm and csv_naive that 02ee2b9 began; it goes with the old names (`seqjax.old_names`).

Their windows lie inside a part, their targets are in the column's own units, filled where missing, and the target's
mean and deviation come beside every window for `forecasters.Rescaled`. `table_windows` is what new runs have.

Legend: L samples in a window, F features, B batch.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any, NoReturn, TextIO

import numpy as np

from seqjax.data.dataset import Arrays, Dataset, Requests
from seqjax.data.series import csv_table, sources, weather, windows
from seqjax.data.series.table import Table
from seqjax.data.series.table_windows import ASSET, TableWindows, quoted
from seqjax.errors import UserError

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
class CsvWindows(TableWindows):
    """The data source."""

    purge: bool = False
    """Leave out the windows whose target lies in the next part."""

    def dataset(self, table: Table, name: str) -> Dataset:
        """Windows over a table whose first column is the target.

        Raises:
          UserError: too few rows, or dates that do not ascend.
        """
        known, repaired = _filled(table, name)
        span, step = self.span, weather.time_step(known, name, self.form.time or "time")
        parts = windows.split(len(known.values), span, name, purge=self.purge)
        mean, std = windows.statistics(known.values[: windows.train_rows(len(known.values))])
        facts = {"columns": known.columns, "form": csv_table.as_options(self.form), "step": step}
        facts |= dataclasses.asdict(span)
        missing = f"target {known.columns[0]!r}; {repaired} missing values repaired"
        return Dataset(
            arrays={
                "series": windows.scaled(known.values, mean, std),
                "target": known.values[:, 0].astype(np.float32),
                "scale": _scale(mean, std),
            },
            gather=Inputs(span).examples,
            parts=parts,
            description=sources.describe(known, name, step, parts, missing),
            fingerprint=sources.fingerprint(known.values, facts | ({"purge": True} if self.purge else {})),
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
            header=f"window_end,forecast_for,{quoted(facts['columns'][0])}",
        )

    def stream(self, assets: Path, name: str) -> NoReturn:
        """Raises UserError: these runs are from before there were streams."""
        raise UserError(f"{name}: a run this old does not read streams: use --mode=predict, or train it anew")


def _filled(table: Table, name: str) -> tuple[weather.Weather, int]:
    """-> (the last valid value carried forward over missing ones, how many there were)."""
    found = weather.Weather(table.columns, table.times, table.values)
    return weather.carry_forward(found, np.isnan(table.values), "missing values", name)


def _scale(mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    return np.array([[mean[0], std[0]]], np.float32)
