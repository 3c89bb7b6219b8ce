"""The workloads of the benchmark and their generated data, one definition for ours and for the peers.

Legend: B batch, T time, F features or vocabulary, K distinct tokens kept of a review, N examples, S members.
"""

import dataclasses
import statistics
from collections.abc import Iterable
from typing import Any

import numpy as np

from seqjax.benchmark.sequences import data as sequence_data
from seqjax.data.dataset import Arrays, Dataset
from seqjax.data.lengths import group_lengths
from seqjax.data.series.windows import Span
from seqjax.errors import UserError

GROUPS = {"layer": "library", "stream": "stream", "sampling": "decoding", "beams": "decoding"}
GROUPS |= dict.fromkeys(("language", "translation", "tagger"), "sequence")
"""By kind; of others `lecture`."""
DELAY = 24  # rows from a window's end to its target
ROWS = 35_000  # of the weather: the training part of the hourly Jena file
MEAN_LENGTH, SPREAD, SHORTEST = 235 / 600, 0.65, 10 / 600  # of a review, as a fraction of T
SLOPE, OFFSET = 1.17, 2.7  # of the token frequencies (rank + OFFSET) ** -SLOPE
"""Fitted to IMDB: 3,862 different tokens in 32 reviews of 600, 1,965 in 32 of all lengths (here 3,930 and 2,000)."""


@dataclasses.dataclass(frozen=True)
class Workload:
    """One model on one shape of data."""

    name: str
    title: str
    kind: str
    """`lstm`, `stacked_gru`, `conv`: on windows [B, T, F]; `bilstm`: on tokens [B, T]; `bag`: on sets of tokens.

    `layer`: a recurrent layer alone on [B, T, F]; `stream`: one alone on [1, 1, F], its state handed on;
    `language`, `translation`, `tagger`: tokens [B, T] in, logits [B, T, V] out; `sampling`, `beams`: tokens out."""
    batch: int
    steps: int
    """T."""
    features: int
    """F."""
    units: int
    embedding: int = 0
    """Of the tokens; 0: one-hot."""
    masked: bool = False
    distinct: int = 0
    """K."""
    batches: int = 16
    """Different ones, used in turn."""
    alone: bool = False
    """One peer at a time beside ours: all of them do not fit into the memory."""
    cell: str = "lstm"
    """Of a `layer`: `lstm` or `gru`."""
    both: bool = False
    """A `layer` in both directions."""
    members: int = 1
    """S: so many layers of a `layer`, each with weights and batches of its own."""
    classes: int = 0
    """Tags of a `tagger`, that of the padding included."""

    @property
    def text(self) -> bool:
        """Token ids in, a logit out; else a window in, a temperature out."""
        return self.kind in ("bilstm", "bag")

    @property
    def group(self) -> str:
        """`lecture`, `sequence`: a whole model as in a run; `decoding`; `library`: a layer in somebody's program."""
        return GROUPS.get(self.kind, "lecture")

    @property
    def modes(self) -> tuple[str, ...]:
        """What is measured."""
        return ("infer",) if self.group in ("stream", "decoding") else ("train", "infer")

    def scaled(self, scale: float) -> "Workload":
        """A small copy for tests: B, T, the vocabulary, K, and large F and units times `scale`."""
        if self.kind in ("stream", "sampling"):
            return self
        small = lambda size: max(8, round(size * scale))
        return dataclasses.replace(
            self,
            batch=small(self.batch),
            steps=self.steps if self.kind == "conv" else small(self.steps),  # shorter, nothing is left to pool
            features=small(self.features) if self.features > 64 else self.features,
            units=small(self.units) if self.units > 64 else self.units,
            distinct=small(self.distinct),
        )

    def dataset(self) -> Dataset:
        """The data, in the form that the product's sources give them."""
        if self.group in ("sequence", "decoding"):
            return sequence_data.dataset(self)
        rng = np.random.default_rng(0)
        if self.group != "lecture":
            return self._sequences(rng)
        return self._reviews(rng) if self.text else self._weather(rng)

    def host_batches(self, dataset: Dataset) -> list[tuple[np.ndarray, np.ndarray]]:
        """What peers are fed: inputs (float windows, ids, or float multi-hot vectors [B, F]) and targets [B].

        Of a layer: inputs [B, T, F], or [S, B, T, F], and how many steps of each row are real, [B] or [S, B].
        Of sequences: what ours is fed.
        """
        if self.group in ("sequence", "decoding"):
            return sequence_data.host_batches(self, dataset)
        ids = dataset.parts["train"].reshape(self.batches, *((self.members,) if self.members > 1 else ()), self.batch)
        batches = [dataset.gather(dataset.arrays, row) for row in ids]
        if self.kind == "bag":
            return [(multi_hot(tokens, self.features), labels) for tokens, labels in batches]
        return batches

    def _sequences(self, rng: np.random.Generator) -> Dataset:
        count = self.batches * self.members * self.batch
        inputs = rng.standard_normal((count, self.steps, self.features), np.float32)
        real = lengths(count, self.steps, rng) if self.masked else np.full(count, self.steps)
        inputs[np.arange(self.steps) >= real[:, None]] = 0
        arrays = {"inputs": inputs, "lengths": real.astype(np.int32)}
        return self._dataset(arrays, sequences, np.arange(count, dtype=np.int32))

    def _weather(self, rng: np.random.Generator) -> Dataset:
        span = Span(1, self.steps, self.steps - 1 + DELAY)
        rows = min(ROWS, 20_000_000 // self.features)
        series = rng.normal(size=(rows, self.features)).astype(np.float32)
        target = rng.normal(size=rows).astype(np.float32)
        starts = rng.permutation(rows - span.delay)[: self.batches * self.batch].astype(np.int32)
        return self._dataset({"series": series, "target": target}, span.examples, starts)

    def _reviews(self, rng: np.random.Generator) -> Dataset:
        count = self.batches * self.batch
        weights = (np.arange(1, self.features) + OFFSET) ** -SLOPE
        uniform = rng.random((count, self.steps)) * weights.sum()
        tokens = 1 + np.searchsorted(weights.cumsum()[:-1], uniform)  # 0 is padding
        if self.masked or self.kind == "bag":
            tokens[np.arange(self.steps)[None, :] >= lengths(count, self.steps, rng)[:, None]] = 0
        if self.kind == "bag":
            tokens = distinct(tokens, self.distinct, self.features)
        labels = rng.integers(0, 2, count).astype(np.float32)
        arrays = {"tokens": tokens.astype(np.uint16), "labels": labels}
        dataset = self._dataset(arrays, reviews, np.arange(count, dtype=np.int32))
        if not self.masked:
            return dataset
        return dataclasses.replace(dataset, lengths=group_lengths(np.count_nonzero(tokens, axis=1), self.steps))

    def _dataset(self, arrays: dict[str, np.ndarray], gather: Any, ids: np.ndarray) -> Dataset:
        return Dataset(arrays, gather, {"train": ids}, f"generated for {self.name}", f"benchmark {self}")


def reviews(arrays: Arrays, ids: Any) -> tuple[Any, Any]:
    """ids [B] -> tokens [B, T or K] int32, labels [B], as `seqjax.data.text.imdb` gathers them."""
    return arrays["tokens"][ids].astype("int32"), arrays["labels"][ids]


def sequences(arrays: Arrays, ids: Any) -> tuple[Any, Any]:
    """ids [..., B] -> inputs [..., B, T, F], real steps [..., B]."""
    return arrays["inputs"][ids], arrays["lengths"][ids]


def lengths(count: int, longest: int, rng: np.random.Generator) -> np.ndarray:
    """int [count] in random order: the quantiles of a log-normal, cut at `longest`, with mean 235 / 600 of it."""
    normal = statistics.NormalDist()
    shape = np.exp([SPREAD * normal.inv_cdf((k + 0.5) / count) for k in range(count)])
    low, high = 0.0, 1.0
    for _ in range(40):  # the scale, by bisection
        scale = (low + high) / 2
        fractions = np.clip(scale * shape, SHORTEST, 1)
        low, high = (scale, high) if fractions.mean() < MEAN_LENGTH else (low, scale)
    return rng.permutation(np.maximum(1, np.round(fractions * longest)).astype(int))


def distinct(tokens: np.ndarray, width: int, padding: int) -> np.ndarray:
    """The different tokens but 0 of each row, ascending, in `width` columns filled up with `padding`."""
    rows = np.full((len(tokens), width), padding)
    for row, review in zip(rows, tokens, strict=True):
        present = np.unique(review[review > 0])[:width]
        row[: len(present)] = present
    return rows


def multi_hot(tokens: np.ndarray, vocabulary: int) -> np.ndarray:
    """Distinct tokens [B, K], padded with `vocabulary` -> float32 [B, vocabulary]."""
    vectors = np.zeros((len(tokens), vocabulary + 1), np.float32)
    np.put_along_axis(vectors, tokens, 1, axis=1)
    return np.ascontiguousarray(vectors[:, :vocabulary])


_IMDB: Any = {"features": 20_000, "steps": 600, "units": 32}
_BAG: Any = {"kind": "bag", "features": 20_000, "steps": 600, "units": 16, "distinct": 835}
WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("W1", "Jena, LSTM 16, batch 256, T 120", "lstm", 256, 120, 14, 16),
        Workload("W2", "Jena, two GRU 32 with recurrent dropout .5, batch 256, T 120", "stacked_gru", 256, 120, 14, 32),
        Workload("W3", "IMDB, Embedding 256, BiLSTM 32, batch 32, T 600", "bilstm", 32, embedding=256, **_IMDB),
        Workload(
            "W3m",
            "W3 masked, mean length 235; seqjax's batches hold reviews of like length",
            "bilstm",
            32,
            embedding=256,
            masked=True,
            **_IMDB,
        ),
        Workload("W3b", "W3 on one-hot input", "bilstm", 32, alone=True, **_IMDB),
        Workload("W4", "IMDB bag of words, Dense 16, batch 32", batch=32, **_BAG),
        Workload("W4-512", "W4 in batches of 512", batch=512, batches=8, **_BAG),
        Workload("W5", "Jena, three Conv1D, batch 256, T 120", "conv", 256, 120, 14, 8),
        Workload("W6", "LSTM 512, batch 64, T 512, 512 features", "lstm", 64, 512, 512, 512, batches=2),
    )
}


_SIZES = ((32, 100, 32), (64, 100, 64), (128, 100, 64), (256, 100, 128), (512, 64, 256))
_VARIANTS: Any = {
    "": ("LSTM", {}),
    "-gru": ("GRU", {"cell": "gru"}),
    "-bi": ("bidirectional LSTM", {"both": True}),
    "-masked": ("LSTM masked, mean length .39 T,", {"masked": True}),
}
LIBRARY = {
    f"L{units}{ending}": Workload(
        f"L{units}{ending}",
        f"{said} {units}, batch 64, T {steps}, {features} features",
        "layer",
        64,
        steps,
        features,
        units,
        batches=2,
        **options,
    )
    for ending, (said, options) in _VARIANTS.items()
    for units, steps, features in _SIZES
}
"""A layer in somebody's own program."""
_STREAM: Any = {"kind": "stream", "batch": 1, "steps": 1, "batches": 1000}
STREAMS = {
    "S1": Workload("S1", "W1's LSTM at batch 1, a step at a time", features=14, units=16, **_STREAM),
    "S2": Workload("S2", "LSTM 128, 40 features, at batch 1, a step at a time", features=40, units=128, **_STREAM),
}
_CHARACTERS: Any = {"features": 66, "units": 512}
_PAIRS: Any = {"batch": 64, "steps": 20, "features": 8000, "units": 256, "embedding": 256}
_TAGGER: Any = {"features": 1000, "units": 128, "embedding": 128, "classes": 128, "masked": True}
SEQUENCES = {
    workload.name: workload
    for workload in (
        Workload("W7", "characters, LSTM 512, batch 64, T 100, state carried", "language", 64, 100, **_CHARACTERS),
        Workload("W8", "translation, GRU 256 with attention, batch 64, T 20, V 8,000", "translation", **_PAIRS),
        Workload("W9", "slots of ATIS, BiLSTM 128, batch 32, by length", "tagger", 32, 46, **_TAGGER),
        Workload("D1", "W7's model writes, a character a step", "sampling", 1, 1, batches=512, **_CHARACTERS),
        Workload("D2", "W8's model translates with beam 5, 64 sentences a step", "beams", **_PAIRS | {"batches": 4}),
    )
}
ALL = WORKLOADS | STREAMS | LIBRARY | SEQUENCES


def named(names: Iterable[str]) -> list[str]:
    """The same names once each, with those of its workloads for `library`.

    Raises:
      UserError: there is no workload of a name.
    """
    found = [each for name in names for each in (LIBRARY if name == "library" else [find(name).name])]
    return list(dict.fromkeys(found))


def find(name: str) -> Workload:
    """The workload of that name.

    Raises:
      UserError: there is none.
    """
    if name not in ALL:
        raise UserError(f"there is no workload {name!r}; choices: {', '.join(ALL)}, or library for all from L32 on")
    return ALL[name]
