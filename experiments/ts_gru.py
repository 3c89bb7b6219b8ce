"""Series of your own in two or more classes: GRU 64, its maximum over time, Dense. 12,929 parameters.

python -m seqjax.main --experiment=ts_gru --set=file=X_TRAIN.ts --set=test_file=X_TEST.ts

Files: see `seqjax.data.series.series_files`; without a test_file a part is drawn. `shift` to `time_mask`: `Augment`.
"""

from typing import Literal

from seqjax.data.series.labelled_series import LabelledSeries
from seqjax.data.series.own_series import OwnSeries, SeriesForm
from seqjax.experiment import Experiment
from seqjax.layers.augmentation import Augment
from seqjax.models.series_classifier import SeriesClassifier
from seqjax.training.classification import classification
from seqjax.training.optimizers import decayed, optimizer


def experiment(
    *,
    file: str = "",
    test_file: str = "",
    series: str = "",
    label: str = "",
    time: str = "",
    values: str = "",
    encoding: str = "",
    missing: Literal["interpolate", "mask", "refuse"] = "interpolate",
    normalize: Literal["training", "series", "none"] = "training",
    split_seed: int = 0,
    classes: int | None = None,
    examples: int | None = None,
    class_weights: Literal["none", "balanced"] = "none",
    cell: Literal["gru", "lstm", "simple_rnn"] = "gru",
    units: int = 64,
    layers: int = 1,
    bidirectional: bool = False,
    pooling: Literal["last", "mean", "max", "attention"] = "max",
    patch: int = 1,
    convolution: Literal["none", "front", "branch", "both"] = "none",
    filters: int = 64,
    width: int = 8,
    dropout: float = 0.2,
    jitter: float = 0.0,
    scaling: float = 0.0,
    shift: float = 0.0,
    time_mask: float = 0.0,
    learning_rate: float = 3e-3,
    epochs: int = 50,
    batch_size: int = 32,
    seed: int = 0,
) -> Experiment:
    files = OwnSeries(file, test_file, SeriesForm(series, label, time, values, encoding))
    weighted, steps = class_weights == "balanced", epochs * -(-(examples or 1) // batch_size)
    options = (cell, units, layers, bidirectional, pooling, patch, convolution, filters, width, dropout, classes or 2)
    return Experiment(
        source=LabelledSeries(files, classes, normalize, missing, weighted, split_seed),
        model=SeriesClassifier(*options, Augment(shift, scaling, jitter, time_mask)),
        **classification(classes or 2, weighted=weighted),
        optimizer=optimizer("adam", decayed(learning_rate, "cosine", steps), clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
