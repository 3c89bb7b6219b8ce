"""Labelled texts in three parts: as they are named, or drawn by seed so that no text stands on two sides.

Legend: N texts.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from seqjax.errors import UserError

PARTS = ("train", "validation", "test")
NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""What a part is called in people's files."""
FIFTH = 5
"""Unless said otherwise, one in five of each class is drawn for test, and one in five of the rest for validation."""


def key(text: str) -> str:
    """What near-duplicates share: the letters, in lower case; a text without letters is its own key."""
    return re.sub(r"[\W\d_]+", "", text.lower()) or text


def named(names: Sequence[str], lines: Sequence[int], file: str) -> list[str]:
    """The parts by the names in a file's column, [N]. Raises UserError: an unknown name; nothing to train on."""
    found = [NAMES.get(name.lower(), "") for name in names]
    if "" in found:
        row = found.index("")
        raise UserError(
            f"{file}: row {lines[row]}: {names[row][:40]!r} is no part; choose {', '.join(PARTS)} (or valid, dev)"
        )
    for part in ("train", "test"):
        if part not in found:
            raise UserError(f"{file}: no row is for {part}")
    return found


def drawn(
    ids: np.ndarray, classes: np.ndarray, texts: np.ndarray, rng: np.random.Generator, share: int = FIFTH
) -> np.ndarray:
    """One in `share` of the texts of each class, near-duplicates all or none.

    Args:
      ids: [N], from which to draw.
      classes: by id.
      texts: by id, the number of its `key`.

    Returns:
      those drawn, ascending; at least one of a class that has three different texts, none of one that has fewer.
    """
    taken = []
    for own in (ids[classes[ids] == label] for label in np.unique(classes[ids])):
        first = own[np.sort(np.unique(texts[own], return_index=True)[1])]  # one of each near-duplicate
        count = max(len(first) // share, int(len(first) >= 3))
        taken.append(texts[rng.permutation(first)[:count]])
    return np.sort(ids[np.isin(texts[ids], np.concatenate(taken))]).astype(np.int32)


def parts(
    given: Sequence[str] | None, classes: np.ndarray, texts: Sequence[str], seed: int, file: str, share: int = FIFTH
) -> dict[str, np.ndarray]:
    """`Dataset.parts` of N texts.

    Args:
      given: the part of each, [N]; None: all are drawn. Where none is for validation, that is drawn from the training
        part.
      classes: [N].
      texts: N of them.
      seed: of what is drawn.
      file: what messages call them.
      share: of each class one in so many is drawn.

    Raises:
      UserError: a part is empty.
    """
    rng = np.random.default_rng(seed)
    numbers: dict[str, int] = {}
    alike = np.array([numbers.setdefault(key(text), len(numbers)) for text in texts])
    known = np.array(given) if given is not None else None
    ids = np.arange(len(texts), dtype=np.int32)
    test = ids[known == "test"] if known is not None else drawn(ids, classes, alike, rng, share)
    validation = ids[known == "validation"] if known is not None else ids[:0]
    rest = np.setdiff1d(ids, np.union1d(test, validation))
    if not len(validation):
        validation = drawn(rest, classes, alike, rng, share)
    found = {"train": np.setdiff1d(rest, validation), "validation": validation, "test": test}
    empty = next((part for part in PARTS if not len(found[part])), None)
    if empty is not None:
        raise UserError(f"{file}: too few rows: none for {empty}; a class of which a fifth is drawn needs three texts")
    return found


def crossing(parts: Mapping[str, np.ndarray], texts: Sequence[str]) -> int:
    """How many texts of the test part stand in the training or validation part too, word for word."""
    seen = {texts[k] for part in ("train", "validation") for k in parts[part]}
    return sum(texts[k] in seen for k in parts["test"])
