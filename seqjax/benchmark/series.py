"""Classifiers of series beside ours, on the same split in the same process: how often right, and after how long.

Those that need no validation part learn from the whole training file, as in the published figures; ours, which has to
choose its epoch, from four fifths of it. Peers are imported where they are made: not all are installed.
"""

import contextlib
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import numpy as np

import seqjax
from seqjax.benchmark.worker import OURS
from seqjax.data.dataset import Dataset
from seqjax.errors import UserError


class Kind(NamedTuple):
    """What is classified."""

    title: str
    experiment: str
    window: float
    """Of dynamic time warping, as a share of the length: what the archive's authors have found on the training part."""


KINDS = {"forda": Kind("FordA, 3,601 and 1,320 series of 500 steps", "forda_gru", 0.01)}
PEERS = {"minirocket": ("aeon",), "nearest": ("sklearn",), "nearest-dtw": ("aeon",)}
"""What each imports, the one that names its version first."""


class Row(TypedDict):
    """One implementation on one kind."""

    kind: str
    implementation: str
    data: str
    accuracy: float
    """Of the test part."""
    fit_seconds: float
    """Ours: the whole run, from reading the file to the test."""
    predict_seconds: float | None
    cpu_seconds: float
    """Of all threads, for both."""
    learned_from: int
    """Series."""
    seed: int
    threads: int
    version: str


def measure(
    kinds: Sequence[str], data: str, data_dir: Path, peers: Collection[str], seeds: int, options: Sequence[str] = ()
) -> Iterator[Row]:
    """All implementations of a kind one after the other, kind after kind, each row as soon as it is there.

    Args:
      kinds: of `KINDS`.
      data: `real` or `sample`.
      data_dir: where real data are.
      peers: of `PEERS`, those that are installed.
      seeds: how often those that draw random numbers are run.
      options: `knob=value` each, of our row.

    Raises:
      UserError: no data, or series of unlike length, which the peers do not take.
    """
    from seqjax import experiment as experiments

    for kind in kinds:
        function = experiments.load(experiments.find(KINDS[kind].experiment))
        dataset = function().source.load(data, data_dir)
        if peers and "starts" in dataset.arrays:
            raise UserError(f"{kind}: its series are of unlike length, which the peers do not take; --peers= for none")
        yield from (_ours(kind, data, data_dir, seed, options, dataset) for seed in range(seeds))
        for peer in peers:
            drawn = seeds if peer == "minirocket" else 1
            yield from (_peer(kind, peer, data, dataset, seed) for seed in range(drawn))


def _ours(kind: str, data: str, data_dir: Path, seed: int, options: Sequence[str], dataset: Dataset) -> Row:
    from seqjax.runs import commands
    from seqjax.training.program import Settings
    from seqjax.training.workdir import Workdir

    clock, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        knobs = [*options, f"seed={seed}"]
        workdir = Workdir(Path(folder) / "run")
        name = KINDS[kind].experiment
        found = commands.train(name, workdir, options=knobs, data=data, data_dir=data_dir, settings=Settings())
    taken = time.perf_counter() - clock, None, time.process_time() - cpu
    return _row(kind, OURS, data, found["test"]["accuracy"], taken, len(dataset.parts["train"]), seed)


def _peer(kind: str, peer: str, data: str, dataset: Dataset, seed: int) -> Row:
    values, labels = dataset.arrays["values"], dataset.arrays["labels"].astype(np.int64)
    learned = np.union1d(dataset.parts["train"], dataset.parts["validation"])
    tested = dataset.parts["test"]
    model, shaped = MODELS[peer](KINDS[kind], seed)
    clock, cpu = time.perf_counter(), time.process_time()
    model.fit(shaped(values[learned]), labels[learned])
    fitted = time.perf_counter()
    guessed = model.predict(shaped(values[tested]))
    taken = fitted - clock, time.perf_counter() - fitted, time.process_time() - cpu
    return _row(kind, peer, data, float((guessed == labels[tested]).mean()), taken, len(learned), seed)


def _row(
    kind: str,
    name: str,
    data: str,
    accuracy: float,
    taken: tuple[float, float | None, float],
    learned_from: int,
    seed: int,
) -> Row:
    fit, predict, cpu = (None if seconds is None else round(seconds, 3) for seconds in taken)
    module = importlib.import_module(PEERS[name][0]) if name in PEERS else seqjax
    assert fit is not None
    assert cpu is not None
    return Row(
        kind=kind,
        implementation=name,
        data=data,
        accuracy=round(accuracy, 6),
        fit_seconds=fit,
        predict_seconds=predict,
        cpu_seconds=cpu,
        learned_from=learned_from,
        seed=seed,
        threads=_threads(),
        version=module.__version__,
    )


def _threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


Made = tuple[Any, Callable[[np.ndarray], np.ndarray]]
"""A model with fit and predict, and what brings series [N, L, D] into the form that it takes."""


def _minirocket(kind: Kind, seed: int) -> Made:
    """MiniROCKET's 10,000 features (Dempster et al. 2021) and a ridge classifier, as aeon has them."""
    del kind
    from aeon.classification.convolution_based import (  # pyright: ignore[reportMissingImports]
        MiniRocketClassifier,
    )

    return MiniRocketClassifier(random_state=seed, n_jobs=_threads()), _channels_first


def _nearest(kind: Kind, seed: int) -> Made:
    """The class of the nearest series, by the Euclidean distance."""
    del kind, seed
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(1, algorithm="brute"), lambda values: values.reshape(len(values), -1)


def _nearest_dtw(kind: Kind, seed: int) -> Made:
    """By dynamic time warping within a window."""
    del seed
    from aeon.classification.distance_based import (  # pyright: ignore[reportMissingImports]
        KNeighborsTimeSeriesClassifier,
    )

    options = {"distance": "dtw", "distance_params": {"window": kind.window}}
    return KNeighborsTimeSeriesClassifier(n_neighbors=1, n_jobs=_threads(), **options), _channels_first


def _channels_first(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values.transpose(0, 2, 1), np.float64)


MODELS: dict[str, Callable[[Kind, int], Made]] = {
    "minirocket": _minirocket,
    "nearest": _nearest,
    "nearest-dtw": _nearest_dtw,
}
