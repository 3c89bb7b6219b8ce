"""Small data for every row that Keras can build, and its knobs."""

import numpy as np
import pytest

keras_lecture = pytest.importorskip("keras_lecture", reason="keras is not installed", exc_type=ImportError)
from seqjax import experiment as experiments  # noqa: E402
from seqjax.data.dataset import Dataset  # noqa: E402
from seqjax.data.series import weather  # noqa: E402
from seqjax.data.series.table import Table  # noqa: E402

ROWS = 600
SMALL = ["sequence_length=8", "batch_size=64"]


def load(source):
    """A random walk in 14 columns; reviews of random words."""
    rng = np.random.default_rng(0)
    if hasattr(source, "horizon"):
        walk = np.cumsum(rng.normal(size=(ROWS, 14)), axis=0) * 0.1
        times = np.datetime64("2009-01-01T00:00:00") + np.arange(ROWS) * np.timedelta64(1, "h")
        columns = weather.COLUMNS
        if hasattr(source, "file"):
            return source.dataset(Table(columns, times.astype("datetime64[us]"), walk), "walk")
        return source.dataset(weather.Weather(columns, times, walk), "walk")
    ids = np.stack([1 + rng.permutation(48)[:10] for _ in range(96)])
    lengths = rng.integers(1, 11, (96, 1))
    bags = source.encoding in ("multi_hot", "tf_idf")
    tokens = np.where(np.arange(10) < lengths, ids, 50 if bags else 0).astype(np.int32)
    inputs = (tokens, rng.random(tokens.shape).astype(np.float32)) if source.encoding == "tf_idf" else tokens
    labels = (tokens[:, 0] > 24).astype(np.float32)
    parts = {part: np.arange(96, dtype=np.int32) for part in ("train", "validation", "test")}
    take = lambda arrays, ids: tuple(a[ids] for a in arrays) if isinstance(arrays, tuple) else arrays[ids]
    gather = lambda arrays, ids: (take(arrays["inputs"], ids), arrays["labels"][ids])
    return Dataset({"inputs": inputs, "labels": labels}, gather, parts, "words", "f00d")


def knobs(name, settings):
    function = experiments.load(experiments.find(name))
    return function, experiments.options(function, settings)
