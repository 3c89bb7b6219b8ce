"""ETTh1 (Zhou et al. 2021, Informer): seven columns of an electricity transformer, hourly, July 2016 to June 2018.

As the papers do it: 12, 4 and 4 months of 30 days, the rest unused; scaled by the training part; a forecast at every
hour, of every column; MSE and MAE on that scale, over all of them.

Legend: N examples, H horizon.
"""

import dataclasses
from pathlib import Path
from typing import TextIO

import numpy as np

from seqjax.data.dataset import Dataset, Requests
from seqjax.data.download import download
from seqjax.data.series import csv_table, panel, panel_requests, panel_truth, sample_panel, steps
from seqjax.data.series.panel import Panel, Roles
from seqjax.data.series.panel_parts import Edges
from seqjax.data.series.panel_windows import Windows
from seqjax.data.series.sample_panel import Made
from seqjax.errors import UserError

ADDRESS = "https://github.com/zhouhaoyi/ETDataset/raw/main/ETT-small/ETTh1.csv"
COLUMNS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
MONTH = 30 * 24
PARTS = (12, 4, 4)
"""Months."""
SEASON = 24
HOUR = steps.Step(steps.UNITS["h"])


@dataclasses.dataclass(frozen=True)
class ETTh1:
    """The data source."""

    windows: Windows

    def load(self, data: str, data_dir: Path) -> Dataset:
        """The file, or generated series, a fourth as long where the horizon leaves room.

        Raises:
          UserError: a file that is missing or malformed.
        """
        if data not in ("real", "sample"):
            raise UserError(f"data={data}: choose real or sample")
        months = np.cumsum(PARTS) * MONTH
        if data == "real":
            found = read(path_of(data_dir))
            return self._dataset(found, months, "ETTh1")
        months = months // 4 if self.windows.horizon <= MONTH // 4 else months
        made = sample_panel.panel(len(COLUMNS), int(months[-1]))
        dataset = self._dataset(beside(made), months, "generated series")
        deviation = made.deviation(np.arange(1, self.windows.horizon + 1)) / dataset.kept["unit"].T
        return dataclasses.replace(dataset, optimum={"mse": float(np.square(deviation).mean())})

    def _dataset(self, found: Panel, ends: np.ndarray, name: str) -> Dataset:
        """Of the rows up to the end of each part."""
        edges = Edges(*ends[:, None])
        return self.windows.dataset(_first(found, int(ends[-1])), edges, name, {}, baselines)

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """The horizon after the last row of a table with the same columns.

        Raises:
          UserError: malformed.
        """
        table = csv_table.parse(csv_table.content(text), name, csv_table.Form(), list(COLUMNS), "date")
        return panel_requests.of_panel(panel.of_table(table, Roles(COLUMNS), HOUR, name), assets, name)


def path_of(data_dir: Path) -> Path:
    """The file, in the data folder's `ett`; downloaded there if it is missing."""
    folders = (data_dir.expanduser() / "ett", data_dir.expanduser())
    names = ("ETTh1.csv.gz", "ETTh1.csv")
    found = next((folder / name for folder in folders for name in names if (folder / name).is_file()), None)
    return found or download(ADDRESS, folders[0] / names[1])


def read(path: Path) -> Panel:
    """Its rows. Raises UserError: malformed, or too few."""
    table = csv_table.read(path, csv_table.Form(), list(COLUMNS))
    found = panel.of_table(table, Roles(COLUMNS), HOUR, str(path))
    if len(found.values) < MONTH * sum(PARTS):
        raise UserError(
            f"{path}: {len(found.values):,} rows, fewer than the {MONTH * sum(PARTS):,} of {sum(PARTS)} months"
        )
    return found


def beside(made: Made) -> Panel:
    """Generated series side by side under the names of the columns."""
    count = len(COLUMNS)
    values = made.panel.values.reshape(count, -1).T
    rows = len(values)
    times = None if made.panel.times is None else made.panel.times[:rows]
    return Panel(Roles(COLUMNS), ("",), [(0, rows)], values, np.zeros((rows, 0)), np.zeros((1, 0)), times, HOUR)


def baselines(dataset: Dataset) -> dict[str, dict[str, dict[str, float]]]:
    """MSE and MAE of the naive and the seasonal naive forecast, on the scale of the training part."""
    found: dict[str, dict[str, dict[str, float]]] = {"naive": {}, "same_hour_yesterday": {}}
    for part in ("validation", "test"):
        truth = panel_truth.truth(dataset, dataset.parts[part])
        for name, forecast in (("naive", truth.naive), ("same_hour_yesterday", truth.seasonal)):
            errors = (forecast - truth.actual) / truth.unit[:, None]
            found[name][part] = {"mse": float(np.nanmean(np.square(errors))), "mae": float(np.nanmean(np.abs(errors)))}
    return found


def _first(found: Panel, rows: int) -> Panel:
    """Its first rows alone."""
    times = None if found.times is None else found.times[:rows]
    cut = {"bounds": [(0, rows)], "values": found.values[:rows], "known": found.known[:rows], "times": times}
    return dataclasses.replace(found, **cut)
