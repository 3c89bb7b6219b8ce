"""Text to numbers in four steps: standardise, tokenise, index, encode. Needs NumPy only.

    corpus = Corpus.of(texts, Tokenizer())
    vocabulary = Vocabulary.fit(corpus, 20_000)
    tokens = encode_int(corpus, vocabulary, 600)  # [N, 600]

`seqjax.data.text.vectorizer` does all four for fixed options, and can be saved. A one-hot encoding is what `encode_int`
returns: the ids are the columns that hold the ones (`seqjax.layers.tokens` multiplies by them without building any).

Every step gives what `keras.layers.TextVectorization` gives, ties and oddities included; see `seqjax.data.text.tokens`
for the first two.

Legend: N texts, T tokens of all the texts together, L length, K distinct columns of the richest text.
"""

import dataclasses
import functools
from collections.abc import Iterable

import numpy as np

from seqjax.data.text.rows import padded
from seqjax.data.text.tokens import Corpus, Tokenizer
from seqjax.errors import UserError

__all__ = [
    "UNKNOWN",
    "Corpus",
    "Tokenizer",
    "Vocabulary",
    "encode_count",
    "encode_int",
    "encode_multi_hot",
    "inverse_document_frequencies",
]

UNKNOWN = "[UNK]"
BLOCK = 256  # texts: their ids stay in the processor's cache


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
          UserError: no corpus, no room for a single token, or a position that is none.
        """
        _check_corpus(corpus)
        if size is not None and (not isinstance(size, int | np.integer) or size < 2 + mask):
            raise UserError(f"vocabulary size {size}: must be an integer, {2 + mask} or more")
        ids = corpus.ids
        if texts is not None:
            ids = ids[np.repeat(chosen(texts, len(corpus.lengths)), corpus.lengths)]
        counts = np.bincount(ids, minlength=len(corpus.tokens))
        learned = len(counts) if size is None else size - 1 - mask
        # Only tokens as frequent as the last one learned compete; two more stand in for those dropped below.
        least = max(1, np.partition(counts, -learned - 2)[-learned - 2]) if learned + 2 <= len(counts) else 1
        rivals = [(int(counts[place]), corpus.tokens[place]) for place in np.flatnonzero(counts >= least)]
        ordered = [token.decode() for _, token in sorted(rivals, reverse=True)]
        # Keras never learns the names of its special tokens.
        return cls(tuple(token for token in ordered if token not in ("", UNKNOWN))[:learned], mask)

    def with_words(self, words: Iterable[str], size: int | None, tokenizer: Tokenizer) -> "Vocabulary":
        """With further words behind its own, as far as `size` (as for `fit`) has room.

        Args:
          words: most wanted first; those that the tokenizer makes something else of are left out.
          size: at most so many ids, special ones included.
          tokenizer: of the texts.
        """
        offered = list(words)
        corpus = Corpus.of(offered, tokenizer)
        single = np.flatnonzero(corpus.lengths == 1)
        firsts = (np.cumsum(corpus.lengths) - corpus.lengths)[single]
        found = [corpus.tokens[place].decode() for place in corpus.ids[firsts]]
        same = [word for place, word in zip(single, found, strict=True) if word == offered[place] != UNKNOWN]
        room = None if size is None else max(0, size - self.size)
        known = set(self.tokens)
        return Vocabulary(
            self.tokens + tuple(word for word in dict.fromkeys(same) if word not in known)[:room], self.mask
        )

    @functools.cached_property
    def _ids(self) -> dict[bytes, int]:
        return {token.encode(): place for place, token in enumerate(self.tokens, self.unknown + 1)}

    def lookup(self, corpus: Corpus) -> np.ndarray:
        """[T]: the corpus's tokens as ids, uint16 where they fit. Raises UserError: it is no corpus."""
        _check_corpus(corpus)
        dtype = np.uint16 if self.size <= 1 << 16 else np.int32
        find, unknown = self._ids.get, self.unknown
        table = np.fromiter((find(token, unknown) for token in corpus.tokens), dtype, len(corpus.tokens))
        return table[corpus.ids]

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
        """Undo `to_text`, also after an editor or Git has changed the line ends to those of Windows.

        Raises:
          UserError: an empty, repeated or unfinished line of the file called `name`.
        """
        if "\r" in text:  # of a token they are written as two characters: these are line ends, and then a mark may lead
            text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
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


def _check_corpus(corpus: Corpus) -> None:
    if not isinstance(corpus, Corpus):
        raise UserError(f"{type(corpus).__name__} given, not a Corpus: Corpus.of(texts, Tokenizer())")


def chosen(positions: np.ndarray, count: int) -> np.ndarray:
    """[count] bool: which of so many texts are at the positions. Raises UserError: there are not so many."""
    among = np.zeros(count, bool)
    try:
        among[np.asarray(positions) if np.size(positions) else []] = True
    except IndexError as error:
        raise UserError(f"positions of texts to learn from: {error}; there are {count} texts") from error
    return among


def encode_int(corpus: Corpus, vocabulary: Vocabulary, length: int) -> np.ndarray:
    """Token ids in order, cut at the end or padded there with 0.

    Args:
      corpus: N texts.
      vocabulary: one with a mask.
      length: L.

    Returns:
      [N, L] uint16, or int32 for a vocabulary above 65,536.
    """
    ids, lengths = int_rows(corpus, vocabulary, length)
    return padded(ids, lengths, length, 0)


def int_rows(corpus: Corpus, vocabulary: Vocabulary, length: int) -> tuple[np.ndarray, np.ndarray]:
    """As `encode_int`, without padding: the rows one behind the other [T], and their lengths [N]."""
    ids, lengths = vocabulary.lookup(corpus), np.minimum(corpus.lengths, length)
    if lengths.sum() == len(ids):
        return ids, lengths
    starts = np.cumsum(corpus.lengths) - corpus.lengths
    return ids[np.arange(len(ids)) - np.repeat(starts, corpus.lengths) < length], lengths


def encode_multi_hot(corpus: Corpus, vocabulary: Vocabulary, padding: int) -> np.ndarray:
    """The columns that a multi-hot row would set to 1, without the row: those of `encode_count`."""
    return encode_count(corpus, vocabulary, padding)[0]


def encode_count(corpus: Corpus, vocabulary: Vocabulary, padding: int) -> tuple[np.ndarray, np.ndarray]:
    """What a row of counts would hold beside zeros, without the row.

    Args:
      corpus: N texts.
      vocabulary: one without a mask.
      padding: fills the rows; `vocabulary.size` or more, that is no column.

    Returns:
      columns: [N, K] uint16 (int32 if `padding` needs it): each row ascending, distinct, padded at the end; K >= 1.
      counts: [N, K] uint8 (or wider if a count needs it): how often each occurs; 0 for padding.
    """
    columns, counts, distinct = count_rows(corpus, vocabulary, padding)
    width = int(distinct.max(initial=1))
    return padded(columns, distinct, width, padding), padded(counts, distinct, width, 0)


def count_rows(corpus: Corpus, vocabulary: Vocabulary, padding: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `encode_count`, without padding: columns and counts of the rows one behind the other, and lengths [N]."""
    ids = vocabulary.lookup(corpus).astype(np.uint16 if padding < 1 << 16 else np.int32, copy=False)
    # Texts of about one length make a block, whose rows are sorted by themselves: far faster than all tokens at once.
    order = np.argsort(corpus.lengths, kind="stable")
    doublings = np.flatnonzero(np.diff(np.frexp(corpus.lengths[order])[1])) + 1  # so no row is padded to over twice
    starts = np.cumsum(corpus.lengths) - corpus.lengths
    blocks = [
        (texts, *_distinct(_block(ids, starts[texts], corpus.lengths[texts], padding), padding))
        for texts in np.split(order, np.union1d(doublings, np.arange(BLOCK, len(order), BLOCK)))
        if len(texts)
    ]
    lengths = np.zeros(len(order), np.int64)
    for texts, distinct, _, _ in blocks:
        lengths[texts] = distinct
    firsts, total = np.cumsum(lengths) - lengths, int(lengths.sum())
    most = max([0, *(times.max(initial=0) for _, _, _, times in blocks)])
    found, counts = np.empty(total, ids.dtype), np.empty(total, np.min_scalar_type(most))
    for texts, distinct, columns, times in blocks:
        places = np.repeat(firsts[texts] - (np.cumsum(distinct) - distinct), distinct) + np.arange(len(columns))
        found[places], counts[places] = columns, times
    return found, counts, lengths


def _block(ids: np.ndarray, starts: np.ndarray, lengths: np.ndarray, padding: int) -> np.ndarray:
    """Some texts' ids, a text a row, padded at the end."""
    rows = np.full((len(starts), max(1, int(lengths.max()))), padding, ids.dtype)
    for row, start, tokens in zip(rows, starts, lengths, strict=True):
        row[:tokens] = ids[start : start + tokens]
    return rows


def _distinct(rows: np.ndarray, padding: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort each row of a block: how many columns each has, then all these columns and how often each occurs."""
    rows.sort(axis=1)
    first = np.ones(rows.shape, bool)
    first[:, 1:] = rows[:, 1:] != rows[:, :-1]
    places = np.flatnonzero(first)
    columns, times = rows.ravel()[places], np.diff(places, append=rows.size)
    known = columns != padding
    return np.count_nonzero(first & (rows != padding), axis=1), columns[known], times[known]


def inverse_document_frequencies(columns: np.ndarray, vocabulary: Vocabulary) -> np.ndarray:
    """ln(1 + N / (1 + texts that hold the token)) of each id; an unknown token gets the mean of the others.

    A TF-IDF weight is the product of this and the count, as in Keras: the count is raw.

    Args:
      columns: of the texts to count, [N, K], from `encode_count` or `encode_multi_hot`.
      vocabulary: one without a mask.

    Returns:
      [V] float32.
    """
    return document_weights(columns.ravel(), len(columns), vocabulary)


def document_weights(columns: np.ndarray, texts: int, vocabulary: Vocabulary) -> np.ndarray:
    """As `inverse_document_frequencies`, from the distinct columns of so many texts in any order, padded or not."""
    holding = np.bincount(columns, minlength=vocabulary.size)[1 : vocabulary.size]
    known = np.log1p(texts / (1 + holding))
    return np.concatenate([[known.mean() if len(known) else 0], known]).astype(np.float32)
