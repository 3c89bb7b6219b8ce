"""What the sources of windows over a series share: descriptions, fingerprints, and the lines of forecasts."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from seqjax.data.series import windows
from seqjax.data.series.steps import Step
from seqjax.data.series.table import Table
from seqjax.data.series.weather import Weather
from seqjax.errors import UserError


def date(time: np.datetime64) -> str:
    """`2009-12-31 23:10:00`."""
    return str(time.astype("datetime64[s]")).replace("T", " ")


def describe(
    table: Weather | Table, name: str, step: float | Step, parts: Mapping[str, np.ndarray], missing: str
) -> str:
    """One line: rows, period, columns, windows, and the sentence on missing values."""
    rows, columns = table.values.shape
    counts = ", ".join(f"{len(ids):,} {part}" for part, ids in parts.items())
    period = f"{date(table.times.min())} to {date(table.times.max())}"
    apart = str(step) if isinstance(step, Step) else windows.duration(step)
    series = f" of {len(table.names)} series" if isinstance(table, Table) and table.names else ""
    return f"{name}: {rows:,} rows{series} {apart} apart, {period}, {columns} columns; windows: {counts}; {missing}"


def counted(count: int, noun: str, what: str) -> list[str]:
    """[`3 rows missing`], or nothing where there are none."""
    many = noun if noun.endswith("s") else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    plural = noun if count == 1 else many
    return [f"{count:,} {plural} {what}"] if count else []


def number(value: float, deviation: float) -> str:
    """A forecast with the digits that tell a hundredth of the column's deviation, two decimals at the least."""
    decimals = max(2, 2 - math.floor(math.log10(deviation))) if math.isfinite(deviation) and deviation > 0 else 2
    return f"{value:.{decimals}f}" if decimals <= 12 and abs(value) < 1e15 else f"{value:.17g}"


def fingerprint(values: np.ndarray, options: Mapping[str, Any], times: np.ndarray | None = None) -> str:
    """sha256 (hex) of the values [N, F], of the options, and of the dates [N] where they are given."""
    content = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
    content.update(np.ascontiguousarray(values, "<f8").tobytes())
    if times is not None:
        content.update(np.ascontiguousarray(times.astype(np.int64), "<i8").tobytes())
    return content.hexdigest()


def text_of(stream: TextIO, name: str) -> str:
    """All of a stream called `name`. Raises UserError: it is not UTF-8."""
    try:
        return stream.read()
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: not UTF-8 text: {error.reason} at byte {error.start}") from error


def read_facts(path: Path, keys: Sequence[str]) -> dict[str, Any]:
    """The named entries of a JSON file that `Dataset.assets` has left in a workdir.

    Raises:
      UserError: it is not there, or damaged.
    """
    try:
        facts = json.loads(path.read_text())
        return {key: facts[key] for key in keys}
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}: train into this workdir first") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged ({error}): train again into another workdir") from error


def count_requests(table: Weather, span: windows.Span, name: str) -> int:
    """How many windows a table gives when no target is needed. Raises UserError: none."""
    count = len(table.values) - span.reach
    if count < 1:
        raise UserError(f"{name}: too few rows: {len(table.values)}; a window takes {span.reach + 1}")
    return count


def check_step(found: float, step: float, name: str) -> None:
    """Raises UserError: rows that are not as far apart as the model's."""
    if found != step:
        expected = windows.duration(step)
        raise UserError(f"{name}: rows are {windows.duration(found)} apart, but the model's are {expected} apart")


def lines(times: np.ndarray, span: windows.Span, step: float) -> Callable[[int, Any], str]:
    """(position, the model's output) -> `window_end,forecast_for,value`.

    Args:
      times: [N] of the rows.
      span: of a window.
      step: seconds from one row to the next.
    """
    ends = times[span.reach :].astype("datetime64[s]")
    ahead = np.timedelta64(round((span.delay - span.reach) * step), "s")

    def line(position: int, output: Any) -> str:
        end = ends[position]
        return f"{date(end)},{date(end + ahead)},{np.asarray(output).item():.2f}"

    return line
