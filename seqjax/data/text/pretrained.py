"""Reviews whose model starts from word vectors that were learned elsewhere.

Legend: V ids of the vocabulary, E numbers of a vector.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol, TextIO

import numpy as np

from seqjax.data.dataset import Dataset, Requests, Source
from seqjax.data.text import glove, vectors
from seqjax.data.text.encodings import Vocabulary
from seqjax.data.text.labelled import LabelledTexts
from seqjax.data.text.vectorizer import WORDS
from seqjax.errors import UserError


class Texts(Source, Protocol):
    """A `Source` of texts in numbers: `imdb.Reviews`, `labelled.LabelledTexts`."""

    @property
    def encoding(self) -> str:
        """As `Vectorizer`'s."""
        ...

    @property
    def vocabulary_size(self) -> int:
        """V."""
        ...


def pretrained(texts: LabelledTexts, size: int, vectors: str) -> Texts:
    """The texts on `vectors`: a file's, or `glove`'s, all of whose words are known; where it is empty, as they are."""
    if not vectors:
        return texts
    return PretrainedReviews(texts, size, None if vectors == "glove" else vectors, all_words=True)


@dataclasses.dataclass(frozen=True)
class PretrainedReviews:
    """A `Source`: the texts of another, and in `Dataset.initial` the vectors of its vocabulary."""

    reviews: Texts
    size: int
    """E."""
    file: str | None = None
    """In any form that `seqjax.data.text.vectors` reads. None is GloVe 6B, looked for in `data_dir` and otherwise
    downloaded; for the generated sample, which needs no files, vectors drawn at random."""
    parameter: str = "Embedding_0/embedding"
    """[V, E]: which of the model's."""
    read: Callable[[Path, Collection[str] | None], vectors.Vectors] = vectors.read
    """What reads `file`: `seqjax.analogies.read` takes a run's folder too."""
    all_words: bool = False
    """The texts' `words` are those of the file: a word that has a vector is known, though no training text holds it."""

    @property
    def encoding(self) -> str:
        """That of the reviews."""
        return self.reviews.encoding

    @property
    def vocabulary_size(self) -> int:
        """That of the reviews."""
        return self.reviews.vocabulary_size

    def load(self, data: str, data_dir: Path) -> Dataset:
        """See `Source.load`; the description says how many of the words have a vector."""
        if self.size < 1:
            raise UserError(f"embedding_size must be at least 1, not {self.size}")
        path = None
        if self.file is not None or data != "sample":
            path = Path(self.file).expanduser() if self.file else glove.find(data_dir, self.size)
            path = path or glove.download_vectors(data_dir, self.size)
        every = self.read(path, None) if path and self.all_words else None
        texts = dataclasses.replace(self.reviews, words=tuple(every.words)) if every else self.reviews  # type: ignore
        dataset = texts.load(data, data_dir)
        vocabulary = Vocabulary.from_text(dataset.assets[WORDS])
        found = every or (self.read(path, vocabulary.tokens) if path else _generated(vocabulary, self.size))
        name = path.name if path else "generated vectors, not GloVe's"
        if found.table.shape[1] != self.size:
            raise UserError(f"{name} has vectors of {found.table.shape[1]} numbers, not of {self.size}")
        table = found.for_vocabulary(vocabulary, self.vocabulary_size)
        return dataclasses.replace(
            dataset,
            initial={self.parameter: table},
            description=f"{dataset.description}; {name}: {found.coverage(vocabulary)}",
            fingerprint=hashlib.sha256(dataset.fingerprint.encode() + table.tobytes()).hexdigest(),
        )

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """See `Source.requests`: those of the reviews."""
        return self.reviews.requests(assets, text, name)


def _generated(vocabulary: Vocabulary, size: int) -> vectors.Vectors:
    """A standard normal vector for each word, whatever place it has."""
    seeds = [list(hashlib.sha256(word.encode()).digest()[:8]) for word in vocabulary.tokens]
    rows = [np.random.default_rng(seed).normal(size=size) for seed in seeds]
    return vectors.Vectors(list(vocabulary.tokens), np.array(rows, np.float32).reshape(-1, size))
