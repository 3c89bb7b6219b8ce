"""Reviews as blocks of running text, for `seqjax.models.word2vec`.

Legend: B batch, L tokens of a block, V ids, D inner nodes on the longest way through the tree.
"""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from seqjax.data.dataset import Arrays, Dataset, Requests
from seqjax.data.text import rows
from seqjax.data.text.huffman import tree
from seqjax.data.text.imdb import Reviews
from seqjax.errors import UserError

TABLE = 2**31 - 1  # of the cumulative noise distribution: the largest int32


@dataclasses.dataclass(frozen=True)
class Blocks:
    """A `Source`: the reviews of each part, cut into blocks of `block` tokens; there are no targets (zeros)."""

    reviews: Reviews
    """Of encoding `int`; its `length` cuts them before they are cut into blocks."""
    block: int = 64
    """L."""
    sample: float = 1e-3
    """t: words rarer than this share of all words are never dropped; 0 drops none."""
    power: float = 0.75
    """Negatives are drawn with probabilities proportional to the count to this power."""
    hierarchical: bool = False
    """With the ways through Huffman's tree, instead of the noise distribution."""

    def load(self, data: str, data_dir: Path) -> Dataset:
        """See `Source.load`."""
        for name, bad in (("block", self.block < 2), ("sample", self.sample < 0)):
            if bad:
                raise UserError(f"{name}={getattr(self, name)} is too small")
        if not 0 <= self.power <= 10:  # beyond, counts to this power are no numbers any more
            raise UserError(f"power={self.power} is not in [0, 10]")
        dataset = self.reviews.load(data, data_dir)
        size = self.reviews.vocabulary_size
        blocks, parts = self._cut(dataset)
        counts = np.bincount(blocks[parts["train"]].ravel(), minlength=size)
        counts[:2] = 0  # padding and unknown words are no words
        arrays = {"blocks": blocks, "keep": keep_probabilities(counts, self.sample)}
        if self.hierarchical:
            learned = np.flatnonzero(counts)
            nodes, codes = tree(counts[learned])
            arrays |= {"nodes": np.zeros((size, nodes.shape[1]), np.int32)}
            arrays |= {"codes": np.full((size, nodes.shape[1]), -1, np.int8)}
            arrays["nodes"][learned], arrays["codes"][learned] = nodes, codes
        else:
            arrays["noise"] = noise_table(counts, self.power)
        sizes = ", ".join(f"{len(ids):,} {part}" for part, ids in parts.items())
        identity = f"{dataset.fingerprint} {self}".encode()
        return Dataset(
            arrays=arrays,
            gather=_gather,
            parts=parts,
            description=f"{dataset.description}; blocks of {self.block}: {sizes}; {counts.sum():,} words to learn from",
            fingerprint=hashlib.sha256(identity).hexdigest(),
            assets=dataset.assets,
        )

    def _cut(self, dataset: Dataset) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Blocks that hold a word, [blocks, L], and the ids of those of each part."""
        tokens, lengths = rows.flat(dataset.arrays, "tokens")
        each = -(-lengths // self.block)  # blocks of a review: ids end where its padding begins, and have no gaps
        cut = np.zeros((int(each.sum()), self.block), tokens.dtype)
        starts = np.repeat((np.cumsum(each) - each) * self.block - (np.cumsum(lengths) - lengths), lengths)
        cut.reshape(-1)[np.arange(len(tokens)) + starts] = tokens
        review = np.repeat(np.arange(len(lengths)), each)
        parts = {}
        for part, ids in dataset.parts.items():
            chosen = np.zeros(len(lengths), bool)
            chosen[ids] = True
            parts[part] = np.flatnonzero(chosen[review]).astype(np.int32)
        return cut, parts

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """There are none: the vectors are what is wanted.

        Raises:
          UserError: always.
        """
        raise UserError(f"word2vec predicts nothing for {name}; see python -m seqjax.analogies --help")


def keep_probabilities(counts: np.ndarray, sample: float) -> np.ndarray:
    """(sqrt(f / t) + 1) t / f, at most 1, of words with share f, as the original program; 0 for what never occurs.

    Args:
      counts: [V].
      sample: t; 0 keeps all.

    Returns:
      [V] float32.
    """
    share = counts / max(1, counts.sum())
    keep = (counts > 0).astype(np.float64)
    if sample > 0:
        ratio = sample / np.maximum(share, 1e-300)
        keep *= np.minimum(1, np.sqrt(ratio) + ratio)
    return keep.astype(np.float32)


def noise_table(counts: np.ndarray, power: float) -> np.ndarray:
    """Cumulative sums of count^power, scaled to `TABLE`: [V] int32. What never occurs is never drawn."""
    weights = np.where(counts > 0, counts.astype(np.float64) ** power, 0)
    total = weights.sum()
    return np.round(np.cumsum(weights) / (total or 1) * TABLE).astype(np.int32)


def _gather(arrays: Arrays, ids: Any) -> tuple[Any, Any]:
    """ids [B] -> the blocks [B, L] int32 and the tables they all need; zeros [B]."""
    inputs = {name: arrays[name] for name in ("keep", "noise", "nodes", "codes") if name in arrays}
    tokens = arrays["blocks"][ids].astype("int32")
    return {"tokens": tokens, **inputs}, (tokens[:, 0] * 0).astype("float32")
