"""The hourly series of the M4 competition (Makridakis et al. 2018): 414 of 700 to 960 hours, and the next 48.

The file has a series a row, and no dates. What the competition asked for is the test part; the 48 hours before are
validation.

Legend: S series, H horizon.
"""

import csv
import dataclasses
import io
from pathlib import Path
from typing import TextIO

import numpy as np

from seqjax.data import packed
from seqjax.data.dataset import Dataset, Requests
from seqjax.data.decoding import utf8
from seqjax.data.download import download
from seqjax.data.series import csv_table, panel, panel_parts, panel_requests, sample_panel
from seqjax.data.series.cells import Numbers, is_missing
from seqjax.data.series.form import Form
from seqjax.data.series.panel import Panel
from seqjax.data.series.panel_windows import Windows
from seqjax.errors import UserError

ADDRESS = "https://github.com/Mcompetitions/M4-methods/raw/master/Dataset/{}/Hourly-{}.csv"
PARTS = {"train": "Train", "test": "Test"}
HORIZON = 48
SEASON = 24
WEEK = Windows(168, HORIZON, season=SEASON)


@dataclasses.dataclass(frozen=True)
class M4Hourly:
    """The data source."""

    windows: Windows = WEEK

    def load(self, data: str, data_dir: Path) -> Dataset:
        """The competition's files, or generated series.

        Raises:
          UserError: files missing or malformed.
        """
        if data == "sample":
            made = sample_panel.panel()
            made = dataclasses.replace(made, panel=dataclasses.replace(made.panel, times=None, step=None))
            edges = panel_parts.by_rows(made.panel.bounds, self.windows.horizon, self.windows.horizon)
            dataset = self.windows.dataset(made.panel, edges, "generated series", {})
            best = sample_panel.optimum(made, dataset.parts["test"], self.windows.horizon, self.windows.levels)
            return dataclasses.replace(dataset, optimum=best)
        if data != "real":
            raise UserError(f"data={data}: choose real or sample")
        found = joined(*(read(path_of(part, data_dir)) for part in PARTS))
        edges = panel_parts.by_rows(found.bounds, HORIZON, HORIZON)
        return self.windows.dataset(found, edges, "M4 hourly", {})

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """Of each series of a file in the competition's form the hours after its last.

        Raises:
          UserError: malformed.
        """
        return panel_requests.of_panel(panel.of_rows(*parse(csv_table.content(text), name)), assets, name)


def path_of(part: str, data_dir: Path) -> Path:
    """The file of a part, in the data folder's `m4`; downloaded there if it is missing."""
    folders = (data_dir.expanduser() / "m4", data_dir.expanduser())
    names = (f"Hourly-{part}.csv.gz", f"Hourly-{part}.csv")
    found = next((folder / name for folder in folders for name in names if (folder / name).is_file()), None)
    return found or download(ADDRESS.format(PARTS[part], part), folders[0] / names[1])


def read(path: Path) -> tuple[list[np.ndarray], list[str]]:
    """As `parse`, from a file. Raises UserError: unreadable."""
    return parse(csv_table.bytes_of(path), str(path))


def parse(data: bytes, name: str, form: Form | None = None) -> tuple[list[np.ndarray], list[str]]:
    """A header, then a row for each series: its name and its values; what is empty or NA behind the last is not there.

    Args:
      data: of the file, packed or not.
      name: what messages call it.
      form: its encoding, delimiter, decimal and thousands.

    Returns:
      values [T] of each, NaN where a cell between others is empty; and the names.

    Raises:
      UserError: a cell that is no number, a name that comes twice, no header, or nothing at all.
    """
    form = form or Form()
    text = utf8(packed.unpacked(data, name), name, form.encoding).decode()
    first = text.partition("\n")[0]
    delimiter = form.delimiter or max(",;\t" if form.decimal == "." else ";\t,", key=first.count)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    numbers = Numbers(form.decimal, form.thousands)
    if rows and _is_series(rows[0], numbers):
        raise UserError(f"{name}: row 1 looks like a series, not like a header: put a row with names above it")
    series, names = [], []
    for line, row in enumerate(rows[1:], 2):
        while len(row) > 1 and is_missing(row[-1]):
            row.pop()
        if not "".join(row).strip():
            continue
        cells = enumerate(row[1:], 2)
        series.append(np.array([_number(cell, numbers, f"{name}: row {line}, column {k}") for k, cell in cells]))
        names.append(row[0].strip())
    double = next((own for own in names if names.count(own) > 1), None) if len(set(names)) < len(names) else None
    if double is not None or not names:
        said = (
            f"the series {double!r} is there twice" if names else "no series: a header and a series a row are expected"
        )
        raise UserError(f"{name}: {said}")
    return series, names


def joined(train: tuple[list[np.ndarray], list[str]], test: tuple[list[np.ndarray], list[str]]) -> Panel:
    """Each series' rows of both files. Raises UserError: they are not of the same series."""
    after = dict(zip(test[1], test[0], strict=True))
    lacking = sorted(set(train[1]) ^ set(after))
    if lacking:
        raise UserError(f"M4 hourly: {lacking[0]!r} is in one of both files only")
    pairs = zip(train[0], train[1], strict=True)
    return panel.of_rows([np.concatenate([own, after[name]]) for own, name in pairs], train[1])


def _is_series(row: list[str], numbers: Numbers) -> bool:
    """Whether a header holds values: numbers that do not count its columns."""
    cells = [cell.strip() for cell in row[1:] if not is_missing(cell)]
    counted = [[str(start + k) for k in range(len(cells))] for start in (0, 1)]
    return bool(cells) and all(map(numbers.is_number, cells)) and cells not in counted


def _number(cell: str, numbers: Numbers, where: str) -> float:
    try:
        return numbers.read(cell)
    except ValueError as error:
        advice = numbers.advice(cell.strip())
        raise UserError(f"{where}: {cell!r} is no number{f'; {advice} reads it' if advice else ''}") from error
