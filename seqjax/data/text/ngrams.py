"""What a text costs without a network: a Kneser-Ney model of its n-grams, and a compressor.

Legend: N symbols of a text, V different ones, n the order, u a context of n - 1 symbols, w the symbol after it.

Interpolated Kneser-Ney (Kneser and Ney 1995; Chen and Goodman 1999, section 2.7), one discount for each order:

    P_n(w | u) = max(c(u w) - D, 0) / c(u) + D t(u) / c(u) P_{n-1}(w | u without its first symbol)

c counts occurrences in the highest order and different symbols before in the others; t(u) is how many different w
follow u; D = n1 / (n1 + 2 n2), n1 and n2 the n-grams counted once and twice (1/2 where n1 = 0); P_0 = 1 / V. Where u
was never seen, P_n = P_{n-1}.
"""

import lzma
import math
from typing import NamedTuple

import numpy as np

ORDER = 5
NO_SINGLES = 0.5
"""D where nothing was counted once."""


class _Counts(NamedTuple):
    """Of one order: what was counted, found by binary search."""

    grams: np.ndarray
    """[G] int64, ascending: number of the context times V plus the symbol."""
    counts: np.ndarray
    """[G]."""
    totals: np.ndarray
    """By number of the context: c(u)."""
    kinds: np.ndarray
    """By number of the context: t(u)."""
    discount: float

    def interpolated(self, contexts: np.ndarray, text: np.ndarray, symbols: int, lower: np.ndarray) -> np.ndarray:
        """P_n of each symbol of a text [M], given the numbers of its contexts and P_{n-1}."""
        grams = contexts * symbols + text
        at = np.minimum(np.searchsorted(self.grams, grams), len(self.grams) - 1)
        counts = np.where(self.grams[at] == grams, self.counts[at], 0)
        known = contexts < len(self.totals)
        totals, kinds = (np.where(known, c[np.where(known, contexts, 0)], 0) for c in (self.totals, self.kinds))
        share = np.maximum(counts - self.discount, 0) + self.discount * kinds * lower
        return np.where(totals > 0, share / np.maximum(totals, 1), lower)


def kneser_ney(train: np.ndarray, text: np.ndarray, symbols: int, order: int = ORDER) -> float:
    """Nats a symbol of `text`, of a model of the n-grams of `train`.

    Args:
      train: [N] ids in 0..V-1, at least one.
      text: [M] ids; its first symbols are seen after the last ones of `train`.
      symbols: V.
      order: n, 1 or more.

    Returns:
      the mean of -ln P; 0 of no text.
    """
    if not len(text):
        return 0.0
    whole = np.concatenate([train, text]).astype(np.int64)
    likelihood = np.full(len(text), 1 / symbols)
    contexts = np.zeros(len(whole), np.int64)  # a number for the n - 1 symbols before each place, from place n - 1 on
    for n in range(1, min(order, len(train)) + 1):
        if n > 1:
            before = np.roll(whole, n - 1)
            contexts = np.unique(contexts * symbols + before, return_inverse=True)[1]
        known = _counted(whole[: len(train)], contexts[: len(train)], n, symbols, n < order)
        likelihood = known.interpolated(contexts[len(train) :], whole[len(train) :], symbols, likelihood)
    return float(-np.mean(np.log(likelihood)))


def xz(train: bytes, text: bytes) -> float:
    """Nats that `text` costs after `train`: by how much the file that xz makes of both is longer than that of one."""
    size = lambda content: len(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
    return max(size(train + text) - size(train), 0) * 8 * math.log(2)


def _counted(train: np.ndarray, contexts: np.ndarray, n: int, symbols: int, continued: bool) -> _Counts:
    """Occurrences of each n-gram; continued: in how many different ones of n + 1."""
    places = np.arange(n - 1, len(train))
    grams = contexts[places] * symbols + train[places]
    if continued and len(train) > n:
        grams = np.unique(grams[1:] * symbols + train[places[1:] - n]) // symbols
    found, counts = np.unique(grams, return_counts=True)
    totals = np.bincount(found // symbols, counts)
    kinds = np.bincount(found // symbols)
    once, twice = np.sum(counts == 1), np.sum(counts == 2)
    return _Counts(found, counts, totals, kinds, once / (once + 2 * twice) if once else NO_SINGLES)
