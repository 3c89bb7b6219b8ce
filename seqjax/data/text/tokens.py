"""Standardise texts and split them into numbered tokens: the first half of `encodings`. Needs NumPy only.

The tokens are those of `keras.layers.TextVectorization`, which works on the UTF-8 bytes of a text, and so do we:

* lower case is that of ASCII alone: É stays É. `fold_accents` makes it an e.
* punctuation is the 32 marks of ASCII: “ ” and … stay. `strip_special` makes them vanish.
* words end at the six ASCII spaces: a no-break space or an ideographic one stays inside its word.

`numbering` tells the words of some texts apart all at once, and only distinct ones become Python objects.

Legend: N texts, T tokens.
"""

import dataclasses
import itertools
import unicodedata
from collections.abc import Callable, Iterable

import numpy as np

from seqjax.data.text.numbering import Numbering, Spelling
from seqjax.data.text.texts import chunks
from seqjax.errors import UserError

PUNCTUATION = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
CHUNK = 500  # texts: their arrays stay in the processor's cache


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
    strip_special: bool = False
    """What is outside ASCII and no letter, accent, number or space vanishes, leaving no space: “ ” ’ – … £, and the
    control characters that Windows' quotes and dashes became in many a file. Before accents are folded. Keras cannot do
    this."""
    split: str = "words"
    """`words`, or `characters`: one token for each code point, spaces included."""
    ngrams: int = 1
    """Beside the tokens themselves, runs of 2 to `ngrams` of them, joined by a space."""
    stem: str | None = None
    """A language of Snowball, such as `english`: `running` and `runs` become `run`. Needs the package
    snowballstemmer (the extra `stem`). Keras cannot do this."""
    fold_digits: bool = False
    """The digits of ASCII become 0: numbers of one length are one token, which is known when they are not. Keras cannot
    do this."""

    def __post_init__(self):
        if self.split not in ("words", "characters"):
            raise UserError(f"split={self.split!r}: choose 'words' or 'characters'")
        if not isinstance(self.ngrams, int) or self.ngrams < 1:
            raise UserError(f"ngrams={self.ngrams}: must be 1 or more")
        if self.stem is not None:
            if self.split != "words":
                raise UserError(f"stem={self.stem!r}: only words have a stem, not {self.split}")
            _stemmer(self.stem)

    def standardise(self, texts: Iterable[str]) -> bytes:
        """The texts in UTF-8 after the switches, with 0xFF, which UTF-8 never uses, before, between and after them.

        A lone surrogate, which UTF-8 cannot hold, counts as `?`. For `words` every ASCII space becomes 0xFE, which
        UTF-8 never uses either.

        Raises:
          UserError: something is no text.
        """
        texts = itertools.chain.from_iterable(chunks(texts, CHUNK))
        if self.strip_special:
            texts = map(_without_special, texts)
        if self.fold_accents:
            texts = map(_without_accents, texts)
        joined = b"\xff".join([b"", *(text.encode("utf-8", "replace") for text in texts), b""])
        table = bytes(range(256)).lower() if self.lower else bytes(range(256))
        if self.fold_digits:
            table = table.translate(bytes.maketrans(b"123456789", b"0" * 9))
        if self.split == "words":
            table = table.translate(bytes.maketrans(b" \t\n\v\f\r", b"\xfe" * 6))
        return joined.translate(table, PUNCTUATION if self.strip_punctuation else b"")

    def __call__(self, text: str) -> list[bytes]:
        """The tokens of a text: first all single ones, then all pairs, and so on, as `tf.strings.ngrams`.

        Raises:
          UserError: it is no string.
        """
        if not isinstance(text, str):
            raise UserError(f"{text!r:.40} ({type(text).__name__}) is no text: give a single string")
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


def _without_special(text: str) -> str:
    if text.isascii():
        return text
    return "".join(mark for mark in text if mark.isascii() or unicodedata.category(mark)[0] in "LMNZ")


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
        """Tokenise and number the texts.

        Raises:
          UserError: they are no texts (`seqjax.data.text.texts`), or `tokenizer` is none.
        """
        if not isinstance(tokenizer, Tokenizer):
            raise UserError(f"tokenizer={tokenizer!r}: give a seqjax.data.text.tokens.Tokenizer")
        spelling, ids, lengths = Spelling(), [np.empty(0, np.int32)], [np.empty(0, np.int64)]
        for chunk in chunks(texts, CHUNK):
            standard = tokenizer.standardise(chunk)
            starts, sizes, counts = _spans(standard, tokenizer.split)
            ids.append(spelling(standard, starts, sizes))
            lengths.append(counts)
        corpus = cls(spelling.tokens, np.concatenate(ids), np.concatenate(lengths))
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
            grams, first = Numbering()(0, heads.astype(np.uint64) << np.uint64(32) | tails.astype(np.uint64))
            pairs = zip(heads[first].tolist(), tails[first].tolist(), strict=True)
            names = [names[head] + b" " + self.tokens[tail] for head, tail in pairs]
            runs.append(grams + np.int32(len(tokens)))
            counts.append(np.maximum(counts[-1] - 1, 0))
            tokens += names
        texts = np.concatenate([np.repeat(np.arange(len(count)), count) for count in counts])
        return Corpus(tokens, np.concatenate(runs)[np.argsort(texts, kind="stable")], np.sum(counts, axis=0))


def _spans(standard: bytes, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the tokens of a standardised chunk start, their bytes, and how many are in each text."""
    content = np.frombuffer(standard, np.uint8)
    if split == "words":
        gaps = np.flatnonzero(content >= 0xFE)
        starts, sizes = gaps[:-1] + 1, np.diff(gaps) - 1
        tokens = sizes > 0
    else:
        starts = np.flatnonzero(content & 0xC0 != 0x80)  # not a later byte of a character
        sizes, tokens = np.diff(starts, append=len(content)), content[starts] != 0xFF
    starts = starts[tokens]
    borders = [standard.find(b"\xff")]
    while (border := standard.find(b"\xff", borders[-1] + 1)) >= 0:
        borders.append(border)
    return starts, sizes[tokens], np.diff(np.searchsorted(starts, borders))
