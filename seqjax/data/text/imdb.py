"""Movie reviews and whether they are positive: the IMDB reviews of Maas et al. (2011), or generated ones.

The reviews are put in an order of their own, by label and content, so that every copy of the data gives the
same examples under the same ids, whether prepared by tensorflow-datasets, unpacked, or still an archive. Once
they are in the cache, TensorFlow is not even imported.

Legend: B batch, N examples (those for training first), L length, K distinct columns of the richest review.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from seqjax.data import decoding
from seqjax.data.cache import cached
from seqjax.data.dataset import Dataset, Requests
from seqjax.data.lengths import group_lengths
from seqjax.data.text import encodings as text
from seqjax.data.text import imdb_files, numbering, rows, sample_reviews, tokens, vectorizer
from seqjax.data.text.encodings import Corpus, Tokenizer
from seqjax.data.text.vectorizer import SEQUENCES, WORDS, Vectorizer
from seqjax.errors import UserError

LENGTH = 600  # the lecture's, for the real reviews: 5 % of them are longer
LABELS = ("negative", "positive")
VALIDATION = 5  # one review in five of each class
KEPT = (*vectorizer.ARRAYS, "labels")  # of the cached arrays, for the model
ASSET = "asset "  # before the names of the vectorizer's files among the cached arrays


@dataclasses.dataclass(frozen=True)
class Reviews:
    """A `Source` of reviews (inputs) and their labels (targets, float32 0 or 1).

    The vocabulary is learned from the training part alone, after validation has been split off.

    Raises:
      UserError: options that are unknown or out of range.
    """

    vocabulary_size: int = 20_000
    """At most so many ids, special ones included."""
    length: int | None = None
    """`int` and `one_hot`: L. None is 600, and for the sample the least multiple of 16 that cuts no review."""
    encoding: str = "int"
    """`int`, `one_hot`: ids in order, [L], 0 is padding. `multi_hot`: the distinct columns in ascending order, [K],
    padded with `vocabulary_size`, which is one past the last column. `count`, `tf_idf`: a pair, these columns and
    what stands in each, [K] float32."""
    ngrams: int = 1
    """Words, and runs of up to so many of them."""
    split_seed: int = 0
    """Which fifth of the training reviews of each class is for validation."""
    stem: str | None = None
    """As in `Tokenizer`: `english` for the stems of the words."""
    fold_accents: bool = False
    """As in `Tokenizer`."""
    strip_special: bool = dataclasses.field(default=False, repr=False)
    """As in `Tokenizer`. Not in the repr, which is part of the fingerprints of `Blocks` and `Cooccurrences`."""

    grouped: bool = False
    """`int`, `one_hot`: batches hold reviews of like length, and are cut to it; for models that mask the padding."""

    train_fraction: float = 1.0
    """How much of the training part is trained on, the same share of each class; a smaller share lies within a larger.
    The vocabulary is learned from all of it: labels are what is scarce, not text."""

    def __post_init__(self):
        vectorizer.check(self.encoding, self.length)
        if not 0 < self.train_fraction <= 1:
            raise UserError(f"train_fraction={self.train_fraction} is not in (0, 1]")
        for name, bound in {"vocabulary_size": 3, "ngrams": 1, "split_seed": 0}.items():
            if getattr(self, name) < bound:
                raise UserError(f"{name}={getattr(self, name)}: must be {bound} or more")

    @property
    def tokenizer(self) -> Tokenizer:
        """What splits the reviews.

        Raises:
          UserError: an unknown language of stems, or the stemmer is not installed.
        """
        return Tokenizer(
            fold_accents=self.fold_accents, strip_special=self.strip_special, ngrams=self.ngrams, stem=self.stem
        )

    def load(self, data: str, data_dir: Path) -> Dataset:
        """See `Source.load`. Real reviews are looked for in `data_dir`, as

        * `[tensorflow_datasets/]imdb_reviews/`, a directory prepared by tensorflow-datasets,
        * `aclImdb/`, the unpacked archive of the publisher, or `aclImdb_v1.tar.gz`, the archive itself,

        and otherwise downloaded and prepared there by tensorflow-datasets.
        """
        tokenizer = self.tokenizer
        if data == "sample":
            generated = sample_reviews.reviews()
            pairs = lambda labels, texts: list(zip(map(int, labels), texts, strict=True))
            train = pairs(generated.train_labels, generated.train_texts)
            test = pairs(generated.test_labels, generated.test_texts)
            arrays = self._vectorise({"train": train, "test": test}, tokenizer, self.length)
            return self._dataset(arrays, "generated reviews, not the lecture's IMDB", generated.optimum)
        if data != "real":
            raise UserError(f"data={data!r}: choose 'real' or 'sample'")
        found = imdb_files.find(data_dir) or imdb_files.download(data_dir)
        # The code belongs to the key: an entry that another version of it has made is never met again.
        modules = (imdb_files, numbering, rows, text, tokens, vectorizer)
        sources = (__file__, *(str(module.__file__) for module in modules))
        code = b"".join(Path(source).read_bytes() for source in sources)
        options = dataclasses.asdict(dataclasses.replace(self, grouped=False, train_fraction=1.0))
        key = f"imdb {hashlib.sha256(code).hexdigest()} {imdb_files.content(found)} {options}"
        length = (self.length or LENGTH) if self.encoding in SEQUENCES else None
        arrays = cached(key, lambda: self._vectorise(imdb_files.read(found), tokenizer, length))
        return self._dataset(arrays, "IMDB movie reviews")

    def texts(self, data: str, data_dir: Path) -> tuple[list[str], list[int]]:
        """The test part's reviews as they were written, in the order of their texts, and their labels.

        Raises:
          UserError: as `load`.
        """
        if data == "sample":
            generated = sample_reviews.reviews()
            pairs = zip(generated.test_texts, map(int, generated.test_labels), strict=True)
        else:
            found = imdb_files.find(data_dir) or imdb_files.download(data_dir)
            pairs = ((text, label) for label, text in imdb_files.read(found)["test"])
        both = sorted(pairs)
        return [text for text, _ in both], [label for _, label in both]

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        r"""See `Source.requests`: one review a line; an empty line is an empty review.

        An output is a logit; its line is `positive\t0.9731` or `negative\t0.0312`: the likelier label, a tab,
        and the probability that the review is *positive*, whichever label is printed.
        """
        fitted = Vectorizer.load(assets)
        lines = decoding.lines(text, name)
        return Requests(
            arrays=fitted.encode(lines),
            gather=vectorizer.inputs,
            ids=np.arange(len(lines), dtype=np.int32),
            line=_line,
        )

    def _vectorise(
        self, examples: imdb_files.Examples, tokenizer: Tokenizer, length: int | None
    ) -> dict[str, np.ndarray]:
        """All that is worth caching: the arrays, the parts, the vectorizer's files, the content's sha256."""
        digest = lambda text: hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        ordered = {part: sorted((k, digest(t), t) for k, t in examples[part]) for part in ("train", "test")}
        reviews = ordered["train"] + ordered["test"]
        labels = np.array([label for label, _, _ in reviews], np.float32)
        parts = self._parts(labels, len(ordered["train"]))
        fitted, encoded = Vectorizer.fit_encode(
            Corpus.of((text for _, _, text in reviews), tokenizer),
            tokenizer=tokenizer,
            encoding=self.encoding,
            vocabulary_size=self.vocabulary_size,
            length=length,
            learn_from=parts["train"],
        )
        identity = b"".join(digest + bytes([label]) for label, digest, _ in reviews)
        identity += str(len(ordered["train"])).encode()
        files = {ASSET + name: content.encode() for name, content in fitted.assets().items()}
        files["content"] = hashlib.sha256(identity).digest()
        buffers = {name: np.frombuffer(content, np.uint8) for name, content in files.items()}
        return {**encoded, "labels": labels, **buffers, **parts}

    def _parts(self, labels: np.ndarray, train: int) -> dict[str, np.ndarray]:
        """Take one training review in five of each class for validation, by a permutation of the class."""
        rng = np.random.default_rng(self.split_seed)
        classes = [np.flatnonzero(labels[:train] == label) for label in range(len(LABELS))]
        drawn = [rng.permutation(ids)[: len(ids) // VALIDATION] for ids in classes]
        validation = np.sort(np.concatenate(drawn)).astype(np.int32)
        return {
            "train": np.setdiff1d(np.arange(train, dtype=np.int32), validation),
            "validation": validation,
            "test": np.arange(train, len(labels), dtype=np.int32),
        }

    def _labelled(self, train: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The first examples of each class in a random order, at least one."""
        rng = np.random.default_rng(self.split_seed)
        classes = [rng.permutation(train[labels[train] == label]) for label in range(len(LABELS))]
        return np.sort(np.concatenate([ids[: max(1, round(self.train_fraction * len(ids)))] for ids in classes]))

    def _dataset(
        self, arrays: Mapping[str, np.ndarray], name: str, optimum: Mapping[str, float] | None = None
    ) -> Dataset:
        assets = {
            name.removeprefix(ASSET): content.tobytes().decode()
            for name, content in arrays.items()
            if name.startswith(ASSET)
        }
        sequences = self.encoding in SEQUENCES
        options = dataclasses.asdict(self)
        grouped = options.pop("grouped") and sequences  # the examples stay the same
        if not self.strip_special:
            del options["strip_special"]  # came later: older fingerprints stay
        lengths = None
        if sequences:
            options["length"] = rows.width(arrays, "tokens")
        if grouped:
            lengths = group_lengths(rows.flat(arrays, "tokens")[1], options["length"])
        parts = {part: arrays[part] for part in ("train", "validation", "test")}
        parts["train"] = self._labelled(parts["train"], arrays["labels"])
        sizes = ", ".join(f"{len(ids):,} {part}" for part, ids in parts.items())
        learned = assets[WORDS].count("\n")
        shape = f"cut at {options['length']}" if sequences else "as bags"
        grams = "words" if self.ngrams == 1 else f"1- to {self.ngrams}-grams"
        identity = json.dumps(options, sort_keys=True).encode() + arrays["content"].tobytes()
        return Dataset(
            arrays={name: array for name, array in arrays.items() if name in KEPT or rows.is_packed(name)},
            gather=lambda arrays, ids: (vectorizer.inputs(arrays, ids), arrays["labels"][ids]),
            parts=parts,
            description=f"{name}: {sizes}; a vocabulary of {learned:,} {grams}, {shape}",
            fingerprint=hashlib.sha256(identity).hexdigest(),
            assets=assets,
            optimum=optimum or {},
            lengths=lengths,
        )


def _line(position: int, output: Any) -> str:
    logit = float(output)
    return f"{LABELS[logit > 0]}\t{(1 + math.tanh(logit / 2)) / 2:.4f}"  # the sigmoid, without overflow
