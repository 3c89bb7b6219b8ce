"""Jena climate hour by hour, as a panel of one series: the temperature of all the hours ahead, from all columns.

Rows an hour apart, counted from the first; the public file's repeated stretches are left out, hours that lack are
missing. -9999 is missing, too. What is missing is masked, and counts in no score.

Legend: N rows, H horizon.
"""

import dataclasses
from pathlib import Path
from typing import TextIO

import numpy as np

from seqjax.data.dataset import Dataset, Requests
from seqjax.data.series import jena, panel, panel_parts, panel_requests, sample_climate, sources, steps, weather
from seqjax.data.series.panel import Panel, Roles
from seqjax.data.series.panel_windows import Windows
from seqjax.data.series.table import Table
from seqjax.errors import UserError

HORIZON = 24
STEP = steps.Step(steps.UNITS["h"])
SAMPLE_YEARS = 4
TARGET = weather.COLUMNS[jena.TEMPERATURE]
ROLES = Roles((TARGET,), past=tuple(column for column in weather.COLUMNS if column != TARGET))


@dataclasses.dataclass(frozen=True)
class Hours:
    """The data source."""

    windows: Windows

    def load(self, data: str, data_dir: Path) -> Dataset:
        """The first half trains, a quarter each is validation and test: of forecasts whose horizon lies in the part.

        Raises:
          UserError: files missing, damaged or malformed, or too few rows.
        """
        if data == "sample":
            made = sample_climate.climate(years=SAMPLE_YEARS)
            name = "generated climate (not the lecture's data)"
            found = hourly(weather.Weather(tuple(made.columns), made.times, made.values), name)
        else:
            table, name, _ = jena.Windows().table(data, data_dir)
            found = hourly(table, name)
        edges = panel_parts.by_share(found.bounds, self.windows.horizon)
        dataset = self.windows.dataset(found, edges, name, {})
        return dataclasses.replace(dataset, optimum=self._optimum()) if data == "sample" else dataset

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """The hours after the last row of a weather CSV.

        Raises:
          UserError: malformed input, with its row and column, or a time step of which no whole number is an hour.
        """
        table = weather.parse(sources.text_of(text, name), name)
        return panel_requests.of_panel(hourly(table, name, to_last=True), assets, name)

    def _optimum(self) -> dict[str, float]:
        """Of the sample's test part: what is to be expected of who knows the process (see `sample_climate`)."""
        if self.windows.horizon > sample_climate.LEAD:
            return {}
        from scipy.stats import norm

        spread = deviations(self.windows.horizon).mean()
        cost = norm.pdf(norm.ppf(np.array(self.windows.levels))).mean() * spread  # the mean pinball loss
        return {"pinball": float(cost)}


def deviations(horizon: int) -> np.ndarray:
    """[H] of what nobody can know of the sample's temperature: the shocks that are still to come."""
    ahead = np.arange(1, horizon + 1)
    fade = sample_climate.FADE
    return sample_climate.SIGMA * np.sqrt((1 - fade ** (2 * ahead)) / (1 - fade ** (2 * sample_climate.LEAD)))


def hourly(table: weather.Weather, name: str, *, to_last: bool = False) -> Panel:
    """The panel of a weather table called `name` in messages.

    Args:
      to_last: rows are an hour apart counted back from the last one, not on from the first.

    Raises:
      UserError: its time step is no whole part of an hour.
    """
    step = weather.time_step(table, name)
    if steps.UNITS["h"] % round(step * 1e6):
        raise UserError(f"{name}: rows {step:g} s apart do not divide an hour")
    rate = round(3600 / step)
    rows = np.arange(len(table.times))[(len(table.times) - 1) % rate if to_last else 0 :: rate]
    times = table.times[rows].astype("datetime64[us]")
    latest = np.maximum.accumulate(times)
    later = np.append(True, times[1:] > latest[:-1])
    notes = sources.counted(int((~later).sum()), "row", "of repeated stretches left out")
    values = table.values[rows[later]]
    values = np.where(values == weather.MISSING, np.nan, values)
    found = Table(table.columns, times[later], values, notes=tuple(notes))
    return panel.of_table(found, ROLES, STEP, name)
