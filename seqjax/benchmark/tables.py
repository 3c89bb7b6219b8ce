"""Reading a CSV beside pyarrow alone, pandas and polars: each block in a process of its own, which reads once.

`python -m seqjax.benchmark.tables IMPLEMENTATION PATH DATE_FORMAT` is such a process; it prints a `Block`.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import numpy as np

import seqjax
from seqjax.benchmark.worker import OURS, peak_memory_mb
from seqjax.errors import UserError

ROWS = 1_000_000


class Kind(NamedTuple):
    """What is read."""

    title: str
    dates: str
    """How they are written, as `strptime` takes it."""


KINDS = {
    "million": Kind("a million rows of a date and three numbers, generated", "%Y-%m-%d %H:%M:%S"),
    "jena": Kind("the weather at Jena, a date and 14 numbers a row", "%d.%m.%Y %H:%M:%S"),
}
PEERS = ("pyarrow", "pandas", "polars")


class Block(TypedDict):
    """What one process took."""

    rows: int
    import_seconds: float
    seconds: float
    cpu_seconds: float
    """Of all threads, while reading."""
    peak_memory_mb: float
    """More than before the import."""


class Row(TypedDict):
    """One implementation on one kind, medians of its blocks."""

    kind: str
    implementation: str
    rows: int
    import_seconds: float
    seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    blocks: list[Block]
    version: str


def measure(kinds: Sequence[str], data_dir: Path, peers: Collection[str], blocks: int, scale: float = 1.0) -> list[Row]:
    """Run the blocks of all implementations of a kind in turn, kind after kind.

    Args:
      kinds: of `KINDS`.
      data_dir: where real data are.
      peers: of `PEERS`, those that are installed.
      blocks: how often each reads.
      scale: of the number of generated rows.

    Raises:
      UserError: no data, or a process that has failed.
    """
    rows: list[Row] = []
    for kind in kinds:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "table.csv"
            path.write_bytes(_generated(round(ROWS * scale)) if kind == "million" else _jena(data_dir))
            taken: dict[str, list[Block]] = {name: [] for name in (OURS, *peers)}
            for _ in range(blocks):
                for name, done in taken.items():
                    done.append(_block(name, path, KINDS[kind].dates))
        rows += [_row(kind, name, done) for name, done in taken.items()]
    return rows


def _row(kind: str, name: str, blocks: list[Block]) -> Row:
    middle = lambda key: statistics.median(block[key] for block in blocks)
    return Row(
        kind=kind,
        implementation=name,
        rows=blocks[0]["rows"],
        import_seconds=middle("import_seconds"),
        seconds=middle("seconds"),
        cpu_seconds=middle("cpu_seconds"),
        peak_memory_mb=middle("peak_memory_mb"),
        blocks=blocks,
        version=seqjax.__version__ if name == OURS else version(name) if name != "polars" else _polars(),
    )


def _polars() -> str:
    import polars  # pyright: ignore[reportMissingImports]

    return polars.__version__  # its package may be called polars-lts-cpu


def _generated(rows: int) -> bytes:
    """Minutes from 2000 on, and normal values with four digits."""
    values = np.random.default_rng(0).normal(scale=10, size=(rows, 3))
    times = np.datetime64("2000-01-01T00:00:00") + np.arange(rows) * np.timedelta64(60, "s")
    lines = zip(np.strings.replace(times.astype(str), "T", " ").tolist(), values.tolist(), strict=True)
    return ("time,a,b,c\n" + "".join(f"{time},{a:.4f},{b:.4f},{c:.4f}\n" for time, (a, b, c) in lines)).encode()


def _jena(data_dir: Path) -> bytes:
    from seqjax.data import packed
    from seqjax.data.series import jena

    path = jena.find(data_dir)
    if path is None:
        raise UserError(f"there is no Jena file in {data_dir}; --tables=million needs none")
    return packed.unpacked(path.read_bytes(), str(path))


def _block(name: str, path: Path, dates: str) -> Block:
    package = str(Path(seqjax.__file__).resolve().parent.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))}
    command = [sys.executable, "-m", "seqjax.benchmark.tables", name, str(path), dates]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"{name}: its process ended with code {done.returncode}: {said}")
    return json.loads(done.stdout)


# In the process


def _ours(dates: str) -> Callable[[Path], int]:
    import pyarrow.csv  # noqa: F401 - is imported by the first table, otherwise

    from seqjax.data.series import csv_table

    # the Jena file has stretches that are there twice, out of order
    return lambda path: len(csv_table.read(path, csv_table.Form(format=dates, sort=True)).values)


def _pyarrow(dates: str) -> Callable[[Path], int]:
    """Its dates are those of ISO 8601; others stay text."""
    import pyarrow.csv as arrow_csv

    return lambda path: arrow_csv.read_csv(path).num_rows


def _pandas(dates: str) -> Callable[[Path], int]:
    import pandas  # pyright: ignore[reportMissingImports]

    return lambda path: len(pandas.read_csv(path, parse_dates=[0], date_format=dates))


def _polars_reader(dates: str) -> Callable[[Path], int]:
    import polars  # pyright: ignore[reportMissingImports]

    def read(path: Path) -> int:
        table: Any = polars.read_csv(path)
        return len(table.with_columns(polars.col(table.columns[0]).str.to_datetime(dates)))

    return read


READERS = {OURS: _ours, "pyarrow": _pyarrow, "pandas": _pandas, "polars": _polars_reader}


def main(name: str, path: str, dates: str) -> None:
    """Read a file and print what it took."""
    before, began = peak_memory_mb(), time.perf_counter()
    read = READERS[name](dates)
    ready, cpu = time.perf_counter(), time.process_time()
    rows = read(Path(path))
    seconds, cpu = time.perf_counter() - ready, time.process_time() - cpu
    block = Block(
        rows=rows,
        import_seconds=round(ready - began, 4),
        seconds=round(seconds, 4),
        cpu_seconds=round(cpu, 4),
        peak_memory_mb=round(peak_memory_mb() - before, 1),
    )
    print(json.dumps(block))


if __name__ == "__main__":
    main(*sys.argv[1:])
