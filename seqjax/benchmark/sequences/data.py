"""Generated data of the workloads that answer with sequences, in the form that the product's sources give them.

Legend: B batch, T time, N examples, V vocabulary, K tags.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from seqjax.data.dataset import Arrays, Dataset
from seqjax.data.lengths import group_lengths
from seqjax.data.pipeline import order

START, END = 2, 3
"""As in `seqjax.data.text.words`."""
BEAMS, ALPHA = 5, 1.0
"""Of `seqjax.models.translate.Translate`."""
TEMPERATURE = 0.8
MEAN, DEVIATION = 11.3, 4.4
"""Words in a request of ATIS, of at most 46. Padded to lengths of groups they are 17.0 (here 16.8)."""
SLOPE, OFFSET = 1.17, 2.7
"""As in `seqjax.benchmark.workloads`."""


def dataset(workload: Any) -> Dataset:
    """Of a `Workload` of the group `sequence` or `decoding`."""
    rng = np.random.default_rng(0)
    arrays, gather, lengths, ordered = _MADE[workload.kind](workload, rng)
    ids = np.arange(len(arrays["targets"]), dtype=np.int32)
    name = workload.name
    return Dataset(
        arrays, gather, {"train": ids}, f"generated for {name}", f"benchmark {workload}", lengths=lengths,
        ordered=ordered,
    )  # fmt: skip


def host_batches(workload: Any, dataset: Dataset) -> list[tuple[Any, Any]]:
    """(inputs, targets) of each batch in the order of ours without a seed, cut to its longest example as ours is."""
    ids, lengths = dataset.parts["train"], dataset.lengths
    rows = ids[order(None, 0, workload.batch, len(ids), lengths)].reshape(-1, workload.batch)
    found = []
    for row in rows:
        longest = workload.steps if lengths is None else int(lengths[row].max())
        inputs, targets = dataset.gather(dataset.arrays, row)
        cut = lambda leaf, longest=longest: leaf[:, :longest] if leaf.ndim > 1 else leaf
        inputs = tuple(map(cut, inputs)) if isinstance(inputs, tuple) else cut(inputs)
        found.append((inputs, cut(targets)))
    return found


def _language(workload: Any, rng: np.random.Generator) -> Any:
    """B streams of symbols; row b of a batch goes on where row b of the one before ended."""
    streams = rng.integers(1, workload.features, (workload.batch, workload.batches * workload.steps + 1))
    pieces = lambda text: text.reshape(workload.batch, workload.batches, -1).swapaxes(0, 1).reshape(-1, workload.steps)
    arrays = {"inputs": pieces(streams[:, :-1]), "targets": pieces(streams[:, 1:])}
    arrays = {name: array.astype(np.int32) for name, array in arrays.items()}
    arrays["fresh"] = np.zeros(len(arrays["inputs"]), bool)
    return arrays, characters, None, True


def _translation(workload: Any, rng: np.random.Generator) -> Any:
    """Sentences of T words each: no padding."""
    count = workload.batches * workload.batch
    source, target = (_words(workload, rng, count) for _ in range(2))
    target[:, -1] = END
    before = np.concatenate([np.full((count, 1), START, np.int32), target[:, :-1]], axis=1)
    return {"source": source, "before": before, "targets": target}, pairs, None, False


def _tagger(workload: Any, rng: np.random.Generator) -> Any:
    """Requests whose lengths are those of ATIS, grouped as the experiment groups them."""
    count = workload.batches * workload.batch
    words, tags = _words(workload, rng, count), rng.integers(1, workload.classes, (count, workload.steps))
    scale = workload.steps / 46
    real = np.round(rng.gamma((MEAN / DEVIATION) ** 2, scale * DEVIATION**2 / MEAN, count))
    real = np.clip(real, 1, workload.steps).astype(int)
    padding = np.arange(workload.steps) >= real[:, None]
    words[padding] = 0
    tags[padding] = 0
    arrays = {"inputs": words, "targets": tags.astype(np.int32)}
    return arrays, requests, group_lengths(real, workload.steps), False


def _words(workload: Any, rng: np.random.Generator, count: int) -> np.ndarray:
    """int32 [count, T] from 4 on, frequencies as in texts; 0 to 3 are no words."""
    weights = (np.arange(1, workload.features - 3) + OFFSET) ** -SLOPE
    uniform = rng.random((count, workload.steps)) * weights.sum()
    return (4 + np.searchsorted(weights.cumsum()[:-1], uniform)).astype(np.int32)


_MADE: dict[str, Callable] = {
    "language": _language,
    "sampling": _language,
    "translation": _translation,
    "beams": _translation,
    "tagger": _tagger,
}


def characters(arrays: Arrays, ids: Any) -> tuple[Any, Any]:
    """ids [B] -> (symbols [B, T], whether each row begins anew [B]), the symbols one step later [B, T]."""
    return (arrays["inputs"][ids], arrays["fresh"][ids]), arrays["targets"][ids]


def pairs(arrays: Arrays, ids: Any) -> tuple[Any, Any]:
    """ids [B] -> (source [B, T], target's tokens before [B, T]), targets [B, T]."""
    return (arrays["source"][ids], arrays["before"][ids]), arrays["targets"][ids]


def requests(arrays: Arrays, ids: Any) -> tuple[Any, Any]:
    """ids [B] -> words [B, T], tags [B, T]."""
    return arrays["inputs"][ids], arrays["targets"][ids]
