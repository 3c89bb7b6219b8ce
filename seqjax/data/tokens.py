"""Standardise texts and split them into numbered tokens: the first half of `seqjax.data.text`. Needs NumPy only.

The tokens are those of `keras.layers.TextVectorization`, which works on the UTF-8 bytes of a text, and so do we:

* lower case is that of ASCII alone: É stays É. `fold_accents` makes it an e.
* punctuation is the 32 marks of ASCII: “ ” and … stay.
* words end at the six ASCII spaces: a no-break space or an ideographic one stays inside its word.

A dictionary lookup for each word would take most of the time. Instead the words of a chunk of texts are compared all
at once, as integers of 8 bytes, then the distinct ones of all chunks, and only what is left become Python objects.

Legend: N texts, T tokens.
"""

import dataclasses
import itertools
import unicodedata
from collections.abc import Callable, Iterable

import numpy as np

from seqjax.errors import UserError

PUNCTUATION = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
CHUNK = 4000  # texts: their arrays stay in the processor's cache
SLOT_BITS = 16  # so does a hash table of 65,536 places, which most tokens find theirs in
GOLDEN = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: Knuth's multiplicative hash


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
    stem: str | None = None
    """A language of Snowball, such as `english`: `running` and `runs` become `run`. Needs the package
    snowballstemmer (the extra `stem`). Keras cannot do this."""

    def __post_init__(self):
        if self.split not in ("words", "characters"):
            raise UserError(f"split={self.split!r}: choose 'words' or 'characters'")
        if self.ngrams < 1:
            raise UserError(f"ngrams={self.ngrams}: must be 1 or more")
        if self.stem is not None:
            if self.split != "words":
                raise UserError(f"stem={self.stem!r}: only words have a stem, not {self.split}")
            _stemmer(self.stem)

    def standardise(self, texts: Iterable[str]) -> bytes:
        """The texts in UTF-8 after the switches, with 0xFF, which UTF-8 never uses, before, between and after them.

        A lone surrogate, which UTF-8 cannot hold, counts as `?`. For `words` every ASCII space becomes a blank.
        """
        if self.fold_accents:
            texts = map(_without_accents, texts)
        joined = b"\xff".join([b"", *(text.encode("utf-8", "replace") for text in texts), b""])
        table = bytes(range(256)).lower() if self.lower else bytes(range(256))
        if self.split == "words":
            table = table.translate(bytes.maketrans(b"\t\n\v\f\r", b"     "))
        return joined.translate(table, PUNCTUATION if self.strip_punctuation else b"")

    def __call__(self, text: str) -> list[bytes]:
        """The tokens of a text: first all single ones, then all pairs, and so on, as `tf.strings.ngrams`."""
        corpus = Corpus.of([text], self)
        return [corpus.tokens[place] for place in corpus.ids]


def _stemmer(language: str) -> Callable[[list[str]], list[str]]:
    try:
        import snowballstemmer  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UserError("stemming needs the package snowballstemmer: pip install 'seqjax[stem]'") from None
    if language not in (known := sorted(snowballstemmer.algorithms())):
        raise UserError(f"stem={language!r}: choose one of {', '.join(known)}")
    return snowballstemmer.stemmer(language).stemWords


def _without_accents(text: str) -> str:
    if text.isascii():
        return text
    return "".join(mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark))


@dataclasses.dataclass(frozen=True, eq=False)
class Corpus:
    """Texts as token numbers. Tokenising and hashing cost the most: they happen once, for fit and encode."""

    tokens: list[bytes]
    """The distinct tokens, in no particular order."""
    ids: np.ndarray
    """[T] int32: for each token of the texts, one after the other, its place in `tokens`."""
    lengths: np.ndarray
    """[N] int64: tokens in each text."""

    @classmethod
    def of(cls, texts: Iterable[str], tokenizer: Tokenizer) -> "Corpus":
        """Tokenise and number the texts: those of a chunk first, then the distinct tokens of all chunks."""
        local, lengths, pool, sizes = [], [np.empty(0, np.int64)], [], [np.empty(0, np.int64)]
        texts = iter(texts)
        while chunk := list(itertools.islice(texts, CHUNK)):
            standard = tokenizer.standardise(chunk)
            content = np.frombuffer(standard, np.uint8)
            starts, ends = _spans(content, tokenizer.split)
            numbers, first = _spelled(standard, starts, ends)
            local.append(numbers)
            lengths.append(np.diff(np.searchsorted(starts, np.flatnonzero(content == 0xFF))))
            sizes.append((ends - starts)[first])
            pool.append(content[_within(starts[first], sizes[-1])].tobytes())
        ends = np.cumsum(np.concatenate(sizes))
        starts, spelled = ends - np.concatenate(sizes), b"".join(pool)
        numbers, first = _spelled(spelled, starts, ends)
        used = np.zeros(len(first), bool)
        used[numbers] = True
        numbers = (np.cumsum(used, dtype=np.int32) - 1)[numbers]
        first = first[used]
        tokens = [spelled[start:end] for start, end in zip(starts[first].tolist(), ends[first].tolist(), strict=True)]
        borders = np.cumsum([len(some) for some in sizes])
        ids = [numbers[border:][places] for border, places in zip(borders, local, strict=False)]
        corpus = cls(tokens, np.concatenate([np.empty(0, np.int32), *ids]), np.concatenate(lengths))
        return corpus._stemmed(tokenizer.stem)._with_ngrams(tokenizer.ngrams)

    def _stemmed(self, language: str | None) -> "Corpus":
        """Replace every token by its stem, found once for each distinct token; none has an empty one."""
        if language is None:
            return self
        words = [token.decode() for token in self.tokens]
        stems = [stem or word for stem, word in zip(_stemmer(language)(words), words, strict=True)]
        places = {stem: place for place, stem in enumerate(dict.fromkeys(stems))}
        table = np.array([places[stem] for stem in stems], np.int32)
        return Corpus([stem.encode() for stem in places], table[self.ids], self.lengths)

    def _with_ngrams(self, longest: int) -> "Corpus":
        """Add the runs of 2 to `longest` tokens behind the single ones of each text."""
        if longest == 1:
            return self
        position = np.arange(len(self.ids)) - np.repeat(np.cumsum(self.lengths) - self.lengths, self.lengths)
        tokens, names = list(self.tokens), self.tokens
        runs, counts = [self.ids], [self.lengths]
        grams = self.ids
        for width in range(2, longest + 1):
            last = np.cumsum(counts[-1])[counts[-1] > 0] - 1
            heads = np.delete(grams, last)  # a run one shorter, and the token behind it
            tails = self.ids[position >= width - 1]
            grams, first = _group(heads.astype(np.uint64) << np.uint64(32) | tails.astype(np.uint64))
            pairs = zip(heads[first].tolist(), tails[first].tolist(), strict=True)
            names = [names[head] + b" " + self.tokens[tail] for head, tail in pairs]
            runs.append(grams + np.int32(len(tokens)))
            counts.append(np.maximum(counts[-1] - 1, 0))
            tokens += names
        texts = np.concatenate([np.repeat(np.arange(len(count)), count) for count in counts])
        return Corpus(tokens, np.concatenate(runs)[np.argsort(texts, kind="stable")], np.sum(counts, axis=0))


def _within(starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The places start, start + 1, ..., `size` of them for each start, one run after the other."""
    before = np.cumsum(sizes) - sizes
    return np.repeat(starts - before, sizes) + np.arange(sizes.sum())


def _spans(content: np.ndarray, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Where the tokens of a standardised chunk, as uint8, start and end."""
    if split == "words":
        inside = (content != 0x20) & (content != 0xFF)
        edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1  # into a word, out of it, into the next
        return edges[::2], edges[1::2]
    starts = np.flatnonzero(content & 0xC0 != 0x80)  # not a later byte of a character
    ends = np.append(starts[1:], len(content))
    characters = content[starts] != 0xFF
    return starts[characters], ends[characters]


def _spelled(standard: bytes, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number tokens by their bytes: up to 8 at once, longer ones by the number of their beginning and the rest.

    Returns:
      For each token a number, equal for equal tokens alone; for each number a token. Beginnings have numbers too.
    """
    eight = np.ndarray(len(standard) + 1, "<u8", standard + bytes(8), strides=(1,))  # a byte and the 7 behind it
    lengths = ends - starts
    numbers, first = _group(_pieces(eight, starts, lengths, 8))
    firsts, known, done = [first], len(first), 7
    longer = np.flatnonzero(lengths > 8)
    while len(longer):
        rest = lengths[longer] - done
        pieces = _pieces(eight, starts[longer] + done, rest, 4)
        deeper, first = _group(numbers[longer].astype(np.uint64) << np.uint64(32) | pieces)
        numbers[longer] = deeper + np.int32(known)
        firsts.append(longer[first])
        known, done = known + len(first), done + 3
        longer = longer[rest > 4]
    return numbers, np.concatenate(firsts)


def _pieces(eight: np.ndarray, starts: np.ndarray, lengths: np.ndarray, width: int) -> np.ndarray:
    """[T] uint64: the bytes of tokens of up to `width`, filled with 0xFF, or `width - 1` of longer ones and 0xFE.

    UTF-8 uses neither, so different tokens differ, and a whole token never equals a beginning.
    """
    kept = [256**size - 1 for size in range(width + 1)]
    filled = [kept[width] - mask for mask in kept]
    size = np.minimum(lengths, width + 1)
    keep = np.array([*kept, kept[width - 1]], np.uint64)
    fill = np.array([*filled, 0xFE * 256 ** (width - 1)], np.uint64)
    return eight[starts] & keep[size] | fill[size]


def _group(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number equal keys alike: a hash table of whole arrays, in 0.6 of the time of `np.unique`.

    Args:
      keys: [T] uint64.

    Returns:
      [T] int32 numbers from 0; for each number the place of one of its keys.
    """
    numbers, firsts = np.empty(len(keys), np.int32), [np.empty(0, np.int32)]
    left: np.ndarray | None = None  # places of the keys without a number; None is all
    known, turn, here = 0, 1, keys
    while len(here):
        bits = max(8, len(here).bit_length())
        if left is None:
            bits = min(bits, SLOT_BITS)
        factor = np.uint64(GOLDEN * turn % 2**64)  # odd, and another in each turn: then other keys meet
        slots = (here * factor >> np.uint64(64 - bits)).view(np.int64)
        places = np.arange(len(here), dtype=np.int32)
        table = np.empty(1 << bits, np.int32)
        table[slots] = places  # of those that meet in a slot one stays: its owner
        owners = table[slots]
        owning = np.flatnonzero(owners == places).astype(np.int32)
        fresh = np.empty(len(here), np.int32)
        fresh[owning] = np.arange(known, known + len(owning))
        if left is None:
            numbers, left = fresh[owners], np.arange(len(keys), dtype=np.int32)
        else:
            numbers[left] = fresh[owners]
        firsts.append(left[owning])
        known, turn = known + len(owning), turn + 2
        left = left[here[owners] != here]  # those were numbered as another key: once more
        here = keys[left]
    return numbers, np.concatenate(firsts)
