"""The Numenta Anomaly Benchmark: 58 series with windows around their anomalies; and made ones, of known anomalies.

Knobs are to be chosen on one half of the corpus, `tuned`, which is the validation part; the whole is the test part.
Trained is on the probation alone, the rows at a file's beginning in which NAB judges nothing.

Legend: N rows.
"""

import csv
import dataclasses
import gzip
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from seqjax.data.cache import cached
from seqjax.data.dataset import Dataset, Requests, Stream
from seqjax.data.download import download
from seqjax.data.series import detections, watch
from seqjax.errors import UserError, check_least
from seqjax.scoring import nab, ranges, surprise
from seqjax.scoring.surprise import Recipe

URL = "https://raw.githubusercontent.com/numenta/NAB/ea702d75cc2258d9d7dd35ca8e5e2539d71f3140"
WINDOWS = "labels/combined_windows.json"
WINDOWS_SHA256 = "1e1fbc4601321aad8d0f8b3784c8134299379f68f6c1f7777565f8ffd57ab6b1"
CONTENT = "03c95b94216e98f2d247d55b32e3f277d803fc24a4b933e02dcd0fb5e93f927c"
"""`digest` of NAB v1.1."""
OWN = "this run judges NAB's own files: for a table of your own train --experiment=csv_anomalies"
NAIVE_HORIZON, NAIVE_LEVEL = 1, 3.5
"""What suits the last value as a forecast, which is judged as the models are: chosen like theirs, and so that it does
best on the whole, to be no straw man (at the models' own, 4 and 5.6, it has 57 instead of 65)."""
HALF_SEED = 0
"""Of which real files are tuned on."""


@dataclasses.dataclass(frozen=True)
class Recording:
    """A file."""

    name: str
    """As in NAB: `realTweets/Twitter_volume_AAPL.csv`."""
    times: np.ndarray
    """[N] datetime64[us]."""
    values: np.ndarray
    """[N] float64."""
    windows: nab.Windows


@dataclasses.dataclass(frozen=True)
class Nab:
    """A `Source` of rows to be judged, each by those before it."""

    rows: int = 64
    """In a window."""
    horizon: int = 4
    """From a window's last row to the one judged."""
    recipe: Recipe = dataclasses.field(default_factory=Recipe)
    """By which the baselines are judged too, but for the level."""
    quiet: float = 0.15
    """Instead of the recipe's rows: a share of a file's probation."""

    def __post_init__(self):
        check_least("rows", self.rows, 1)
        check_least("horizon", self.horizon, 0)

    def load(self, data: str, data_dir: Path) -> Dataset:
        """See `Source.load`; the sample is of `sample`."""
        if data == "sample":
            return self._dataset(sample(), "generated series with planted anomalies")
        if data != "real":
            raise UserError(f"data={data}: choose real or sample")
        return self._dataset(read(data_dir), "NAB")

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """A table of one's own is another experiment's. Raises UserError."""
        del assets, text, name
        raise UserError(OWN)

    def stream(self, assets: Path, name: str) -> Stream:
        """As `requests`. Raises UserError."""
        del assets, name
        raise UserError(OWN)

    def _dataset(self, recordings: list[Recording], name: str) -> Dataset:
        half = tuned([one.name for one in recordings])
        series = tuple(dataclasses.replace(watched(one), tuned=one.name in half) for one in recordings)
        gather = watch.Watch(self.rows, self.horizon, series)
        content = hashlib.sha256(f"{self.rows} {self.horizon} {digest(recordings)}".encode())
        parts = watch.parts_of(series)
        counts = [sum(len(one.windows) for one in recordings), sum(len(one.times) for one in recordings)]
        return Dataset(
            arrays=watch.arrays_of(series),
            gather=gather,
            parts=parts,
            description=f"{name}: {len(series)} series, {counts[1]:,} rows, {counts[0]} windows of anomalies; trained "
            f"on the first rows of each, {len(parts['train']):,} in all; validation: the "
            f"{sum(one.tuned for one in series)} series that knobs were chosen on; test: all",
            fingerprint=content.hexdigest(),
            baselines=self._baselines(series, content.hexdigest()),
        )

    def _baselines(self, series: tuple[watch.Watched, ...], fingerprint: str) -> dict[str, Any]:
        """Kept on disk: of the whole corpus they take ten seconds."""

        def build() -> dict[str, np.ndarray]:
            found = detections.baselines(series, NAIVE_HORIZON, naive, self.quiet)
            return {"json": np.frombuffer(json.dumps(found).encode(), np.uint8)}

        naive = dataclasses.replace(self.recipe, level=NAIVE_LEVEL)
        options = [self.quiet, dataclasses.asdict(naive)]
        return json.loads(cached(f"nab {_code()} {fingerprint} {json.dumps(options)}", build)["json"].tobytes())


def _code() -> str:
    """Of what makes the baselines."""
    sources = (__file__, *(str(module.__file__) for module in (detections, nab, ranges, surprise, watch)))
    return hashlib.sha256(b"".join(Path(source).read_bytes() for source in sources)).hexdigest()


def watched(one: Recording) -> watch.Watched:
    """Under watch from the end of its probation."""
    found = watch.watched(one.name, one.times, one.values[:, None], nab.probation(len(one.times)))
    labels = np.zeros(len(one.times), np.int64)
    for number, (first, last) in enumerate(one.windows):
        labels[first : last + 1] = number + 1
    return dataclasses.replace(found, labels=labels)


def read(data_dir: Path) -> list[Recording]:
    """All files of the corpus, by name: those of a folder `nab` in `data_dir`, or downloaded there.

    Raises:
      UserError: one is missing, malformed, or cannot be downloaded.
    """
    for folder in (data_dir.expanduser() / "nab", data_dir.expanduser()):
        if (folder / WINDOWS).is_file():
            return _read(folder)
    return _downloaded(data_dir.expanduser() / "nab")


def _read(folder: Path) -> list[Recording]:
    try:
        windows: Mapping[str, Any] = json.loads((folder / WINDOWS).read_text())
        return [_recording(folder, name, windows[name]) for name in sorted(windows)]
    except (ValueError, TypeError, LookupError) as error:
        raise UserError(f"{folder / WINDOWS}: no windows of files ({error})") from error


def _downloaded(folder: Path) -> list[Recording]:
    """The labels come last, so that a folder that has them has all."""
    labels = download(f"{URL}/{WINDOWS}", folder / "windows.json", sha256=WINDOWS_SHA256)
    for name in json.loads(labels.read_text()):
        download(f"{URL}/data/{name}", folder / "data" / name)
    (folder / "labels").mkdir(exist_ok=True)
    (folder / WINDOWS).write_bytes(labels.read_bytes())
    found = _read(folder)
    if digest(found) != CONTENT:
        (folder / WINDOWS).unlink()
        raise UserError(f"{folder}: what was downloaded is not NAB v1.1: remove the folder and try again")
    return found


def digest(recordings: Sequence[Recording]) -> str:
    """sha256 (hex) of all dates, values and windows."""
    content = hashlib.sha256()
    for one in recordings:
        content.update(one.name.encode() + one.times.astype("<i8").tobytes() + one.values.astype("<f8").tobytes())
        content.update(json.dumps(one.windows).encode())
    return content.hexdigest()


def _recording(folder: Path, name: str, windows: Any) -> Recording:
    inner = folder / "data"  # as in NAB's repository
    times, values = read_csv((inner if inner.is_dir() else folder) / name)
    date = lambda text: np.datetime64(text.split(".")[0], "us")
    labels = [(date(left), date(right)) for left, right in windows]
    return Recording(name, times, values, nab.rows_of(times, labels, name))


def read_csv(path: Path, column: str = "value") -> tuple[np.ndarray, np.ndarray]:
    """Dates [N] datetime64[us] and a column [N] float64 of a CSV as NAB has them, packed by gzip or not.

    The rows stay in their order: NAB has a file whose clock is put back by an hour.

    Raises:
      UserError: missing or malformed, with its row.
    """
    there = next((one for one in _places(path) if one.is_file()), None)
    if there is None:
        raise UserError(f"there is no file {path} (or {path.name}.gz)")
    try:
        data = there.read_bytes()
        text = (gzip.decompress(data) if there.suffix == ".gz" else data).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UserError(f"{there}: {error}") from error
    rows = csv.DictReader(io.StringIO(text))
    for needed in ("timestamp", column):
        if needed not in (rows.fieldnames or ()):
            known = ", ".join(rows.fieldnames or ["none"])
            raise UserError(f"{there}: there is no column {needed!r}; columns: {known}")
    times, values = [], []
    for number, row in enumerate(rows, 2):
        try:
            times.append(np.datetime64(row["timestamp"].split(".")[0], "us"))
            values.append(float(row[column]))
        except (ValueError, AttributeError, TypeError) as error:
            raise UserError(f"{there}: row {number}: {error}") from error
    return np.array(times, "datetime64[us]"), np.array(values)


def _places(path: Path) -> Iterator[Path]:
    yield from (path, path.with_name(path.name + ".gz"))


def tuned(names: Sequence[str]) -> set[str]:
    """The files that knobs are chosen on: the artificial ones, and half of the others, drawn by seed."""
    real = sorted(name for name in names if not name.startswith("artificial"))
    drawn = np.random.default_rng(HALF_SEED).permutation(len(real))[: len(real) // 2]
    return {*names} - {*real} | {real[place] for place in drawn}


SAMPLE = ("jump", "spike", "silence", "drift", "noise", "beat")
"""The sample's series, by what is planted in them."""


def sample() -> list[Recording]:
    """Daily waves with noise of 1,200 quarter hours, in each of which two anomalies are planted at known places."""
    found = []
    for number, kind in enumerate(SAMPLE):
        rng, rows = np.random.default_rng(number), np.arange(1200)
        values = np.sin(2 * np.pi * rows / 96) + 0.1 * rng.normal(size=len(rows))
        windows = []
        for place in rng.integers(0, 250, 2) + np.array([300, 750]):
            _plant(kind, values, int(place), rng)
            windows.append((int(place) - 20, int(place) + 39))
        times = np.datetime64("2020-01-06", "us") + rows * np.timedelta64(15, "m")
        found.append(Recording(kind, times, 20 + 3 * values, windows))
    return found


def _plant(kind: str, values: np.ndarray, place: int, rng: np.random.Generator) -> None:
    own = values[place : place + 30]
    if kind == "jump":
        own += 2.5
    elif kind == "spike":
        own[:3] += 4
    elif kind == "silence":
        own[:] = own[0]
    elif kind == "drift":
        own += np.linspace(0, 3, len(own))
    elif kind == "noise":
        own += rng.normal(size=len(own))
    else:
        own[:] = np.sin(2 * np.pi * np.arange(len(own)) / 6)
