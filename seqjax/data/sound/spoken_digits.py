"""The Free Spoken Digit Dataset (Jackson et al.): 3,000 recordings of ten digits by six speakers, 8 kHz.

Files are called `{digit}_{speaker}_{take}.wav`. By its authors' split takes 0 to 4 of every speaker and digit are for
test and the others for training: the same six voices, rooms and microphones stand on both sides.
"""

import dataclasses
import re
from pathlib import Path

from seqjax.data.download import download
from seqjax.data.sound import clips, waveforms
from seqjax.data.sound.clips import Clip
from seqjax.errors import UserError

ADDRESS = (
    "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/26eb9aaf76e81b692f806f9140c2d2777410d7a1.tar.gz"
)
FILES = ("fsdd_recordings.tar.xz", "fsdd.tar.gz")
"""What the archive is called: in copies of the recordings alone, and as it is downloaded."""
RATE = 8_000
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEST_TAKES, VALIDATION_TAKES = range(5), range(5, 10)
"""The former by the official split; the latter are ours, from its training part."""
COUNT = 3_000


@dataclasses.dataclass(frozen=True)
class Take:
    """A recording and what its name says."""

    clip: Clip
    take: int


def read(data_dir: Path, rate: int) -> list[Take]:
    """All recordings, by digit, speaker and take; from `data_dir` or `data_dir/fsdd`, else downloaded to the latter.

    Raises:
      UserError: missing, damaged or not whole.
    """
    path = _archive(data_dir)
    found = []
    for name, content in sorted((clips.archived(path.read_bytes(), str(path)) or {}).items()):
        if said := re.search(r"recordings/(\d)_([a-z]+)_(\d+)\.wav$", name):
            samples = waveforms.read(content, f"{path}/{name}", rate)
            found.append(Take(Clip(samples, NAMES[int(said[1])], said[2], "", name), int(said[3])))
    if len(found) != COUNT:
        raise UserError(f"{path}: {len(found):,} recordings of digits, not {COUNT:,}: put a whole archive in its place")
    return sorted(found, key=lambda one: (NAMES.index(one.clip.label), one.clip.speaker, one.take))


def official(take: int) -> str:
    """The part of a take."""
    return "test" if take in TEST_TAKES else "validation" if take in VALIDATION_TAKES else "train"


def _archive(data_dir: Path) -> Path:
    for folder in (data_dir, data_dir / "fsdd"):
        for name in FILES:
            if (folder / name).is_file():
                return folder / name
    return download(ADDRESS, data_dir / "fsdd" / "fsdd.tar.gz", check=_check)


def _check(path: Path) -> None:
    """Raise ValueError: not an archive."""
    try:
        if clips.archived(path.read_bytes(), path.name) is None:
            raise ValueError("no tar archive")
    except UserError as error:
        raise ValueError(str(error)) from error
