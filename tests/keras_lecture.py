"""The lecture's models as one writes them in Keras, small or in full size, with inputs that they can be fed.

Legend: N examples, B batch, T time, D features, V vocabulary.
"""

import contextlib
import dataclasses
import warnings
from typing import Any

import jax
import keras
import numpy as np
import pytest
from keras import layers

from seqjax import experiment as experiments
from seqjax.data.dataset import Dataset
from seqjax.experiment import Experiment
from seqjax.interop.experiments import multi_hot

NAMES = ("jena_dense", "jena_lstm", "imdb_unigram", "imdb_bilstm", "imdb_bilstm_masked")
QUICK = [pytest.param(name, marks=[pytest.mark.slow] * (name == "imdb_bilstm")) for name in NAMES]
"""Without the one that takes as long as its masked variant, which does all that it does."""


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Of models and of inputs; as given here, the lecture's."""

    examples: int = 2000
    time: int = 120
    features: int = 14
    words: int = 600
    vocabulary: int = 20_000
    embedding: int = 256
    dense: int = 16
    lstm: int = 16
    bilstm: int = 32
    jena_batch: int = 256
    imdb_batch: int = 32


FULL = Sizes()
SMALL = Sizes(
    examples=64, time=8, features=3, words=10, vocabulary=50, embedding=8, dense=4, lstm=5, bilstm=4, jena_batch=16,
    imdb_batch=16,
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Pair:
    """A lecture model here and in Keras, and the same examples for both."""

    experiment: Experiment
    keras_model: Any
    dataset: Dataset
    keras_inputs: np.ndarray
    """[N, ...]."""


@contextlib.contextmanager
def allowed():
    """Let Keras do what the tests forbid to our own code: promote ranks, and warn of NumPy's copy keyword."""
    with warnings.catch_warnings(), jax.numpy_rank_promotion("allow"):
        warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy", DeprecationWarning)
        yield


def pair(name: str, sizes: Sizes = SMALL) -> Pair:
    """Both models with dropout 0, compiled as in the lecture, and examples with targets that can be learned."""
    knobs = _knobs(name, sizes)
    experiment = experiments.load(experiments.find(name))(**knobs)
    keras.utils.set_random_seed(0)
    with allowed():
        model = keras.Sequential(_layers(name, sizes))
        jena = name.startswith("jena")
        loss, metric = ("mse", "mae") if jena else ("binary_crossentropy", "accuracy")
        model.compile(optimizer=keras.optimizers.RMSprop(1e-3), loss=loss, metrics=[metric])
    inputs, targets = _examples(name, sizes)
    count = len(targets)
    parts = {part: np.arange(count, dtype=np.int32) for part in ("train", "validation", "test")}
    gather = lambda arrays, ids: (arrays["inputs"][ids], arrays["targets"][ids])
    dataset = Dataset({"inputs": inputs, "targets": targets}, gather, parts, name, name)
    return Pair(experiment, model, dataset, multi_hot(inputs, sizes.vocabulary) if name == "imdb_unigram" else inputs)


def _knobs(name: str, sizes: Sizes) -> dict[str, Any]:
    if name.startswith("jena"):
        return {"units": sizes.dense if name == "jena_dense" else sizes.lstm, "batch_size": sizes.jena_batch}
    knobs = {"vocabulary_size": sizes.vocabulary, "dropout": 0.0, "batch_size": sizes.imdb_batch}
    if name == "imdb_unigram":
        return knobs | {"units": sizes.dense}
    return knobs | {"units": sizes.bilstm, "embedding_size": sizes.embedding}


def _layers(name: str, sizes: Sizes) -> list[Any]:
    window = keras.Input((sizes.time, sizes.features))
    if name == "jena_dense":
        return [window, layers.Flatten(), layers.Dense(sizes.dense, activation="relu"), layers.Dense(1)]
    if name == "jena_lstm":
        return [window, layers.LSTM(sizes.lstm), layers.Dense(1)]
    last = [layers.Dropout(0.0), layers.Dense(1, activation="sigmoid")]
    if name == "imdb_unigram":
        return [keras.Input((sizes.vocabulary,)), layers.Dense(sizes.dense, activation="relu"), *last]
    masked = name == "imdb_bilstm_masked"
    embedding = layers.Embedding(sizes.vocabulary, sizes.embedding, mask_zero=masked)
    return [keras.Input((None,), dtype="int32"), embedding, layers.Bidirectional(layers.LSTM(sizes.bilstm)), *last]


def _examples(name: str, sizes: Sizes) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of our model [N, ...] and targets [N]: reviews of 1 to T words, and (but for multi-hot) one of none."""
    rng = np.random.default_rng(0)
    if name.startswith("jena"):
        windows = rng.normal(size=(sizes.examples, sizes.time, sizes.features)).astype(np.float32)
        return windows, 3 * windows[:, -1, 0] + windows[:, -4, 1] + 2
    bag = name == "imdb_unigram"
    words = min(sizes.words, sizes.vocabulary - 1)
    ids = np.stack([1 + rng.permutation(sizes.vocabulary - 1)[:words] for _ in range(sizes.examples)])
    lengths = rng.integers(1, words + 1, (sizes.examples, 1))
    if not bag:
        lengths[3] = 0
    ids = np.where(np.arange(words) < lengths, ids, sizes.vocabulary if bag else 0).astype(np.int32)
    good = ((ids < sizes.vocabulary / 2) & (ids > 0)).sum(axis=1)
    return ids, (2 * good > lengths[:, 0]).astype(np.float32)
