"""Score any detector on NAB's corpus, from its scores as CSV files.

python -m seqjax.nab --scores=FOLDER --data_dir=DIR
python -m seqjax.nab --scores=FOLDER --data_dir=DIR --only=realKnownCause --output=table.csv

FOLDER has a CSV for each of NAB's, under the same folder and name, or with a name in front as NAB writes them
(`realTweets/numenta_Twitter_volume_AAPL.csv`), packed by gzip or not, with the same rows: `timestamp`, and the score of
each row (--column), the larger the more of an anomaly. DIR/nab is NAB itself, its folders `labels` and `data`.

Printed are the scores of NAB's three profiles: at the threshold that is best on these very files, as NAB chooses it,
which is optimistic; and with each file's threshold chosen on the other files. Beside them are those of a random
detector, and VUS-PR (labels softened by up to 100 rows; the mean over files). Nothing is point-adjusted: to count an
anomaly as found as a whole once any of its rows is makes random scores look good.
"""

import csv
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from seqjax import folders
from seqjax.command_line import run_tool
from seqjax.data.series import detections
from seqjax.data.series import nab as corpus
from seqjax.errors import UserError
from seqjax.files import write_atomically
from seqjax.scoring import nab

FLAGS = flags.FlagValues()  # our own: those of seqjax.main are others
SCORES = flags.DEFINE_string("scores", None, "The folder of a detector's CSV files.", flag_values=FLAGS)
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where NAB is.", flag_values=FLAGS)
COLUMN = flags.DEFINE_string("column", "anomaly_score", "That of the scores.", flag_values=FLAGS)
ONLY = flags.DEFINE_list("only", [], "Folders or files of NAB; by default all.", flag_values=FLAGS)
OUTPUT = flags.DEFINE_string("output", None, "A CSV to write, a file a row.", flag_values=FLAGS)


def main(arguments: Sequence[str]) -> None:
    """Print the scores.

    Raises:
      UserError: a wrong flag, or a file that is missing, malformed or of other rows.
    """
    if arguments:
        raise UserError(f"{arguments[0]!r} is not a flag; give --scores=FOLDER")
    if SCORES.value is None:
        raise UserError("--scores=FOLDER is missing")
    folder = Path(SCORES.value)
    if not folder.is_dir():
        raise UserError(f"--scores={folder} is no folder")
    recordings = _asked(corpus.read(folders.data_dir(DATA_DIR.value)))
    found = [_detection(folder, one, COLUMN.value or "") for one in recordings]
    print("\n".join(lines(found)))
    if OUTPUT.value:
        write_atomically(Path(OUTPUT.value), _table(found))


def _asked(recordings: list[corpus.Recording]) -> list[corpus.Recording]:
    """Those of --only. Raises UserError: it names none."""
    for name in ONLY.value:
        if not any(_is_of(one.name, name) for one in recordings):
            choices = sorted({one.name.partition("/")[0] for one in recordings})
            raise UserError(f"--only={name}: NAB has no such folder or file; its folders: {', '.join(choices)}")
    return [one for one in recordings if not ONLY.value or any(_is_of(one.name, name) for name in ONLY.value)]


def _is_of(file: str, name: str) -> bool:
    return file in (name, f"{name}.csv") or file.startswith(name.rstrip("/") + "/")


def _detection(folder: Path, one: corpus.Recording, column: str) -> detections.Detection:
    """A file as the detector has seen it. Raises UserError: there is none, or of other rows."""
    place = folder / one.name
    near = sorted(place.parent.glob(f"*_{place.name}")) + sorted(place.parent.glob(f"*_{place.name}.gz"))
    whole = place.is_file() or place.with_name(place.name + ".gz").is_file()
    if not whole and len(near) > 1:
        raise UserError(f"{place.parent} has several detectors' files: {', '.join(path.name for path in near[:3])}")
    path = place if whole or not near else near[0]
    times, scores = corpus.read_csv(path, column)
    if len(times) != len(one.times) or (times != one.times).any():
        row = "the number of rows" if len(times) != len(one.times) else f"row {int(np.argmax(times != one.times)) + 2}"
        counts = f"{len(times):,} rows instead of {len(one.times):,}"
        raise UserError(f"{path}: {row} is not that of NAB's {one.name}: {counts}")
    nab.Scored(scores, one.windows, str(path))  # refuses scores that are no numbers
    series = corpus.watched(one)
    return detections.Detection(series, series.values, scores, scores >= scores.max(), 0.0)


def lines(found: Sequence[detections.Detection]) -> list[str]:
    """What is printed."""
    files = _files(found)
    chance = np.random.default_rng(0)
    drawn = [dataclasses.replace(one, scores=chance.random(len(one.scores))) for one in found]
    said = [f"{len(files)} files, {nab.count(files)} windows"]
    said.append(f"{'profile':20} {'score':>8} {'left out':>9} {'threshold':>12} {'random':>8}")
    for name, profile in nab.PROFILES.items():
        own, by_chance = nab.judge(files, profile), nab.judge(_files(drawn), profile)
        out = nab.left_out(files, profile)
        said.append(f"{name:20} {own.score:8.2f} {out:9.2f} {own.threshold:12.6g} {by_chance.score:8.2f}")
    volumes = (detections.vus_pr(found), detections.vus_pr(drawn))
    said.append(f"{'VUS-PR':20} {volumes[0]:8.4f} {'':9} {'':12} {volumes[1]:8.4f}")
    said.append("score: at the threshold that is best on these files; left out: each file at that of the others")
    return said


def _files(found: Sequence[detections.Detection]) -> list[nab.Scored]:
    return [nab.Scored(one.scores, detections.windows_of(one.series), one.series.name) for one in found]


def _table(found: Sequence[detections.Detection]) -> str:
    """A file a row: windows, raw score of the standard profile at the common threshold, VUS-PR."""
    files, profile = _files(found), nab.PROFILES["standard"]
    threshold = nab.judge(files, profile).threshold
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "windows", "raw", "vus_pr"])
    for one, scored in zip(found, files, strict=True):
        volume: Any = f"{detections.vus_pr([one]):.6f}" if one.labels.any() else ""
        raw = nab.judge([scored], profile, threshold).raw
        writer.writerow([scored.name, len(scored.windows), f"{raw:.6f}", volume])
    return text.getvalue()


def run() -> None:
    """Entry point."""
    run_tool(main, FLAGS, __doc__)


if __name__ == "__main__":
    run()
