"""Weather tables: from a CSV (plain, gzip or zip) to arrays, with an exact error for what is malformed.

Legend: N rows in time, F feature columns. Rows are counted as lines of the file, from 1: the header is row 1.
"""

import dataclasses
import gzip
import math
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from seqjax.data.series import arrays, date_columns
from seqjax.data.series.windows import last_valid
from seqjax.errors import UserError

DATE = "Date Time"
COLUMNS = (
    "p (mbar)",
    "T (degC)",
    "Tpot (K)",
    "Tdew (degC)",
    "rh (%)",
    "VPmax (mbar)",
    "VPact (mbar)",
    "VPdef (mbar)",
    "sh (g/kg)",
    "H2OC (mmol/mol)",
    "rho (g/m**3)",
    "wv (m/s)",
    "max. wv (m/s)",
    "wd (deg)",
)
"""The columns of the Jena file behind its date."""
MISSING = -9999.0
"""What the Jena station writes where a sensor failed."""
SUFFIXES = (".csv", ".csv.zip", ".csv.gz")
NUMBER = re.compile(r"[ \t]*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[ \t]*", re.ASCII)
GERMAN = re.compile(r"(\d\d)\.(\d\d)\.(\d{4}) (\d\d:\d\d:\d\d)", re.ASCII)
ISO = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d", re.ASCII)


@dataclasses.dataclass(frozen=True)
class Weather:
    """A table of measurements in time."""

    columns: tuple[str, ...]
    """The F features' names, units included."""
    times: np.ndarray
    """[N] datetime64; nearly regular: the public file has gaps and repeated stretches."""
    values: np.ndarray
    """[N, F] float64, finite."""


def read(path: Path) -> Weather:
    """Read a CSV, as `parse`; `.gz` and `.zip` are unpacked in memory.

    Raises:
      UserError: unreadable, empty, truncated, damaged or malformed.
    """
    return decoded(path, lambda text: parse(text, str(path)))


def decoded(path: Path, parse: Callable[[str], Weather]) -> Weather:
    """What `parse` makes of the text in a file; `.gz` and `.zip` are unpacked in memory. Raises as `read`."""
    try:
        raw = _unpacked(path)
    except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError) as error:
        # RuntimeError: an encrypted archive, or (NotImplementedError) an unknown kind of compression
        raise UserError(
            f"{path}: the archive is damaged or truncated ({error}): put a whole one in its place"
        ) from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    try:
        return parse(raw.decode())
    except UnicodeDecodeError as error:
        row = raw.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}: row {row} is not UTF-8 text (byte 0x{raw[error.start]:02x})") from error


def _unpacked(path: Path) -> bytes:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix != ".zip":
        return path.read_bytes()
    if path.stat().st_size == 0:
        return b""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".csv") and "__MACOSX" not in name]
        if len(names) != 1:
            raise UserError(f"{path}: one .csv is expected in the archive, not {len(names)}: {archive.namelist()}")
        return archive.read(names[0])


def parse(text: str, name: str, columns: tuple[str, ...] = COLUMNS) -> Weather:
    """Read a table with a header, a `Date Time` column first and then `columns`, in any order.

    Dates are like `31.12.2009 23:10:00` or `2009-12-31 23:10:00`.

    Args:
      name: what messages call the file.

    Raises:
      UserError: with the row and column of the first malformed cell.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace('"', "").rstrip()
    if not text:
        raise UserError(f"{name}: the file is empty")
    first, _, rows = text.partition("\n")
    header = [column.strip() for column in first.split(",")]
    _check_header(header, (DATE, *columns), name)
    if not rows:
        raise UserError(f"{name}: too few rows: the file ends after its header, row 1")
    table = _table(rows, [header.index(column) for column in columns])
    if table is None:
        raise _culprit(rows.split("\n"), header, name)
    return Weather(columns, *table)


def _check_header(header: list[str], expected: tuple[str, ...], name: str) -> None:
    if not set(expected) & set(header):
        found = ",".join(header)[:60]
        raise UserError(f"{name}: row 1: {found!r} is not the header {', '.join(map(repr, expected))}")
    absent = [column for column in expected if column not in header]
    if absent:
        raise UserError(f"{name}: row 1: missing columns: {', '.join(map(repr, absent))}")
    surplus = [column for i, column in enumerate(header) if column not in expected or column in header[:i]]
    if surplus:
        raise UserError(f"{name}: row 1: unknown or repeated columns: {', '.join(map(repr, surplus))}")
    if header[0] != DATE:
        raise UserError(f"{name}: row 1: {DATE!r} must be the first column, not {header[0]!r}")


def _table(rows: str, places: list[int]) -> tuple[np.ndarray, np.ndarray] | None:
    """Times [N] and values [N, F] by the fast road, or None if there is anything wrong anywhere.

    Args:
      rows: all lines, of a date and then numbers only.
      places: of the F columns, among as many as there are behind the date.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv as arrow_csv

    if "\r" in rows:  # to pyarrow the end of a line
        return None
    compute: Any = pc  # its functions are made when it is imported: pyright sees none
    names = [str(place) for place in range(len(places) + 1)]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(rows.encode()),
            read_options=arrow_csv.ReadOptions(column_names=names, use_threads=False),
            parse_options=arrow_csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
            convert_options=arrow_csv.ConvertOptions(
                null_values=[], column_types=dict.fromkeys(names, pa.float64()) | {"0": pa.string()}
            ),
        )
        dates = table.column("0").combine_chunks()
    except pa.ArrowInvalid:
        return None
    if not compute.all(compute.match_substring_regex(dates, f"^(?:{GERMAN.pattern}|{ISO.pattern})$")).as_py():
        return None
    moments = date_columns.read(dates, None)
    columns = [arrays.numbers(table.column(str(place)).combine_chunks()) for place in places]
    values = np.stack(columns).T  # column by column in memory: sums follow its order
    if moments is None or not np.isfinite(values).all():
        return None
    return moments.times.astype("datetime64[s]"), values


def _iso(date: str) -> str:
    """The date as NumPy reads it; ValueError for another form (NumPy itself judges 31 February)."""
    if GERMAN.fullmatch(date):
        return f"{date[6:10]}-{date[3:5]}-{date[:2]}T{date[11:]}"
    if ISO.fullmatch(date):
        return date
    raise ValueError(date)


def _culprit(rows: list[str], header: list[str], name: str) -> UserError:
    """The error of the first malformed cell: the slow road, taken only when something is wrong."""
    for number, row in enumerate(rows, start=2):
        cells = row.split(",")
        if len(cells) < len(header):
            lost = header[len(cells)]
            return UserError(f"{name}: row {number} ends before column {lost!r}: {row[:60]!r}")
        if len(cells) > len(header):
            return UserError(f"{name}: row {number} has {len(cells)} columns instead of {len(header)}: {row[:60]!r}")
        try:
            np.datetime64(_iso(cells[0]))
        except ValueError:
            return UserError(
                f"{name}: row {number}, column {DATE!r}: {cells[0]!r} is not a date like 31.12.2009 23:10:00 "
                f"or 2009-12-31 23:10:00"
            )
        for column, cell in zip(header[1:], cells[1:], strict=True):
            if not NUMBER.fullmatch(cell) or not math.isfinite(float(cell)):
                return UserError(f"{name}: row {number}, column {column!r}: {cell!r} is not a finite number")
    return UserError(f"{name}: a row cannot be read as a date and {len(header) - 1} numbers")


def repair(weather: Weather, name: str) -> tuple[Weather, int]:
    """Carry the last valid value forward over every -9999; before the first valid one, that one back.

    On 13 July 2015 the station's `wv` and `max. wv` are missing, inside the test part: left in, a dense model
    scores a test MAE of 8-12 instead of 2.6.

    Returns:
      The repaired table, and how many values were repaired.

    Raises:
      UserError: a column has no valid value.
    """
    return carry_forward(weather, weather.values == MISSING, f"{MISSING:g} (missing)", name)


def carry_forward(weather: Weather, missing: np.ndarray, what: str, name: str) -> tuple[Weather, int]:
    """Repair the values [N, F] that are `missing`, called `what`; returns and raises as `repair`."""
    values = weather.values.copy()
    for column in np.flatnonzero(missing.any(axis=0)):
        valid = ~missing[:, column]
        if not valid.any():
            raise UserError(f"{name}: column {weather.columns[column]!r} holds nothing but {what}")
        values[:, column] = values[last_valid(valid), column]
    return dataclasses.replace(weather, values=values), int(missing.sum())


def time_step(weather: Weather, name: str, column: str = DATE) -> float:
    """The median of the seconds from one row to the next; `column` is what messages call the dates.

    Raises:
      UserError: fewer than two rows, or dates that do not ascend.
    """
    if len(weather.times) < 2:
        raise UserError(f"{name}: too few rows: 1, from which no time step can be told")
    step = float(np.median(np.diff(weather.times) / np.timedelta64(1, "s")))
    if step <= 0:
        raise UserError(f"{name}: column {column!r}: the dates do not ascend (the median step is {step:g} s)")
    return step
