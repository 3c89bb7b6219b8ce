"""Jena climate: windows over eight years of weather, and the temperature a day after each window's end.

The file has one row every 10 minutes; `Windows` takes its hourly cut, or any other step, as well.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import numpy as np

from seqjax.data.dataset import Dataset, Requests
from seqjax.data.download import check_zip, download
from seqjax.data.series import baselines, row_stream, sources, steps, weather, windows
from seqjax.errors import UserError

URLS = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/jena_climate_2009_2016.csv.zip",
    "https://s3.amazonaws.com/keras-datasets/jena_climate_2009_2016.csv.zip",
)
STEM = "jena_climate_2009_2016"
TEMPERATURE = weather.COLUMNS.index("T (degC)")
"""The target's column among the features: 1."""
HEADER = f"window_end,forecast_for,{weather.COLUMNS[TEMPERATURE]}"
ASSET = "jena.json"
FACTS = ("columns", "step", "sampling_rate", "sequence_length", "delay", "mean", "std")
"""What `ASSET` holds."""


@dataclasses.dataclass(frozen=True)
class Windows:
    """The Jena data source. Options in rows; those left out follow from the file's own time step."""

    sampling_rate: int | None = None
    """Rows from one sample of a window to the next; by default an hour's."""
    sequence_length: int | None = None
    """Samples in a window; by default 120."""
    delay: int | None = None
    """Rows from a window's start to its target; by default 24 hours lie between its end and the target."""
    normalise: bool = True
    """Subtract the training rows' mean and divide by their standard deviation, column by column."""
    horizon: int | None = None
    """Hours from a window's end to its target, in place of `delay`; by default 24."""
    purge: bool = False
    """Leave out the windows whose target lies in the next part (the lecture's split keeps them)."""
    repair: bool = True
    """Carry the last valid value over -9999 (missing); otherwise it stays, to show what it does."""

    def __post_init__(self):
        if self.horizon is not None and self.delay is not None:
            raise UserError(f"horizon={self.horizon} and delay={self.delay} say the same: give one of them")
        for option in ("sampling_rate", "sequence_length", "delay", "horizon"):
            value, unit = getattr(self, option), "hours" if option == "horizon" else "rows"
            if value is not None and (not isinstance(value, int) or value < 1):
                raise UserError(f"{option}={value}: a whole number of {unit}, at least 1, is expected")

    def load(self, data: str, data_dir: Path) -> Dataset:
        """The `real` series, found by `find` or downloaded to `data_dir`, or the generated `sample`.

        Raises:
          UserError: files missing, damaged or malformed, or options that do not fit the data.
        """
        return self.dataset(*self.table(data, data_dir))

    def table(self, data: str, data_dir: Path) -> tuple[weather.Weather, str, Mapping[str, float] | None]:
        """What `load` cuts into windows: the table, its name, and for the sample the best scores there are.

        Raises:
          UserError: files missing, damaged or malformed.
        """
        if data == "sample":
            from seqjax.data.series.sample_climate import climate

            generated = climate()
            table = weather.Weather(tuple(generated.columns), generated.times, generated.values)
            return table, "generated climate (not the lecture's data)", generated.optimum
        if data != "real":
            raise UserError(f"data={data}: choose real or sample")
        data_dir = data_dir.expanduser()
        path = find(data_dir) or download(URLS, data_dir / f"{STEM}.csv.zip", check=check_zip)
        return weather.read(path), str(path), None

    def dataset(self, table: weather.Weather, name: str, optimum: Mapping[str, float] | None = None) -> Dataset:
        """Windows over a whole table, called `name` in messages and in the description.

        Args:
          optimum: the best scores there are for a forecast of 24 hours; dropped if another is asked for.

        Raises:
          UserError: too few rows, or options that do not fit the time step or the rows.
        """
        table, missing = self._repaired(table, name)
        step = weather.time_step(table, name)
        span = self.span(step, name)
        parts = windows.split(len(table.values), span, name, purge=self.purge)
        mean, std = np.zeros(len(table.columns)), np.ones(len(table.columns))
        if self.normalise:
            mean, std = windows.statistics(table.values[: windows.train_rows(len(table.values))])
        facts = {"columns": table.columns, "step": step, **dataclasses.asdict(span)}
        return Dataset(
            arrays={
                "series": windows.scaled(table.values, mean, std),
                "target": table.values[:, TEMPERATURE].astype(np.float32),
            },
            gather=span.examples,
            parts=parts,
            description=sources.describe(table, name, step, parts, missing),
            fingerprint=sources.fingerprint(table.values, {**facts, **self._choices()}),
            assets={ASSET: json.dumps({**facts, "mean": mean.tolist(), "std": std.tolist()}, indent=1) + "\n"},
            optimum=optimum if optimum and (span.delay - span.reach) * step == windows.DAY else {},
            baselines=baselines.scores(
                table.values[:, TEMPERATURE],
                {part: ids + span.delay for part, ids in parts.items()},
                span.delay - span.reach,
                steps.season_lengths(steps.of_facts(step)),
            ),
        )

    def span(self, step: float, name: str) -> windows.Span:
        """A window's shape over rows that are `step` seconds apart.

        Raises:
          UserError: options that do not fit the time step.
        """
        hours = None if self.horizon is None else self.horizon * windows.HOUR
        return windows.resolve(self.sampling_rate, self.sequence_length, self.delay, hours, step=step, name=name)

    def _repaired(self, table: weather.Weather, name: str) -> tuple[weather.Weather, str]:
        """-> (table, the sentence on missing values)."""
        fixed, missing = weather.repair(table, name)
        if self.repair:
            return fixed, f"{missing} missing values (-9999) repaired"
        return table, f"{missing} missing values (-9999) left in"

    def _choices(self) -> dict[str, bool]:
        """For the fingerprint: what is not in the facts. Options that came later count only where they are used."""
        return {"normalise": self.normalise} | ({"purge": True} if self.purge else {})

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """Every window of a weather CSV with the training data's columns and time step; no targets needed.

        Raises:
          UserError: malformed input, with its row and column; too few rows; or another time step.
        """
        facts = sources.read_facts(assets / ASSET, FACTS)
        span = windows.Span(facts["sampling_rate"], facts["sequence_length"], facts["delay"])
        table = weather.parse(sources.text_of(text, name), name, tuple(facts["columns"]))
        table, _ = self._repaired(table, name)
        count, step = sources.count_requests(table, span, name), facts["step"]
        if len(table.times) > 1:
            sources.check_step(weather.time_step(table, name), step, name)
        return Requests(
            arrays={"series": windows.scaled(table.values, np.array(facts["mean"]), np.array(facts["std"]))},
            gather=span.inputs,
            ids=np.arange(count, dtype=np.int32),
            line=sources.lines(table.times, span, step),
            header=HEADER,
        )

    def stream(self, assets: Path, name: str) -> row_stream.RowStream:
        """See `dataset.Stream`: the window that ends in each row of a CSV as `requests` takes it.

        Raises:
          UserError: the run's file is missing or damaged.
        """
        facts = sources.read_facts(assets / ASSET, FACTS)
        span, step = windows.Span(facts["sampling_rate"], facts["sequence_length"], facts["delay"]), facts["step"]
        columns, mean, std = tuple(facts["columns"]), np.array(facts["mean"]), np.array(facts["std"])
        ahead = np.timedelta64(round((span.delay - span.reach) * step), "s")

        def parse(data: bytes) -> row_stream.Read:
            try:
                table = weather.parse(data.decode(), name, columns)
            except UnicodeDecodeError as error:
                raise UserError(f"{name}: row 2 is not UTF-8 text: {error.reason}") from error
            missing = table.values == weather.MISSING if self.repair else False
            return row_stream.Read(table.times, np.where(missing, np.nan, table.values))

        def inputs(times: np.ndarray, values: np.ndarray, _: str) -> np.ndarray:
            if len(times) > 1:
                sources.check_step(float(np.median(np.diff(times) / np.timedelta64(1, "s"))), step, name)
            return span.inputs({"series": windows.scaled(values, mean, std)}, np.zeros(1, np.int32))[0]

        return row_stream.RowStream(
            row_stream.Kind(
                parse,
                span.reach + 1,
                inputs,
                lambda end, _, __, output: f"{sources.date(end)},{sources.date(end + ahead)},{output.item():.2f}",
                lambda pair: round(float(np.diff(pair)[0] / np.timedelta64(1, "s")) / step) - 1,
                np.zeros((span.sequence_length, len(columns)), np.float32),
                HEADER,
                TEMPERATURE,
                ordered=False,  # the public file has repeated stretches
            ),
            name,
        )


def find(data_dir: Path) -> Path | None:
    """The file to read: the full one before a cut, directly in the folder before `jena/`.

    In this order: `jena_climate_2009_2016` with `.csv`, `.csv.zip`, `.csv.gz` in `data_dir`, the same in
    `data_dir/jena`, then any `data_dir/jena/jena_climate_2009_2016*` with these endings, by name.
    """
    for folder in (data_dir, data_dir / "jena"):
        for suffix in weather.SUFFIXES:
            if (folder / (STEM + suffix)).is_file():
                return folder / (STEM + suffix)
    cuts = sorted((data_dir / "jena").glob(f"{STEM}*.csv*"))
    return next((path for path in cuts if path.name.endswith(weather.SUFFIXES) and path.is_file()), None)
