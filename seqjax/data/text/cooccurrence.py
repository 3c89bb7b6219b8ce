"""How often words stand near each other in the training reviews, for `seqjax.models.glove`.

Legend: B batch, V ids, P unordered pairs of words that ever stand near each other.
"""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from seqjax.data.dataset import Arrays, Dataset, Requests
from seqjax.data.text import rows
from seqjax.data.text.imdb import Reviews
from seqjax.errors import UserError

HELD_OUT = 100  # one pair in so many is for validation, and one for the test


@dataclasses.dataclass(frozen=True)
class Cooccurrences:
    """A `Source`: an example is a pair of words and its count (input); there are no targets (zeros).

    The pairs are those of the training reviews; a hundredth of them each is held out as validation and test part.
    """

    reviews: Reviews
    """Of encoding `int`; its `length` cuts them."""
    window: int = 10
    """Words to each side. Words outside the vocabulary are dropped, and what is left closes up."""

    def load(self, data: str, data_dir: Path) -> Dataset:
        """See `Source.load`."""
        if self.window < 1:
            raise UserError(f"window={self.window}: must be 1 or more")
        dataset = self.reviews.load(data, data_dir)
        ids, lengths = rows.flat(dataset.arrays, "tokens")
        trained = np.zeros(len(lengths), bool)
        trained[dataset.parts["train"]] = True
        text = np.repeat(np.arange(len(lengths)), lengths)
        kept = trained[text]
        words, counts = count_stream(ids[kept], text[kept], self.reviews.vocabulary_size, self.window)
        if len(counts) < 2 * HELD_OUT:
            raise UserError(f"only {len(counts)} pairs of words in the training reviews")
        order = np.random.default_rng(0).permutation(len(counts)).astype(np.int32)
        held = len(counts) // HELD_OUT
        parts = {"validation": order[:held], "test": order[held : 2 * held], "train": order[2 * held :]}
        return Dataset(
            arrays={"pairs": words, "counts": counts},
            gather=_gather,
            parts={part: np.sort(ids) for part, ids in parts.items()},
            description=f"{dataset.description}; {len(counts):,} pairs of words within {self.window} words",
            fingerprint=hashlib.sha256(f"{dataset.fingerprint} {self}".encode()).hexdigest(),
            assets=dataset.assets,
        )

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """There are none: the vectors are what is wanted.

        Raises:
          UserError: always.
        """
        raise UserError(f"glove predicts nothing for {name}; see python -m seqjax.analogies --help")


def count(texts: np.ndarray, vocabulary_size: int, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums of 1 / distance over all the places where two words stand within `window` words, in either order.

    That of a word and itself counts twice, as in the original program, which counts every pair in both orders.

    Args:
      texts: [N, L] ids; 0 and 1 are no words.
      vocabulary_size: V; at most 2^29.
      window: 31 at most.

    Returns:
      [P, 2] ids, uint16 where they fit, the smaller first; [P] float32.
    """
    return count_stream(texts.ravel(), np.repeat(np.arange(len(texts)), texts.shape[1]), vocabulary_size, window)


def count_stream(ids: np.ndarray, text: np.ndarray, vocabulary_size: int, window: int) -> tuple[np.ndarray, np.ndarray]:
    """As `count`, of ids one text behind the other [T], and of which text each is [T]."""
    if window > 31:
        raise UserError(f"window={window}: must be 31 or less")
    real = ids > 1
    stream, text = ids[real].astype(np.uint64), text[real]
    size = np.uint64(vocabulary_size)
    keys = []  # of a pair and a distance: sorted all at once, equal ones stand together
    for distance in range(1, window + 1):
        together = text[:-distance] == text[distance:]
        first, second = stream[:-distance][together], stream[distance:][together]
        pair = np.minimum(first, second) * size + np.maximum(first, second)
        keys.append(pair << np.uint64(5) | np.uint64(distance))
    ordered = np.sort(np.concatenate(keys))
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
    times = np.diff(starts, append=len(ordered))
    weights = times / (ordered[starts] & np.uint64(31)).astype(np.float64)
    pairs = ordered[starts] >> np.uint64(5)
    firsts = np.flatnonzero(np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)])
    sums = np.add.reduceat(weights, firsts) if len(firsts) else weights
    words = np.stack(np.divmod(pairs[firsts], size), axis=1).astype(np.uint16 if size <= 1 << 16 else np.int32)
    return words, (sums * np.where(words[:, 0] == words[:, 1], 2, 1)).astype(np.float32)


def _gather(arrays: Arrays, ids: Any) -> tuple[Any, Any]:
    """ids [B] -> (pairs [B, 2] int32, counts [B]), zeros [B]."""
    counts = arrays["counts"][ids]
    return (arrays["pairs"][ids].astype("int32"), counts), counts * 0
