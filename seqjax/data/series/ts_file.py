"""The `.ts` files of sktime and aeon: a header of tags, then a series a line, its dimensions and label between colons.

    # a comment
    @problemName Name
    @timeStamps false
    @univariate false
    @dimensions 2
    @equalLength false
    @classLabel true left right
    @data
    1.0,2.5,?:0.1,0.2,0.3:left

What the header says is held against what is there; what it does not say is not assumed. Tags are read in any case of
letters, labels as one of those that the header lists. Time stamps, `(time,value)`, are read over and not used.

Legend: N series, T steps, D dimensions.
"""

import re
from collections.abc import Sequence

import numpy as np

from seqjax.data.series.ragged import Ragged, joined, numbers
from seqjax.errors import UserError

COMMENTS = ("#", "%")
SWITCHES = {"true": True, "false": False}
STAMPED = re.compile(r"\(([^()]*),([^(),]*)\)")
"""A time, which may have commas and colons itself, and a value."""


def is_ts(text: str) -> bool:
    """Whether content is of this format, by its first tag."""
    first = next((line.split()[0].lower() for line in text.splitlines() if _said(line)), "")
    return first.startswith("@") and first not in ("@relation", "@attribute")


def _said(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith(COMMENTS)


def parse(text: str, name: str) -> Ragged:
    """Read a file.

    Args:
      text: of the file.
      name: what messages call it.

    Raises:
      UserError: with the row: malformed, other than the header says, or of a regression.
    """
    lines = [(number, line.strip()) for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1) if _said(line)]
    start = next((k for k, (_, line) in enumerate(lines) if line.lower().startswith("@data")), None)
    if start is None:
        raise UserError(f"{name}: there is no line @data")
    header = _Header(name)
    for number, line in lines[:start]:
        header.read(line, f"{name}: row {number}")
    values, labels, rows = [], [], []
    for number, line in lines[start + 1 :]:
        place = f"{name}: row {number}"
        channels, label = _split(line, header, place)
        found = joined(channels, place)
        header.check(found, len(values[0][0]) if values else found.shape[1], place)
        values.append(found)
        labels.append(label)
        rows.append(number)
    if not values:
        raise UserError(f"{name}: too few rows: nothing stands behind @data")
    return Ragged(
        values=values,
        labels=labels if header.labelled else None,
        dimensions=("",) * values[0].shape[1],
        rows=rows,
        notes=("time stamps are not used",) if header.tags.get("timestamps") else (),
    )


def _split(line: str, header: "_Header", place: str) -> tuple[list[np.ndarray], str]:
    """-> (the values of each dimension, the label)."""
    if header.tags.get("timestamps"):
        parts = [part.strip() for part in re.split(r"\)\s*:", line)]
        cells = [[found[2] for found in STAMPED.finditer(f"{part.rstrip(')')})")] for part in parts]
    else:
        parts = [part.strip() for part in line.split(":")]
        cells = [part.split(",") for part in parts]
    label = header.label(parts.pop(), place) if header.labelled else ""
    if not parts:
        raise UserError(f"{place}: there is no colon between the values and the label: {line[-40:]!r}")
    channels = []
    for number, own in enumerate(cells[: len(parts)], 1):
        if not any(cell.strip() for cell in own):
            raise UserError(f"{place}: dimension {number} is empty")
        channels.append(numbers(own, f"{place}, dimension {number}"))
    return channels, label


class _Header:
    """The tags before @data."""

    def __init__(self, name: str):
        self.name, self.tags, self.classes, self.steps = name, {}, [], 0

    def read(self, line: str, place: str) -> None:
        """Take a line."""
        tag, *words = line.split()
        key = tag[1:].lower()
        if not tag.startswith("@"):
            raise UserError(f"{place}: {line[:40]!r} stands before @data and is no tag and no comment (#)")
        if key in ("timestamps", "missing", "univariate", "equallength", "classlabel", "targetlabel"):
            self.tags[key] = self._switch(tag, words, place)
            if key == "classlabel":
                self.classes = words[1:]
        elif key in ("dimensions", "dimension", "serieslength"):
            if len(words) != 1 or not words[0].isdecimal():
                raise UserError(f"{place}: {tag} takes a whole number, not {' '.join(words)[:40]!r}")
            self.tags[key.removesuffix("s") if key.startswith("dim") else key] = int(words[0])
        if self.tags.get("targetlabel"):
            raise UserError(f"{place}: {tag} true: its labels are numbers to be regressed, not classes")

    @staticmethod
    def _switch(tag: str, words: Sequence[str], place: str) -> bool:
        said = words[0].lower() if words else ""
        if said not in SWITCHES:
            raise UserError(f"{place}: {tag} takes true or false, not {said[:40]!r}")
        return SWITCHES[said]

    @property
    def labelled(self) -> bool:
        """Whether lines end with a label; so unless it is denied."""
        return self.tags.get("classlabel", True)

    def label(self, text: str, place: str) -> str:
        """A label as the header writes it."""
        if not text:
            raise UserError(f"{place}: the label is missing")
        if text in self.classes or not self.classes:
            return text
        alike = [own for own in self.classes if own.casefold() == text.casefold()]
        if len(alike) == 1:
            return alike[0]
        if text == "?":
            return text  # what is to be predicted
        raise UserError(f"{place}: {text[:40]!r} is none of the header's labels: {', '.join(self.classes)[:200]}")

    def check(self, values: np.ndarray, dimensions: int, place: str) -> None:
        """Raise UserError: a series [T, D] that is not what the header says, or has not the first one's dimensions."""
        steps, found = values.shape
        if self.tags.get("univariate") and found > 1:
            raise UserError(f"{place}: {found} dimensions, but the header says @univariate true")
        if found != self.tags.get("dimension", found):
            raise UserError(f"{place}: {found} dimensions, but the header says @dimensions {self.tags['dimension']}")
        if found != dimensions:
            raise UserError(f"{place}: {found} dimensions, but the first series has {dimensions}")
        if self.tags.get("equallength"):
            self.steps = self.steps or steps
            length = self.tags.get("serieslength", self.steps)
            if steps != length:
                said = f"@seriesLength {length}" if "serieslength" in self.tags else "@equalLength true"
                raise UserError(f"{place}: {steps} steps, the first series has {self.steps}, the header says {said}")
