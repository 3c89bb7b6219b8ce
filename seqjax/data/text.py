"""Text to numbers in four steps: standardise, tokenise, index, encode. Needs NumPy only.

    corpus = Corpus.of(texts, Tokenizer())
    vocabulary = Vocabulary.fit(corpus, 20_000)
    tokens = encode_int(corpus, vocabulary, 600)  # [N, 600]

Every step gives what `keras.layers.TextVectorization` gives, ties and oddities included. Keras works on the
UTF-8 bytes of a text, and so do we, which is also the fastest way in Python:

* lower case is that of ASCII alone: É stays É. `fold_accents` makes it an e.
* punctuation is the 32 marks of ASCII: “ ” and … stay.
* words end at the six ASCII spaces: a no-break space or an ideographic one stays inside its word.

Legend: N texts, T tokens of all the texts together, L length, K distinct columns of the richest text.
"""

import array
import dataclasses
import functools
import itertools
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from seqjax.errors import UserError

PUNCTUATION = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
LOWER = bytes(range(256)).lower()
UNKNOWN = "[UNK]"


@dataclasses.dataclass(frozen=True)
class Tokenizer:
    """Standardise a text and split it into tokens, which are UTF-8 bytes.

    The defaults are Keras's `standardize="lower_and_strip_punctuation", split="whitespace", ngrams=None`.

    Raises:
      UserError: an unknown `split`, or `ngrams` below 1.
    """

    lower: bool = True
    """A-Z become a-z."""
    strip_punctuation: bool = True
    """The marks of ASCII vanish, leaving no space: `don't` becomes `dont`, and `<br />` the token `br`."""
    fold_accents: bool = False
    """é becomes e: compatibility decomposition (NFKD) without the combining marks. Keras cannot do this."""
    split: str = "words"
    """`words`, or `characters`: one token for each code point, spaces included."""
    ngrams: int = 1
    """Beside the tokens themselves, runs of 2 to `ngrams` of them, joined by a space."""

    def __post_init__(self):
        if self.split not in ("words", "characters"):
            raise UserError(f"split={self.split!r}: choose 'words' or 'characters'")
        if self.ngrams < 1:
            raise UserError(f"ngrams={self.ngrams}: must be 1 or more")

    def standardise(self, text: str) -> bytes:
        """The text in UTF-8 after the switches; a lone surrogate, which UTF-8 cannot hold, counts as `?`."""
        if self.fold_accents and not text.isascii():
            decomposed = unicodedata.normalize("NFKD", text)
            text = "".join(mark for mark in decomposed if not unicodedata.combining(mark))
        encoded = text.encode("utf-8", "replace")
        deleted = PUNCTUATION if self.strip_punctuation else b""
        return encoded.translate(LOWER if self.lower else None, deleted)

    def __call__(self, text: str) -> list[bytes]:
        """The tokens of a text: first all single ones, then all pairs, and so on, as `tf.strings.ngrams`."""
        standard = self.standardise(text)
        if self.split == "characters":
            singles = [character.encode() for character in standard.decode()]
        else:
            singles = standard.split()
        tokens = list(singles)
        for width in range(2, self.ngrams + 1):
            tokens += map(b" ".join, zip(*(singles[start:] for start in range(width)), strict=False))
        return tokens


@dataclasses.dataclass(frozen=True, eq=False)
class Corpus:
    """Texts as token numbers. Tokenising and hashing cost the most: they happen once, for fit and encode."""

    tokens: list[bytes]
    """The distinct tokens in order of their first appearance."""
    ids: np.ndarray
    """[T] int32: for each token of the texts, one after the other, its place in `tokens`."""
    lengths: np.ndarray
    """[N] int64: tokens in each text."""

    @classmethod
    def of(cls, texts: Iterable[str], tokenizer: Tokenizer) -> "Corpus":
        """Tokenise and number the texts."""
        number = defaultdict(itertools.count().__next__)  # a new token gets the next number
        ids, lengths = array.array("i"), []
        for text in texts:
            tokens = tokenizer(text)
            lengths.append(len(tokens))
            ids.extend(map(number.__getitem__, tokens))
        return cls(list(number), np.frombuffer(ids, np.int32), np.asarray(lengths, np.int64))


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
