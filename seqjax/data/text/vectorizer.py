"""All four steps of `encodings` under fixed options: fit, transform, save, load, decode. Needs NumPy only.

    vectorizer = Vectorizer.fit(texts, encoding="tf_idf", vocabulary_size=20_000)
    columns, weights = vectorizer(texts)
    vectorizer.save(folder)
    columns, weights = Vectorizer.load(folder)(other_texts)

Where fit and transform see the same texts, `fit_encode` tokenises them only once.

Legend: N texts, L length, K distinct columns of the richest text, V ids.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seqjax.data.text import rows
from seqjax.data.text.encodings import (
    Corpus,
    Tokenizer,
    Vocabulary,
    chosen,
    count_rows,
    document_weights,
    int_rows,
)
from seqjax.errors import UserError
from seqjax.files import read_json

ENCODINGS = ("int", "one_hot", "multi_hot", "count", "tf_idf")
SEQUENCES = ("int", "one_hot")
ARRAYS = ("tokens", "counts", "idf")
OPTIONS, WORDS, WEIGHTS = "text.json", "vocabulary.txt", "idf.txt"


@dataclasses.dataclass(frozen=True, eq=False)
class Vectorizer:
    """Texts -> arrays. Called with texts it returns, for an `encoding` of

    * `int` and `one_hot`: ids in order, [N, L] int32; 0 is padding, 1 an unknown token. For one-hot vectors they
      are the columns that hold the ones;
    * `multi_hot`: the distinct columns of each text, [N, K] int32, ascending, padded with `padding`;
    * `count` and `tf_idf`: a pair: these, and [N, K] float32 what stands in them, 0 for padding.
    """

    tokenizer: Tokenizer
    encoding: str
    padding: int
    """Of bags of tokens: one past the last column, whatever the texts had to offer."""
    vocabulary: Vocabulary
    length: int | None
    """L; None where there is none, in bags."""
    idf: np.ndarray | None
    """[V] float32, for `tf_idf`."""

    @classmethod
    def fit_encode(
        cls,
        texts: Iterable[str] | Corpus,
        *,
        tokenizer: Tokenizer | None = None,
        encoding: str = "int",
        vocabulary_size: int | None = None,
        length: int | None = None,
        learn_from: np.ndarray | None = None,
        words: Iterable[str] = (),
    ) -> tuple["Vectorizer", dict[str, np.ndarray]]:
        """Learn from texts and encode them, tokenised only once.

        Args:
          texts: N of them, or their corpus under the same tokenizer.
          tokenizer: None is the default one, Keras's.
          encoding: see `ENCODINGS` and the class.
          vocabulary_size: at most so many ids, special ones included; None is no limit.
          length: L of sequences; None is the least multiple of 16 that cuts no text.
          learn_from: positions of the texts that vocabulary and document frequencies come from; None is all.
          words: that are known besides, as far as there is room for them: those of a file of word vectors, say.

        Returns:
          the vectorizer, and what its `encode` returns for `texts`.

        Raises:
          UserError: an unknown encoding, options that do not fit, or what is no text (`seqjax.data.text.texts`).

        >>> fitted, arrays = Vectorizer.fit_encode(["A good film.", "Not a good film!"], encoding="multi_hot")
        >>> arrays["tokens"].tolist()
        [[1, 2, 3, 5], [1, 2, 3, 4]]
        """
        check(encoding, length)
        tokenizer = tokenizer or Tokenizer()
        corpus = texts if isinstance(texts, Corpus) else Corpus.of(texts, tokenizer)
        vocabulary = Vocabulary.fit(corpus, vocabulary_size, mask=encoding in SEQUENCES, texts=learn_from)
        vocabulary = vocabulary.with_words(words, vocabulary_size, tokenizer)
        padding = int(vocabulary_size or vocabulary.size)
        if encoding in SEQUENCES:
            length = int(length or max(1, math.ceil(corpus.lengths.max(initial=0) / 16)) * 16)
            fitted = cls(tokenizer, encoding, padding, vocabulary, length, None)
            return fitted, fitted.encode(corpus)
        bags = count_rows(corpus, vocabulary, padding)
        idf = _learned_weights(bags[0], bags[2], vocabulary, learn_from) if encoding == "tf_idf" else None
        fitted = cls(tokenizer, encoding, padding, vocabulary, None, idf)
        return fitted, fitted._bags(*bags)

    @classmethod
    def fit(cls, texts: Iterable[str] | Corpus, **options: Any) -> "Vectorizer":
        """As `fit_encode`, for the vectorizer alone.

        >>> fitted = Vectorizer.fit(["A good film.", "Not a good film!"], encoding="int", length=4)
        >>> fitted(["a good day"]).tolist()
        [[4, 2, 1, 0]]
        >>> fitted.decode([2, 4])
        ['good', 'a']
        """
        return cls.fit_encode(texts, **options)[0]

    def encode(self, texts: Iterable[str] | Corpus) -> dict[str, np.ndarray]:
        """The result of a call in few bytes: arrays that `inputs` gathers from.

        Returns:
          `tokens`: ids or columns, uint16 where they fit; `counts`: uint8 where they fit, for `count` and `tf_idf`;
          `idf`: [V], for `tf_idf`. The first two are [N, L or K], or, where that would be mostly padding, kept as
          `seqjax.data.text.rows` does: their memory grows with the tokens that there are.
        """
        corpus = texts if isinstance(texts, Corpus) else Corpus.of(texts, self.tokenizer)
        if self.length is not None:
            ids, lengths = int_rows(corpus, self.vocabulary, self.length)
            return rows.pack({"tokens": ids}, lengths, self.length, {"tokens": 0})
        return self._bags(*count_rows(corpus, self.vocabulary, self.padding))

    def _bags(self, columns: np.ndarray, counts: np.ndarray, lengths: np.ndarray) -> dict[str, np.ndarray]:
        flat = {"tokens": columns} if self.encoding == "multi_hot" else {"tokens": columns, "counts": counts}
        padding = {"tokens": self.padding, "counts": 0}
        arrays = rows.pack(flat, lengths, int(lengths.max(initial=1)), padding)
        return arrays if self.idf is None else arrays | {"idf": self.idf}

    def __call__(self, texts: Iterable[str] | Corpus) -> Any:
        """See the class."""
        arrays = self.encode(texts)
        return inputs(arrays, np.arange(rows.count(arrays, "tokens")))

    def decode(self, row: np.ndarray) -> list[str]:
        """The tokens of one row of ids or columns; padding is left out."""
        ids = np.asarray(row)
        return self.vocabulary.decode(ids if self.length is not None else ids[ids != self.padding])

    def assets(self) -> dict[str, str]:
        """File name -> content: all that `load` needs."""
        options = {"encoding": self.encoding, "length": self.length, "padding": self.padding}
        options |= {"tokenizer": dataclasses.asdict(self.tokenizer), "words": _identity(self.vocabulary)}
        files = {WORDS: self.vocabulary.to_text(), OPTIONS: json.dumps(options, indent=1, sort_keys=True) + "\n"}
        if self.idf is not None:
            files[WEIGHTS] = "".join(f"{weight}\n" for weight in self.idf)
        return files

    def save(self, folder: Path | str) -> None:
        """Write `assets()` into a folder, made if need be."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.assets().items():
            (folder / name).write_text(content, encoding="utf-8", newline="")

    @classmethod
    def load(cls, folder: Path | str) -> "Vectorizer":
        """Undo `save`.

        Raises:
          UserError: a file is missing or damaged; the message names it.
        """
        folder = Path(folder)
        options = _read_options(folder / OPTIONS)
        written = options.pop("words")
        mask = options["encoding"] in SEQUENCES
        vocabulary = Vocabulary.from_text(_read(folder / WORDS), mask=mask, name=str(folder / WORDS))
        _check_words(vocabulary, written, options["padding"], folder)
        idf = None
        if options["encoding"] == "tf_idf":
            weights = _read(folder / WEIGHTS).splitlines()
            try:
                idf = np.array(weights, np.float32)
            except ValueError as error:
                raise UserError(f"{folder / WEIGHTS} is damaged: {error}") from error
            if len(idf) != vocabulary.size or not np.isfinite(idf).all():
                raise UserError(f"{folder / WEIGHTS}: {np.isfinite(idf).sum()} weights for {vocabulary.size} ids")
        return cls(vocabulary=vocabulary, idf=idf, **options)


def _identity(vocabulary: Vocabulary) -> dict[str, Any]:
    """What tells a vocabulary from a damaged one: how many words, and the sha256 of its file."""
    return {"count": len(vocabulary.tokens), "sha256": hashlib.sha256(vocabulary.to_text().encode()).hexdigest()}


def _check_words(vocabulary: Vocabulary, written: Mapping[str, Any] | None, padding: int, folder: Path) -> None:
    """Raise UserError unless these are the words that were written, as far as the options tell (older ones do not)."""
    path, found = folder / WORDS, _identity(vocabulary)
    if vocabulary.size > padding:
        raise UserError(f"{path}: {vocabulary.size} ids, more than the {padding} of {OPTIONS}")
    if not vocabulary.tokens and (written is None or written["count"]):
        raise UserError(f"{path} is empty")
    if written is not None and found["count"] != written["count"]:
        raise UserError(f"{path}: {found['count']:,} words instead of the {written['count']:,} that were written")
    if written is not None and found != written:
        raise UserError(f"{path} has been changed: its {found['count']:,} words are not those that were written")


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}: the workdir of a text experiment has it") from error
    except ValueError as error:
        raise UserError(f"{path} is damaged: {error}") from error


def inputs(arrays: Mapping[str, Any], ids: Any) -> Any:
    """Rows of encoded texts as a model takes them. Plain indexing, on NumPy or traced by jit.

    Args:
      arrays: from `Vectorizer.encode`.
      ids: [B] which texts.

    Returns:
      tokens [B, L or K] int32; or, with counts, a pair: these and their weights [B, K] float32.
    """
    tokens = rows.take(arrays, "tokens", ids).astype("int32")
    if "counts" not in arrays:
        return tokens
    weights = rows.take(arrays, "counts", ids).astype("float32")
    if "idf" in arrays:
        idf = arrays["idf"]
        weights = weights * idf[tokens.clip(0, len(idf) - 1)]  # padding, out of range, has a count of 0
    return tokens, weights


def _learned_weights(
    columns: np.ndarray, lengths: np.ndarray, vocabulary: Vocabulary, learn_from: np.ndarray | None
) -> np.ndarray:
    """[V]: the document frequencies' weights, of all texts or of those at the positions `learn_from`."""
    among = np.ones(len(lengths), bool) if learn_from is None else chosen(learn_from, len(lengths))
    return document_weights(columns[np.repeat(among, lengths)], int(among.sum()), vocabulary)


def check(encoding: str, length: int | None) -> None:
    """Raise UserError unless the two fit together."""
    if encoding not in ENCODINGS:
        raise UserError(f"encoding={encoding!r}: choose {', '.join(map(repr, ENCODINGS))}")
    if length is not None and encoding not in SEQUENCES:
        raise UserError(f"length={length}: only encoding='int' or 'one_hot' has a length")
    if length is not None and not isinstance(length, int | np.integer):
        raise UserError(f"length={length!r}: must be an integer")
    if length is not None and length < 1:
        raise UserError(f"length={length}: must be 1 or more")


def _read_options(path: Path) -> dict[str, Any]:
    """What `assets` has written of the options, checked; `words` is None in files of before they came."""
    if not path.exists():
        raise UserError(f"{path}: No such file or directory: the workdir of a text experiment has it")
    options = read_json(path)
    try:
        encoding, length, padding = options["encoding"], options["length"], options["padding"]
        check(encoding, length)
        if encoding in SEQUENCES and length is None:
            raise ValueError("no length")
        if not isinstance(padding, int):
            raise ValueError(f"padding={padding!r} is not an integer")
        words = options.get("words")
        if words is not None and not {"count", "sha256"} <= set(words):
            raise ValueError(f"words={words!r}")
        tokenizer = Tokenizer(**options["tokenizer"])
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} is damaged: {error}") from error
    return {"encoding": encoding, "length": length, "padding": padding, "tokenizer": tokenizer, "words": words}
