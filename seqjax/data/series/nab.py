"""The Numenta Anomaly Benchmark: 58 series, windows around their anomalies, and made ones with anomalies of known place.

All knobs here were chosen on one half of the corpus, `is_tuned`, which is the validation part; the whole is the test
part. Trained is on the probation alone, the rows at a file's beginning in which NAB judges nothing.

Legend: N rows.
"""

import csv
import dataclasses
import gzip
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from seqjax.data.cache import cached
from seqjax.data.dataset import Dataset, Requests
from seqjax.data.series import detections, watch
from seqjax.errors import UserError, check_least
from seqjax.scoring import nab, ranges, surprise
from seqjax.scoring.surprise import Recipe

WINDOWS = "labels/combined_windows.json"
KNOWN = "realKnownCause/"
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
    """By which the baselines are judged too."""
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
        raise UserError("this run judges NAB's own files: for a table of your own train --experiment=csv_anomalies")

    def _dataset(self, recordings: list[Recording], name: str) -> Dataset:
        series = tuple(map(watched, recordings))
        gather = watch.Watch(self.rows, self.horizon, series)
        content = hashlib.sha256(json.dumps([self.rows, self.horizon, [one.windows for one in recordings]]).encode())
        for one in recordings:
            content.update(one.name.encode() + one.times.astype("<i8").tobytes() + one.values.astype("<f8").tobytes())
        parts = watch.parts_of(series)
        counts = [sum(len(one.windows) for one in recordings), sum(len(one.times) for one in recordings)]
        return Dataset(
            arrays=watch.arrays_of(series),
            gather=gather,
            parts=parts,
            description=f"{name}: {len(series)} series, {counts[1]:,} rows, {counts[0]} windows of anomalies; trained on "
            f"the first rows of each, {len(parts['train']):,} in all; validation: the "
            f"{sum(one.tuned for one in series)} series that knobs were chosen on; test: all",
            fingerprint=content.hexdigest(),
            baselines=self._baselines(series, content.hexdigest()),
        )

    def _baselines(self, series: tuple[watch.Watched, ...], fingerprint: str) -> dict[str, Any]:
        """Kept on disk: of the whole corpus they take ten seconds."""

        def build() -> dict[str, np.ndarray]:
            found = detections.baselines(series, self.horizon, self.recipe, self.quiet)
            return {"json": np.frombuffer(json.dumps(found).encode(), np.uint8)}

        options = [self.horizon, self.quiet, dataclasses.asdict(self.recipe)]
        return json.loads(cached(f"nab {_code()} {fingerprint} {json.dumps(options)}", build)["json"].tobytes())


def _code() -> str:
    """Of what makes the baselines."""
    sources = (__file__, *(str(module.__file__) for module in (detections, nab, ranges, surprise, watch)))
    return hashlib.sha256(b"".join(Path(source).read_bytes() for source in sources)).hexdigest()


def watched(one: Recording) -> watch.Watched:
    found = watch.watched(one.name, one.times, one.values[:, None], nab.probation(len(one.times)))
    labels = np.zeros(len(one.times), np.int64)
    for number, (first, last) in enumerate(one.windows):
        labels[first : last + 1] = number + 1
    return dataclasses.replace(found, labels=labels, tuned=one.name in tuned())


def find(data_dir: Path) -> Path:
    """The folder `nab`. Raises UserError: it is not there."""
    for folder in (data_dir.expanduser() / "nab", data_dir.expanduser()):
        if (folder / WINDOWS).is_file():
            return folder
    raise UserError(
        f"there is no nab/{WINDOWS} in {data_dir}: put the folders `data` and `labels` of github.com/numenta/NAB there "
        "as `nab` (its CSV files packed by gzip or not), or use --data=sample"
    )


def read(data_dir: Path) -> list[Recording]:
    """All files of the corpus, by name.

    Raises:
      UserError: one is missing or malformed.
    """
    folder = find(data_dir)
    try:
        windows: Mapping[str, Any] = json.loads((folder / WINDOWS).read_text())
        return [_recording(folder, name, windows[name]) for name in sorted(windows)]
    except (ValueError, TypeError, LookupError) as error:
        raise UserError(f"{folder / WINDOWS}: no windows of files ({error})") from error


def _recording(folder: Path, name: str, windows: Any) -> Recording:
    inner = folder / "data"  # as in NAB's repository
    times, values = read_csv((inner if inner.is_dir() else folder) / name)
    labels = [tuple(np.datetime64(end.split(".")[0], "us") for end in ends) for ends in windows]
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
            raise UserError(f"{there}: there is no column {needed!r}; columns: {', '.join(rows.fieldnames or ['none'])}")
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


def tuned() -> frozenset[str]:
    """The files that knobs are chosen on: the artificial ones, and half of the others, drawn by seed."""
    real = [name for name in NAMES if not name.startswith("artificial")]
    drawn = np.random.default_rng(HALF_SEED).permutation(len(real))[: len(real) // 2]
    return frozenset({*(name for name in NAMES if name not in real), *(real[place] for place in drawn), *SAMPLE[:3]})


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


NAMES = tuple(sorted(
    f"{folder}/{name}.csv"
    for folder, names in {
        "artificialNoAnomaly": "art_daily_no_noise art_daily_perfect_square_wave art_daily_small_noise art_flatline "
        "art_noisy",
        "artificialWithAnomaly": "art_daily_flatmiddle art_daily_jumpsdown art_daily_jumpsup art_daily_nojump "
        "art_increase_spike_density art_load_balancer_spikes",
        "realAWSCloudwatch": "ec2_cpu_utilization_24ae8d ec2_cpu_utilization_53ea38 ec2_cpu_utilization_5f5533 "
        "ec2_cpu_utilization_77c1ca ec2_cpu_utilization_825cc2 ec2_cpu_utilization_ac20cd ec2_cpu_utilization_c6585a "
        "ec2_cpu_utilization_fe7f93 ec2_disk_write_bytes_1ef3de ec2_disk_write_bytes_c0d644 ec2_network_in_257a54 "
        "ec2_network_in_5abac7 elb_request_count_8c0756 grok_asg_anomaly iio_us-east-1_i-a2eb1cd9_NetworkIn "
        "rds_cpu_utilization_cc0c53 rds_cpu_utilization_e47b3b",
        "realAdExchange": "exchange-2_cpc_results exchange-2_cpm_results exchange-3_cpc_results exchange-3_cpm_results "
        "exchange-4_cpc_results exchange-4_cpm_results",
        "realKnownCause": "ambient_temperature_system_failure cpu_utilization_asg_misconfiguration "
        "ec2_request_latency_system_failure machine_temperature_system_failure nyc_taxi rogue_agent_key_hold "
        "rogue_agent_key_updown",
        "realTraffic": "TravelTime_387 TravelTime_451 occupancy_6005 occupancy_t4013 speed_6005 speed_7578 speed_t4013",
        "realTweets": " ".join(f"Twitter_volume_{who}" for who in "AAPL AMZN CRM CVS FB GOOG IBM KO PFE UPS".split()),
    }.items()
    for name in names.split()
))
"""NAB v1.1's, sorted by folder and name."""
