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

from seqjax.data import imdb_files, sample_reviews, text, tokens
from seqjax.data.cache import cached
from seqjax.data.dataset import Arrays, Dataset, Requests
from seqjax.data.text import Corpus, Tokenizer, Vocabulary, encode_int, encode_multi_hot
from seqjax.errors import UserError

LENGTH = 600  # the lecture's, for the real reviews: 5 % of them are longer
LABELS = ("negative", "positive")
VALIDATION = 5  # one review in five of each class
OPTIONS, WORDS = "text.json", "vocabulary.txt"


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
    """`int` encoding: L. None is 600, and for the sample the least multiple of 16 that cuts no review."""
    encoding: str = "int"
    """`int`: ids in order, [L], 0 is padding. `multi_hot`: the distinct columns in ascending order, [K],
    padded with `vocabulary_size`, which is one past the last column."""
    ngrams: int = 1
    """Words, and runs of up to so many of them."""
    split_seed: int = 0
    """Which fifth of the training reviews of each class is for validation."""

    def __post_init__(self):
        if self.encoding not in ("int", "multi_hot"):
            raise UserError(f"encoding={self.encoding!r}: choose 'int' or 'multi_hot'")
        if self.length is not None and self.encoding != "int":
            raise UserError(f"length={self.length}: only encoding='int' has a length")
        least = {"vocabulary_size": 3, "length": 1, "ngrams": 1, "split_seed": 0}
        for name, bound in least.items():
            value = getattr(self, name)
            if value is not None and value < bound:
                raise UserError(f"{name}={value}: must be {bound} or more")

    def load(self, data: str, data_dir: Path) -> Dataset:
        """See `Source.load`. Real reviews are looked for in `data_dir`, as

        * `[tensorflow_datasets/]imdb_reviews/`, a directory prepared by tensorflow-datasets,
        * `aclImdb/`, the unpacked archive of the publisher, or `aclImdb_v1.tar.gz`, the archive itself,

        and otherwise downloaded and prepared there by tensorflow-datasets.
        """
        if data == "sample":
            generated = sample_reviews.reviews()
            pairs = lambda labels, texts: list(zip(map(int, labels), texts, strict=True))
            train = pairs(generated.train_labels, generated.train_texts)
            test = pairs(generated.test_labels, generated.test_texts)
            arrays = self._vectorise({"train": train, "test": test}, self.length)
            return self._dataset(arrays, "generated reviews, not the lecture's IMDB", generated.optimum)
        if data != "real":
            raise UserError(f"data={data!r}: choose 'real' or 'sample'")
        found = imdb_files.find(data_dir) or imdb_files.download(data_dir)
        # The code belongs to the key: an entry that another version of it has made is never met again.
        sources = (__file__, imdb_files.__file__, text.__file__, tokens.__file__)
        code = b"".join(Path(source).read_bytes() for source in sources)
        key = f"imdb {hashlib.sha256(code).hexdigest()} {imdb_files.content(found)} {self}"
        arrays = cached(key, lambda: self._vectorise(imdb_files.read(found), self.length or LENGTH))
        return self._dataset(arrays, "IMDB movie reviews")

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        r"""See `Source.requests`: one review a line; an empty line is an empty review.

        An output is a logit; its line is `positive\t0.9731` or `negative\t0.0312`: the likelier label, a tab,
        and the probability that the review is *positive*, whichever label is printed.
        """
        options, vocabulary = _assets(assets)
        try:
            lines = text.read().split("\n")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            byte = error.object[error.start]
            raise UserError(f"{name}, line {line}: byte 0x{byte:02x} is not UTF-8") from error
        if lines[-1] == "":
            lines.pop()
        corpus = Corpus.of(lines, Tokenizer(ngrams=options["ngrams"]))
        tokens = _encode(corpus, vocabulary, options)
        return Requests(
            arrays={"tokens": tokens},
            gather=lambda arrays, ids: arrays["tokens"][ids].astype("int32"),
            ids=np.arange(len(lines), dtype=np.int32),
            line=_line,
        )

    def _vectorise(self, examples: imdb_files.Examples, length: int | None) -> dict[str, np.ndarray]:
        """All that is worth caching: the arrays, the parts, the vocabulary, the content's sha256."""
        digest = lambda text: hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        ordered = {part: sorted((k, digest(t), t) for k, t in examples[part]) for part in ("train", "test")}
        rows = ordered["train"] + ordered["test"]
        labels = np.array([label for label, _, _ in rows], np.float32)
        parts = self._parts(labels, len(ordered["train"]))
        corpus = Corpus.of((text for _, _, text in rows), Tokenizer(ngrams=self.ngrams))
        mask = self.encoding == "int"
        vocabulary = Vocabulary.fit(corpus, self.vocabulary_size, mask=mask, texts=parts["train"])
        if mask and length is None:
            length = max(1, math.ceil(corpus.lengths.max() / 16)) * 16
        tokens = _encode(corpus, vocabulary, dataclasses.asdict(self) | {"length": length})
        identity = b"".join(digest + bytes([label]) for label, digest, _ in rows)
        identity += str(len(ordered["train"])).encode()
        return {
            "tokens": tokens,
            "labels": labels,
            "vocabulary": np.frombuffer(vocabulary.to_text().encode(), np.uint8),
            "content": np.frombuffer(hashlib.sha256(identity).digest(), np.uint8),
            **parts,
        }

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

    def _dataset(
        self, arrays: Mapping[str, np.ndarray], name: str, optimum: Mapping[str, float] | None = None
    ) -> Dataset:
        tokens, vocabulary = arrays["tokens"], arrays["vocabulary"].tobytes().decode()
        options = dataclasses.asdict(self)
        if self.encoding == "int":
            options["length"] = tokens.shape[1]
        parts = {part: arrays[part] for part in ("train", "validation", "test")}
        sizes = ", ".join(f"{len(ids):,} {part}" for part, ids in parts.items())
        learned = vocabulary.count("\n")
        shape = f"cut at {tokens.shape[1]}" if self.encoding == "int" else "as bags"
        grams = "words" if self.ngrams == 1 else f"1- to {self.ngrams}-grams"
        identity = json.dumps(options, sort_keys=True).encode() + arrays["content"].tobytes()
        return Dataset(
            arrays={"tokens": tokens, "labels": arrays["labels"]},
            gather=_gather,
            parts=parts,
            description=f"{name}: {sizes}; a vocabulary of {learned:,} {grams}, {shape}",
            fingerprint=hashlib.sha256(identity).hexdigest(),
            assets={WORDS: vocabulary, OPTIONS: json.dumps(options, indent=1, sort_keys=True) + "\n"},
            optimum=optimum or {},
        )


def _gather(arrays: Arrays, ids: Any) -> tuple[Any, Any]:
    """ids [B] -> tokens [B, L or K] int32, labels [B] float32."""
    return arrays["tokens"][ids].astype("int32"), arrays["labels"][ids]


def _encode(corpus: Corpus, vocabulary: Vocabulary, options: Mapping[str, Any]) -> np.ndarray:
    if options["encoding"] == "int":
        return encode_int(corpus, vocabulary, options["length"])
    return encode_multi_hot(corpus, vocabulary, options["vocabulary_size"])


def _line(position: int, output: Any) -> str:
    logit = float(output)
    return f"{LABELS[logit > 0]}\t{(1 + math.tanh(logit / 2)) / 2:.4f}"  # the sigmoid, without overflow


def _assets(folder: Path) -> tuple[dict[str, Any], Vocabulary]:
    """What `_dataset` has written: the options (with the actual length), and the vocabulary."""
    path = folder / OPTIONS
    try:
        options = dataclasses.asdict(Reviews(**json.loads(path.read_text(encoding="utf-8"))))
        if options["encoding"] == "int" and options["length"] is None:
            raise ValueError("no length")
        path = folder / WORDS
        words = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}: the workdir of a text experiment has it") from error
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} is damaged: {error}") from error
    vocabulary = Vocabulary.from_text(words, mask=options["encoding"] == "int", name=str(path))
    if vocabulary.size > options["vocabulary_size"]:
        limit = options["vocabulary_size"]
        raise UserError(f"{path}: {vocabulary.size} ids, more than the {limit} of {OPTIONS}")
    return options, vocabulary
