"""ATIS (Hemphill et al. 1990), in the cut of the papers on recurrent networks, found or downloaded.

A line is `BOS word ... EOS`, a tab, a tag for each word before EOS, and in the place of EOS's the intent.
"""

import gzip
import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from absl import logging

from seqjax.data.download import download
from seqjax.errors import UserError

ADDRESS = "https://raw.githubusercontent.com/yvchen/JointSLU/master/data/"
NAME = "atis.{part}.w-intent.iob"
PUBLISHED = {"train": 4978, "test": 893}
TAG = re.compile(r"O|[BI]-\S+")


class Request(NamedTuple):
    """A sentence as a list of words, and a tag for each."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


def load(data_dir: Path) -> dict[str, list[Request]]:
    """The requests for `train` and `test`, in the order of the files.

    The files are looked for in `data_dir` and `data_dir/atis`, plain or as .gz, and otherwise downloaded to the latter.

    Raises:
      UserError: a damaged file, or there is none and no network.
    """
    found = {}
    for part, published in PUBLISHED.items():
        path = find(data_dir, part) or _download(data_dir, part)
        found[part] = read(path)
        if len(found[part]) != published:
            logging.warning("%s: published are %s requests, but here are %s", path, published, len(found[part]))
    return found


def find(data_dir: Path, part: str) -> Path | None:
    """The file of a part, if it is there."""
    name = NAME.format(part=part)
    places = [folder / f"{name}{end}" for folder in (data_dir, data_dir / "atis") for end in ("", ".gz")]
    return next((path for path in places if path.is_file()), None)


def read(path: Path) -> list[Request]:
    """The requests of a file. Raises UserError: it is damaged, or a line is of another form, by its number."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as stream:
            lines = stream.read().split("\n")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"{path} is damaged ({error}): give a whole copy, or another --data_dir") from error
    try:
        return parse(lines)
    except ValueError as error:
        raise UserError(f"{path}, {error}") from error


def parse(lines: Iterable[str]) -> list[Request]:
    """Requests, one a line; empty lines are none. Raises ValueError: a line of another form, or no request at all."""
    found = []
    for number, line in enumerate(lines, 1):
        text, tab, rest = line.partition("\t")
        words, tags = text.split(), rest.split()
        if not words and not tab:
            continue
        if len(words) < 2 or (words[0], words[-1]) != ("BOS", "EOS"):
            raise ValueError(f"line {number}: not of the form BOS word ... EOS, a tab, tags and an intent")
        if len(words) != len(tags):
            raise ValueError(f"line {number}: {len(words) - 1} words with BOS, but {max(len(tags) - 1, 0)} tags")
        wrong = [tag for tag in tags[:-1] if not TAG.fullmatch(tag)]
        if wrong:
            raise ValueError(f"line {number}: the tag {wrong[0]!r} is none of O, B-NAME and I-NAME")
        found.append(Request(tuple(words[1:-1]), tuple(tags[1:-1])))
    if not found:
        raise ValueError("no request in it")
    return found


def _download(data_dir: Path, part: str) -> Path:
    name = NAME.format(part=part)
    return download(ADDRESS + name, data_dir / "atis" / name, check=_check)


def _check(path: Path) -> None:
    """Raise ValueError: what arrived is not a file of ours."""
    parse(path.read_text(encoding="utf-8").split("\n"))
