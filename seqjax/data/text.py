"""Text to numbers in four steps: standardise, tokenise, index, encode. Needs NumPy only.

    corpus = Corpus.of(texts, Tokenizer())
    vocabulary = Vocabulary.fit(corpus, 20_000)
    tokens = encode_int(corpus, vocabulary, 600)  # [N, 600]

Every step gives what `keras.layers.TextVectorization` gives, ties and oddities included; see `seqjax.data.tokens`
for the first two.

Legend: N texts, T tokens of all the texts together, L length, K distinct columns of the richest text.
"""

import dataclasses
import functools
from collections.abc import Iterable

import numpy as np

from seqjax.data.tokens import Corpus, Tokenizer
from seqjax.errors import UserError

__all__ = ["UNKNOWN", "Corpus", "Tokenizer", "Vocabulary", "encode_int", "encode_multi_hot"]

UNKNOWN = "[UNK]"


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The learned tokens; a token's id is its place plus the special ids before it."""

    tokens: tuple[str, ...]
    """Most frequent first; of equally frequent ones the lexicographically *last* first, as in Keras."""
    mask: bool = True
    """With one (`int` encoding) id 0 is padding and 1 an unknown token; without one 0 is an unknown token."""

    @property
    def unknown(self) -> int:
        """The id of every token outside the vocabulary."""
        return int(self.mask)

    @property
    def size(self) -> int:
        """How many ids there are, special ones included."""
        return len(self.tokens) + self.unknown + 1

    @classmethod
    def fit(
        cls, corpus: Corpus, size: int | None = None, *, mask: bool = True, texts: np.ndarray | None = None
    ) -> "Vocabulary":
        """Learn the most frequent tokens.

        Args:
          corpus: where the tokens are counted.
          size: at most so many ids, special ones included (Keras's `max_tokens`); None is no limit.
          mask: see the class.
          texts: positions in `corpus` of the texts to count; None is all.

        Raises:
          UserError: no room for a single token.
        """
        if size is not None and size < 2 + mask:
            raise UserError(f"vocabulary size {size}: must be {2 + mask} or more")
        chosen = np.full(len(corpus.lengths), texts is None)
        if texts is not None:
            chosen[texts] = True
        counts = np.bincount(corpus.ids[np.repeat(chosen, corpus.lengths)], minlength=len(corpus.tokens))
        learned = len(counts) if size is None else size - 1 - mask
        # Only tokens as frequent as the last one learned compete; two more stand in for those dropped below.
        least = max(1, np.partition(counts, -learned - 2)[-learned - 2]) if learned + 2 <= len(counts) else 1
        rivals = [(int(counts[place]), corpus.tokens[place]) for place in np.flatnonzero(counts >= least)]
        ordered = [token.decode() for _, token in sorted(rivals, reverse=True)]
        # Keras never learns the names of its special tokens.
        return cls(tuple(token for token in ordered if token not in ("", UNKNOWN))[:learned], mask)

    @functools.cached_property
    def _ids(self) -> dict[bytes, int]:
        return {token.encode(): place for place, token in enumerate(self.tokens, self.unknown + 1)}

    def lookup(self, corpus: Corpus) -> np.ndarray:
        """[T]: the corpus's tokens as ids, uint16 where they fit."""
        dtype = np.uint16 if self.size <= 1 << 16 else np.int32
        table = [self._ids.get(token, self.unknown) for token in corpus.tokens]
        return np.asarray(table, dtype)[corpus.ids]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The tokens behind ids; padding is left out, and an unknown token reads `[UNK]`.

        Raises:
          IndexError: an id outside the vocabulary.
        """
        first = self.unknown + 1
        known = [place for place in ids if not (self.mask and place == 0)]
        if known and not 0 <= min(known) <= max(known) < self.size:
            raise IndexError(f"ids must lie in [0, {self.size})")
        return [UNKNOWN if place < first else self.tokens[place - first] for place in known]

    def to_text(self) -> str:
        r"""The learned tokens, one a line; backslash and line breaks in one are written `\\`, `\n`, `\r`."""
        escape = lambda token: token.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
        return "".join(escape(token) + "\n" for token in self.tokens)

    @classmethod
    def from_text(cls, text: str, *, mask: bool = True, name: str = "vocabulary") -> "Vocabulary":
        """Undo `to_text`.

        Raises:
          UserError: an empty, repeated or unfinished line of the file called `name`.
        """
        lines = text.split("\n")  # never splitlines: a word may hold one of Unicode's other line breaks
        if lines.pop() != "":
            raise UserError(f"{name} is cut off: its last line does not end")
        tokens: dict[str, None] = {}
        for number, line in enumerate(lines, 1):
            parts = [part.replace("\\n", "\n").replace("\\r", "\r") for part in line.split("\\\\")]
            token = "\\".join(parts)
            if not token or token in tokens:
                raise UserError(f"{name}, line {number}: {token!r} is {'repeated' if token else 'no token'}")
            tokens[token] = None
        return cls(tuple(tokens), mask)


def encode_int(corpus: Corpus, vocabulary: Vocabulary, length: int) -> np.ndarray:
    """Token ids in order, cut at the end or padded there with 0.

    Args:
      corpus: N texts.
      vocabulary: one with a mask.
      length: L.

    Returns:
      [N, L] uint16, or int32 for a vocabulary above 65,536.
    """
    ids = vocabulary.lookup(corpus)
    encoded = np.zeros((len(corpus.lengths), length), ids.dtype)
    starts = np.cumsum(corpus.lengths) - corpus.lengths
    for row, start, tokens in zip(encoded, starts, np.minimum(corpus.lengths, length), strict=True):
        row[:tokens] = ids[start : start + tokens]
    return encoded


def encode_multi_hot(corpus: Corpus, vocabulary: Vocabulary, padding: int) -> np.ndarray:
    """The columns that a multi-hot row would set to 1, without the row.

    Args:
      corpus: N texts.
      vocabulary: one without a mask.
      padding: fills the rows; `vocabulary.size` or more, that is no column.

    Returns:
      [N, K] uint16 (int32 if `padding` needs it): each row ascending, distinct, padded at the end; K >= 1.
    """
    rows = np.repeat(np.arange(len(corpus.lengths), dtype=np.int64), corpus.lengths)
    cells = np.sort(rows * padding + vocabulary.lookup(corpus))
    cells = cells[np.diff(cells, prepend=-1) > 0]
    rows, columns = np.divmod(cells, padding)
    distinct = np.bincount(rows, minlength=len(corpus.lengths))
    width = max(1, distinct.max(initial=0))
    encoded = np.full((len(distinct), width), padding, np.uint16 if padding < 1 << 16 else np.int32)
    encoded[np.arange(width) < distinct[:, None]] = columns
    return encoded
