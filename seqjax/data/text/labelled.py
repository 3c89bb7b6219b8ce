"""A source of texts that belong to one of two or more classes, whatever collection they come from.

The texts are put in an order of their own, those for test behind the others, by class and content: the same rows in
another order are the same data.

Legend: B batch, N texts, L length, K classes.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np

from seqjax.data.cache import cached
from seqjax.data.dataset import Dataset, Requests
from seqjax.data.lengths import group_lengths
from seqjax.data.text import classes as labels_of
from seqjax.data.text import encodings, numbering, rows, sample_topics, splits, tokens, vectorizer
from seqjax.data.text.classified import ASSET, requests
from seqjax.data.text.encodings import Corpus, Tokenizer
from seqjax.data.text.vectorizer import SEQUENCES, WORDS, Vectorizer
from seqjax.errors import UserError, check_least

LONGEST, MOST = 256, 2048
"""Unless `length` says otherwise, texts up to so many tokens are never cut, and those beyond the latter always; between
them one in a hundred is."""
SAMPLE = 4
"""K of the sample, where nothing says how many."""
FILE = "file "
"""Before the names of the vectorizer's files among the cached arrays."""


@dataclasses.dataclass(frozen=True)
class Examples:
    """What a collection holds."""

    texts: Sequence[str]
    """N of them."""
    labels: Sequence[str]
    """[N]."""
    parts: Sequence[str] | None = None
    """[N] `train`, `validation` or `test`, as in `splits.parts`; None: to be drawn."""
    notes: tuple[str, ...] = ()
    """What the user must know."""
    optimum: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """As `Dataset.optimum`."""


class Collection(Protocol):
    """A frozen dataclass of options that knows how to read labelled texts."""

    def examples(self, data_dir: Path) -> tuple[Examples, str]:
        """-> (the real ones, their name). Raises UserError: missing, damaged or malformed."""
        ...

    def form(self) -> dict[str, str]:
        """How a table of more texts is read: `column`, and `encoding`, `delimiter`, `quotes` as in `OwnTexts`."""
        ...


@dataclasses.dataclass(frozen=True)
class LabelledTexts:
    """A `Source`: inputs as `Vectorizer` makes them; targets are the numbers of the classes.

    Of two classes the targets are float32 0 or 1, for one logit; of more, int32. The vocabulary is learned from the
    training part alone.

    Raises:
      UserError: options that are unknown or out of range.
    """

    collection: Collection
    classes: int | None = None
    """K; None: as many as there are, which is told to the experiment (`Dataset.knobs`)."""
    vocabulary_size: int = 20_000
    length: int | None = None
    """As `Vectorizer`'s; None: see `LONGEST`."""
    encoding: str = "int"
    ngrams: int = 1
    split: str = "words"
    """Or `characters`, for languages that write no spaces: as in `Tokenizer`, like the next four."""
    stem: str | None = None
    fold_accents: bool = False
    fold_digits: bool = False
    strip_special: bool = False
    grouped: bool = False
    """Sequences: batches hold texts of like length, and are cut to it; for models that mask the padding."""
    weighted: bool = False
    """Targets are pairs: the class [B], and its `classes.balanced` weight [B]."""
    split_seed: int = 0
    """Of the parts that are drawn."""
    share: int = splits.FIFTH
    """Of each class one text in so many is drawn."""
    words: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    """Known besides those of the training part, behind them: as in `Vectorizer.fit_encode`."""

    def __post_init__(self):
        vectorizer.check(self.encoding, self.length)
        for name, least in {"vocabulary_size": 3, "split_seed": 0, "share": 2}.items():
            check_least(name, getattr(self, name), least)
        check_least("classes", self.classes or 2, 2)

    @property
    def tokenizer(self) -> Tokenizer:
        """What splits the texts."""
        switches = {name: getattr(self, name) for name in ("fold_accents", "fold_digits", "strip_special")}
        return Tokenizer(**switches, split=self.split, ngrams=self.ngrams, stem=self.stem)

    def load(self, data: str, data_dir: Path) -> Dataset:
        """See `Source.load`; the sample is `sample_topics`."""
        tokenizer = self.tokenizer  # refuses its options before anything is read
        if data == "sample":
            made = sample_topics.topics(self.classes or SAMPLE)
            examples, name = Examples(made.texts, made.labels, made.parts, (), made.optimum), "generated texts"
        elif data == "real":
            examples, name = self.collection.examples(data_dir)
        else:
            raise UserError(f"data={data!r}: choose 'real' or 'sample'")
        names = labels_of.ordered(examples.labels)
        labels_of.check(names, self.classes, len(examples.labels), name)
        examples = _sorted(examples, names)
        numbers = np.array([names.index(label) for label in examples.labels], np.int32)
        parts = splits.parts(examples.parts, numbers, examples.texts, self.split_seed, name, self.share)
        _check_known(numbers, parts, names, name)
        return self._dataset(examples, names, numbers, parts, name, tokenizer)

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """See `Source.requests` and `classified.requests`."""
        return requests(assets, text, name)

    def _dataset(
        self,
        examples: Examples,
        names: tuple[str, ...],
        numbers: np.ndarray,
        parts: dict[str, np.ndarray],
        name: str,
        tokenizer: Tokenizer,
    ) -> Dataset:
        options = dataclasses.asdict(dataclasses.replace(self, grouped=False, weighted=False))
        del options["collection"], options["classes"]  # what is read counts
        content = hashlib.sha256(json.dumps([options, names, *map(list, (numbers.tolist(), examples.texts))]).encode())
        for part in splits.PARTS:
            content.update(parts[part].astype("<i4").tobytes() + b"\0")
        key = f"labelled {_code()} {content.hexdigest()}"
        arrays = cached(key, lambda: self._vectorised(examples.texts, numbers, parts, tokenizer))
        files = {name: values.tobytes().decode() for name, values in arrays.items() if name.startswith(FILE)}
        baselines = json.loads(files.pop(FILE + "baselines"))
        assets = {name.removeprefix(FILE): content for name, content in files.items()}
        two = len(names) == 2
        kept = {name: values for name, values in arrays.items() if name in vectorizer.ARRAYS or rows.is_packed(name)}
        kept["labels"] = numbers.astype(np.float32) if two else numbers
        if self.weighted:
            kept["weights"] = labels_of.balanced(numbers[parts["train"]], len(names))[numbers]
        return Dataset(
            arrays=kept,
            gather=weighted if self.weighted else plain,
            parts=parts,
            description=f"{name}: {self._said(examples, names, parts, arrays, assets)}",
            fingerprint=content.hexdigest() if not self.weighted else hashlib.sha256(content.digest()).hexdigest(),
            assets=assets | {ASSET: json.dumps({**self.collection.form(), "classes": names}, indent=1) + "\n"},
            optimum=examples.optimum,
            baselines=baselines,
            knobs={"classes": len(names)},
            classes=names,
            lengths=self._lengths(arrays) if self.grouped and self.encoding in SEQUENCES else None,
        )

    def _vectorised(
        self, texts: Sequence[str], numbers: np.ndarray, parts: dict[str, np.ndarray], tokenizer: Tokenizer
    ) -> dict[str, np.ndarray]:
        """All that is worth caching: the arrays, the vectorizer's files, the baselines."""
        corpus = Corpus.of(texts, tokenizer)
        length = self.length
        if length is None and self.encoding in SEQUENCES:
            most = int(corpus.lengths.max())
            common = int(np.quantile(corpus.lengths[parts["train"]], 0.99, method="lower"))
            length = math.ceil(max(1, min(most, max(common, LONGEST), MOST)) / 16) * 16
        fitted, encoded = Vectorizer.fit_encode(
            corpus,
            tokenizer=tokenizer,
            encoding=self.encoding,
            vocabulary_size=self.vocabulary_size,
            length=length,
            learn_from=parts["train"],
            words=self.words,
        )
        if not fitted.vocabulary.tokens:
            raise UserError("no training text holds a word: are they in another column?")
        files = {**fitted.assets(), "baselines": json.dumps(labels_of.baselines(texts, numbers, parts, self.split))}
        buffers = {FILE + name: np.frombuffer(content.encode(), np.uint8) for name, content in files.items()}
        return {**encoded, **buffers, "token_counts": corpus.lengths}

    def _lengths(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        return group_lengths(rows.flat(arrays, "tokens")[1], rows.width(arrays, "tokens"))

    def _said(
        self,
        examples: Examples,
        names: tuple[str, ...],
        parts: Mapping[str, np.ndarray],
        arrays: Mapping[str, np.ndarray],
        assets: Mapping[str, str],
    ) -> str:
        """One line: the parts, the classes, the vocabulary, and what is odd."""
        said = [", ".join(f"{len(ids):,} {part}" for part, ids in parts.items())]
        said += labels_of.notes(examples.labels, names)
        grams = self.split if self.ngrams == 1 else f"1- to {self.ngrams}-grams of {self.split}"
        length = rows.width(arrays, "tokens")
        cut = int((arrays["token_counts"] > length).sum()) if self.encoding in SEQUENCES else 0
        shape = f"cut at {length}" + (f" ({cut:,} are longer)" if cut else "")
        shape = shape if self.encoding in SEQUENCES else "as bags"
        said.append(f"a vocabulary of {assets[WORDS].count(chr(10)):,} {grams}, {shape}")
        tested = {examples.labels[k] for k in parts["test"]}
        if untested := [name for name in names if name not in tested]:
            said.append(f"no test text of {labels_of.listed(untested)}")
        if crossing := splits.crossing(parts, examples.texts):
            said.append(f"{crossing:,} of the test texts also in another part")
        two = len({*zip(examples.texts, examples.labels, strict=True)}) - len({*examples.texts})
        if two:
            said.append(f"{two:,} {'texts have' if two > 1 else 'text has'} two labels")
        return "; ".join([*said, *examples.notes])


def _sorted(examples: Examples, names: tuple[str, ...]) -> Examples:
    """See the module."""
    digest = lambda text: hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    order = {name: number for number, name in enumerate(names)}
    given = examples.parts or [""] * len(examples.texts)
    keys = (
        (part == "test", order[label], digest(text), text, part)
        for text, label, part in zip(examples.texts, examples.labels, given, strict=True)
    )
    ranked = sorted(keys)
    return dataclasses.replace(
        examples,
        texts=[text for _, _, _, text, _ in ranked],
        labels=[names[number] for _, number, _, _, _ in ranked],
        parts=[part for *_, part in ranked] if examples.parts is not None else None,
    )


def _check_known(numbers: np.ndarray, parts: Mapping[str, np.ndarray], names: Sequence[str], file: str) -> None:
    """Raise UserError: a class has no text to learn from."""
    for part in ("validation", "test"):
        unknown = np.setdiff1d(numbers[parts[part]], numbers[parts["train"]])
        if len(unknown):
            raise UserError(f"{file}: class {names[unknown[0]]!r} is in the {part} part, but not in the training part")


def plain(arrays: Mapping[str, Any], ids: Any) -> tuple[Any, Any]:
    """`Dataset.gather`."""
    return vectorizer.inputs(arrays, ids), arrays["labels"][ids]


def weighted(arrays: Mapping[str, Any], ids: Any) -> tuple[Any, Any]:
    """`Dataset.gather` with the weights of the losses."""
    return vectorizer.inputs(arrays, ids), (arrays["labels"][ids], arrays["weights"][ids])


def _code() -> str:
    """Of what makes the cached arrays: an entry that another version has made is never met again."""
    modules = (labels_of, encodings, numbering, rows, splits, tokens, vectorizer)
    sources = (__file__, *(str(module.__file__) for module in modules))
    return hashlib.sha256(b"".join(Path(source).read_bytes() for source in sources)).hexdigest()
