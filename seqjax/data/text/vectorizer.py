"""All four steps of `encodings` under fixed options: fit, transform, save, load, decode. Needs NumPy only.

    vectorizer = Vectorizer.fit(texts, encoding="tf_idf", vocabulary_size=20_000)
    columns, weights = vectorizer(texts)
    vectorizer.save(folder)
    columns, weights = Vectorizer.load(folder)(other_texts)

Where fit and transform see the same texts, `fit_encode` tokenises them only once.

Legend: N texts, L length, K distinct columns of the richest text, V ids.
"""

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seqjax.data.text.encodings import (
    Corpus,
    Tokenizer,
    Vocabulary,
    encode_count,
    encode_int,
    inverse_document_frequencies,
)
from seqjax.errors import UserError

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
    ) -> tuple["Vectorizer", dict[str, np.ndarray]]:
        """Learn from texts and encode them, tokenised only once.

        Args:
          texts: N of them, or their corpus under the same tokenizer.
          tokenizer: None is the default one, Keras's.
          encoding: see `ENCODINGS` and the class.
          vocabulary_size: at most so many ids, special ones included; None is no limit.
          length: L of sequences; None is the least multiple of 16 that cuts no text.
          learn_from: positions of the texts that vocabulary and document frequencies come from; None is all.

        Returns:
          the vectorizer, and what its `encode` returns for `texts`.

        Raises:
          UserError: an unknown encoding, options that do not fit, or one string in place of texts.
        """
        check(encoding, length)
        tokenizer = tokenizer or Tokenizer()
        corpus = texts if isinstance(texts, Corpus) else Corpus.of(texts, tokenizer)
        vocabulary = Vocabulary.fit(corpus, vocabulary_size, mask=encoding in SEQUENCES, texts=learn_from)
        padding = vocabulary_size or vocabulary.size
        if encoding in SEQUENCES:
            length = length or max(1, math.ceil(corpus.lengths.max(initial=0) / 16)) * 16
            fitted = cls(tokenizer, encoding, padding, vocabulary, length, None)
            return fitted, fitted.encode(corpus)
        columns, counts = encode_count(corpus, vocabulary, padding)
        idf = None
        if encoding == "tf_idf":
            idf = inverse_document_frequencies(columns if learn_from is None else columns[learn_from], vocabulary)
        fitted = cls(tokenizer, encoding, padding, vocabulary, None, idf)
        return fitted, fitted._bags(columns, counts)

    @classmethod
    def fit(cls, texts: Iterable[str] | Corpus, **options: Any) -> "Vectorizer":
        """As `fit_encode`, for the vectorizer alone."""
        return cls.fit_encode(texts, **options)[0]

    def encode(self, texts: Iterable[str] | Corpus) -> dict[str, np.ndarray]:
        """The result of a call in few bytes: arrays that `inputs` gathers from.

        Returns:
          `tokens`: ids or columns, uint16 where they fit; `counts`: uint8 where they fit, for `count` and `tf_idf`;
          `idf`: [V], for `tf_idf`.
        """
        corpus = texts if isinstance(texts, Corpus) else Corpus.of(texts, self.tokenizer)
        if self.length is not None:
            return {"tokens": encode_int(corpus, self.vocabulary, self.length)}
        return self._bags(*encode_count(corpus, self.vocabulary, self.padding))

    def _bags(self, columns: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
        arrays = {"tokens": columns}
        if self.encoding != "multi_hot":
            arrays["counts"] = counts
        return arrays if self.idf is None else arrays | {"idf": self.idf}

    def __call__(self, texts: Iterable[str] | Corpus) -> Any:
        """See the class."""
        return inputs(self.encode(texts), slice(None))

    def decode(self, row: np.ndarray) -> list[str]:
        """The tokens of one row of ids or columns; padding is left out."""
        ids = np.asarray(row)
        return self.vocabulary.decode(ids if self.length is not None else ids[ids != self.padding])

    def assets(self) -> dict[str, str]:
        """File name -> content: all that `load` needs."""
        options = {"encoding": self.encoding, "length": self.length, "padding": self.padding}
        options |= {"tokenizer": dataclasses.asdict(self.tokenizer)}
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
        path = folder / OPTIONS
        try:
            options = _read_options(path)
            path = folder / WORDS
            words = path.read_bytes().decode()
            path = folder / WEIGHTS
            idf = None
            if options["encoding"] == "tf_idf":
                idf = np.array(path.read_text(encoding="utf-8").split("\n")[:-1], np.float32)
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}: the workdir of a text experiment has it") from error
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"{path} is damaged: {error}") from error
        mask = options["encoding"] in SEQUENCES
        vocabulary = Vocabulary.from_text(words, mask=mask, name=str(folder / WORDS))
        if vocabulary.size > options["padding"]:
            limit = options["padding"]
            raise UserError(f"{folder / WORDS}: {vocabulary.size} ids, more than the {limit} of {OPTIONS}")
        if idf is not None and len(idf) != vocabulary.size:
            raise UserError(f"{folder / WEIGHTS}: {len(idf)} weights for {vocabulary.size} ids")
        return cls(vocabulary=vocabulary, idf=idf, **options)


def inputs(arrays: Mapping[str, Any], ids: Any) -> Any:
    """Rows of encoded texts as a model takes them. Plain indexing, on NumPy or traced by jit.

    Args:
      arrays: from `Vectorizer.encode`.
      ids: [B] which texts.

    Returns:
      tokens [B, L or K] int32; or, with counts, a pair: these and their weights [B, K] float32.
    """
    tokens = arrays["tokens"][ids].astype("int32")
    if "counts" not in arrays:
        return tokens
    weights = arrays["counts"][ids].astype("float32")
    if "idf" in arrays:
        idf = arrays["idf"]
        weights = weights * idf[tokens.clip(0, len(idf) - 1)]  # padding, out of range, has a count of 0
    return tokens, weights


def check(encoding: str, length: int | None) -> None:
    """Raise UserError unless the two fit together."""
    if encoding not in ENCODINGS:
        raise UserError(f"encoding={encoding!r}: choose {', '.join(map(repr, ENCODINGS))}")
    if length is not None and encoding not in SEQUENCES:
        raise UserError(f"length={length}: only encoding='int' or 'one_hot' has a length")
    if length is not None and length < 1:
        raise UserError(f"length={length}: must be 1 or more")


def _read_options(path: Path) -> dict[str, Any]:
    """What `assets` has written of the options, checked."""
    options: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    encoding, length, padding = options["encoding"], options["length"], options["padding"]
    check(encoding, length)
    if encoding in SEQUENCES and length is None:
        raise ValueError("no length")
    if not isinstance(padding, int):
        raise ValueError(f"padding={padding!r} is not an integer")
    tokenizer = Tokenizer(**options["tokenizer"])
    return {"encoding": encoding, "length": length, "padding": padding, "tokenizer": tokenizer}
