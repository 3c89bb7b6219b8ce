r"""Weka's `.arff` files of series: numbers and a class a line, or (relational) dimensions in quotes, `\n` between them.

    @attribute att0 numeric                 @attribute relationalAtt relational
    ...                                     ...
    @attribute target {1,2}                 @attribute class {walking,running}
    @data                                   @data
    0.1,0.2,?,1                             '0.1,0.2\n1.1,1.2',walking

Legend: T steps, D dimensions.
"""

import re

import numpy as np

from seqjax.data.series.ragged import Ragged, joined, numbers
from seqjax.errors import UserError

ATTRIBUTE = re.compile(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+)\s+(.*)", re.IGNORECASE)
INSTANCE = re.compile(r"\s*(['\"])(.*)\1\s*,\s*(.*)")
"""A relational one: quoted dimensions, a comma, the class."""


def is_arff(text: str) -> bool:
    """Whether content is of this format."""
    return bool(re.match(r"(\s*(%[^\n]*)?\n)*\s*@relation\b", text.replace("\r", "\n"), re.IGNORECASE))


def parse(text: str, name: str) -> Ragged:
    """Read a file; missing values at the end of a series mean that it is shorter.

    Args:
      text: of the file.
      name: what messages call it.

    Raises:
      UserError: with the row: malformed, sparse, or without exactly one attribute of classes.
    """
    kinds: list[str] = []
    relational = False
    values, labels, rows = [], [], []
    started = False
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        line, place = line.strip(), f"{name}: row {number}"
        if not line or line.startswith("%"):
            continue
        if not started:
            started = line.lower().startswith("@data")
            found = ATTRIBUTE.match(line)
            if found and found[2].lower().startswith("relational"):
                relational = True
            elif found:
                kinds.append(found[2].strip())
            continue
        if line.startswith("{"):
            raise UserError(f"{place}: a sparse instance, {line[:40]!r}, is no series")
        own, label = _relational(line, place) if relational else _plain(line, _class_place(kinds, name), kinds, place)
        if values and own.shape[1] != values[0].shape[1]:
            raise UserError(f"{place}: {own.shape[1]} dimensions, but the first series has {values[0].shape[1]}")
        values.append(own)
        labels.append(label.strip().strip("\"'"))
        rows.append(number)
    if not values:
        raise UserError(f"{name}: too few rows: nothing stands behind @data")
    return Ragged(values, labels, ("",) * values[0].shape[1], rows).trimmed()


def _class_place(kinds: list[str], name: str) -> int:
    places = [k for k, kind in enumerate(kinds) if kind.startswith("{")]
    if len(places) != 1:
        raise UserError(f"{name}: {len(places)} attributes are classes, such as {{1,2}}: one is expected")
    return places[0]


def _plain(line: str, place_of_class: int, kinds: list[str], place: str) -> tuple[np.ndarray, str]:
    cells = line.split(",")
    if len(cells) != len(kinds):
        raise UserError(f"{place}: {len(cells)} values, but there are {len(kinds)} attributes")
    label = cells.pop(place_of_class)
    return numbers(cells, place)[:, None], label


def _relational(line: str, place: str) -> tuple[np.ndarray, str]:
    found = INSTANCE.fullmatch(line)
    if found is None:
        raise UserError(f"{place}: {line[:40]!r} is no quoted series, a comma and a class")
    channels = found[2].split("\\n")
    read = [numbers(own.split(","), f"{place}, dimension {number}") for number, own in enumerate(channels, 1)]
    return joined(read, place), found[3]
