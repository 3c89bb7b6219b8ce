"""Jena climate: windows over eight years of weather, and the temperature a day after each window's end.

The file has one row every 10 minutes; `Windows` takes its hourly cut, or any other step, as well.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from seqjax.data import weather, windows
from seqjax.data.dataset import Dataset, Requests
from seqjax.data.download import check_zip, download
from seqjax.errors import UserError

URLS = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/jena_climate_2009_2016.csv.zip",
    "https://s3.amazonaws.com/keras-datasets/jena_climate_2009_2016.csv.zip",
)
STEM = "jena_climate_2009_2016"
TEMPERATURE = weather.COLUMNS.index("T (degC)")
"""The target's column among the features: 1."""
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

    def __post_init__(self):
        for option in ("sampling_rate", "sequence_length", "delay"):
            value = getattr(self, option)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise UserError(f"{option}={value}: a whole number of rows, at least 1, is expected")

    def load(self, data: str, data_dir: Path) -> Dataset:
        """The `real` series, found by `find` or downloaded to `data_dir`, or the generated `sample`.

        Raises:
          UserError: files missing, damaged or malformed, or options that do not fit the data.
        """
        if data == "sample":
            from seqjax.data.sample_climate import climate

            generated = climate()
            table = weather.Weather(tuple(generated.columns), generated.times, generated.values)
            return self.dataset(table, "generated climate (not the lecture's data)", generated.optimum)
        if data != "real":
            raise UserError(f"data={data}: choose real or sample")
        data_dir = data_dir.expanduser()
        path = find(data_dir) or download(URLS, data_dir / f"{STEM}.csv.zip", check=check_zip)
        return self.dataset(weather.read(path), str(path))

    def dataset(self, table: weather.Weather, name: str, optimum: Mapping[str, float] | None = None) -> Dataset:
        """Windows over a whole table, called `name` in messages and in the description.

        Args:
          optimum: the best scores there are for a forecast of 24 hours; dropped if another is asked for.

        Raises:
          UserError: too few rows, or options that do not fit the time step or the rows.
        """
        table, repaired = weather.repair(table, name)
        step = weather.time_step(table, name)
        span = windows.resolve(self.sampling_rate, self.sequence_length, self.delay, step=step, name=name)
        parts = windows.split(len(table.values), span, name)
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
            description=_description(table, name, step, parts, repaired),
            fingerprint=_fingerprint(table.values, {**facts, "normalise": self.normalise}),
            assets={ASSET: json.dumps({**facts, "mean": mean.tolist(), "std": std.tolist()}, indent=1) + "\n"},
            optimum=optimum if optimum and (span.delay - span.reach) * step == windows.DAY else {},
        )

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """Every window of a weather CSV with the training data's columns and time step; no targets needed.

        Raises:
          UserError: malformed input, with its row and column; too few rows; or another time step.
        """
        facts = _facts(assets / ASSET)
        span = windows.Span(facts["sampling_rate"], facts["sequence_length"], facts["delay"])
        try:
            table, _ = weather.repair(weather.parse(text.read(), name, tuple(facts["columns"])), name)
        except UnicodeDecodeError as error:
            raise UserError(f"{name}: not UTF-8 text: {error.reason} at byte {error.start}") from error
        count = len(table.values) - span.reach
        if count < 1:
            raise UserError(f"{name}: too few rows: {len(table.values)}; a window takes {span.reach + 1}")
        step = facts["step"]
        if len(table.times) > 1 and (found := weather.time_step(table, name)) != step:
            expected = windows.duration(step)
            raise UserError(f"{name}: rows are {windows.duration(found)} apart, but the model's are {expected} apart")
        ends = table.times[span.reach :].astype("datetime64[s]")
        ahead = np.timedelta64(round((span.delay - span.reach) * step), "s")

        def line(position: int, output: Any) -> str:
            end = ends[position]
            return f"{_date(end)},{_date(end + ahead)},{np.asarray(output).item():.2f}"

        return Requests(
            arrays={"series": windows.scaled(table.values, np.array(facts["mean"]), np.array(facts["std"]))},
            gather=span.inputs,
            ids=np.arange(count, dtype=np.int32),
            line=line,
            header=f"window_end,forecast_for,{weather.COLUMNS[TEMPERATURE]}",
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


def _fingerprint(values: np.ndarray, options: Mapping[str, Any]) -> str:
    content = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
    content.update(np.ascontiguousarray(values, "<f8").tobytes())
    return content.hexdigest()


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text())
        return {key: facts[key] for key in FACTS}
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}: train into this workdir first") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged ({error}): train again into another workdir") from error


def _description(table: weather.Weather, name: str, step: float, parts: Mapping[str, np.ndarray], repaired: int) -> str:
    rows, columns = table.values.shape
    counts = ", ".join(f"{len(ids):,} {part}" for part, ids in parts.items())
    period = f"{_date(table.times[0])} to {_date(table.times[-1])}"
    return (
        f"{name}: {rows:,} rows {windows.duration(step)} apart, {period}, {columns} columns; "
        f"windows: {counts}; {repaired} missing values (-9999) repaired"
    )


def _date(time: np.datetime64) -> str:
    return str(time.astype("datetime64[s]")).replace("T", " ")
