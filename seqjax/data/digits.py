"""Images of digits: scikit-learn's, or generated ones.

scikit-learn's are 1,797 of 8 x 8 pixels, the test part of UCI's optdigits (Alpaydin and Kaynak 1998), and come with it.
Test images are of the same writers as those for training.

Legend: N images.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from seqjax.data import sample_digits
from seqjax.errors import UserError

BLACK = 16.0
"""A pixel is between 0 and this."""


class Digits(NamedTuple):
    """Images and what they show."""

    images: np.ndarray
    """[N, 64] float32, row by row, 0 to BLACK."""
    digits: np.ndarray
    """[N] int32."""
    name: str
    certainty: np.ndarray | None = None
    """[N], of generated ones: as `sample_digits.Generated`."""


def load(data: str) -> Digits:
    """The `real` or the `sample` ones. Raises UserError: another word."""
    if data == "sample":
        made = sample_digits.digits()
        return Digits(made.images, made.digits, "generated digits", made.certainty)
    if data != "real":
        raise UserError(f"data={data!r}: choose 'real' or 'sample'")
    from sklearn.datasets import load_digits

    found: Any = load_digits()
    return Digits(found.data.astype(np.float32), found.target.astype(np.int32), "scikit-learn's digits")


def parts(digits: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Of [N] digits the ids of each part: a fifth of each digit is for testing, another for validation."""
    rng = np.random.default_rng(seed)
    found = {"train": [], "validation": [], "test": []}
    for digit in range(10):
        ids = rng.permutation(np.flatnonzero(digits == digit)).astype(np.int32)
        fifth = len(ids) // 5
        for part, some in zip(found, np.split(ids, [len(ids) - 2 * fifth, len(ids) - fifth]), strict=True):
            found[part].append(some)
    return {part: np.sort(np.concatenate(some)) for part, some in found.items()}


def sizes(parts: Mapping[str, np.ndarray]) -> str:
    """`1,079 train, 359 validation, 359 test`."""
    return ", ".join(f"{len(ids):,} {part}" for part, ids in parts.items())


def largest_class(digits: np.ndarray, parts: Mapping[str, np.ndarray], metric: str) -> dict[str, dict[str, float]]:
    """The baseline: how often the digit that is most frequent in training is right.

    Args:
      digits: [examples], by id.
      parts: ids of each.
      metric: what the share is called.
    """
    largest = np.bincount(digits[parts["train"]]).argmax()
    return {part: {metric: float((digits[parts[part]] == largest).mean())} for part in ("validation", "test")}
