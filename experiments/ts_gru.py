"""Series of a file in two or more classes: patches, GRU 64, its maximum over time, Dense. 12,929 parameters.

python -m seqjax.main --experiment=ts_gru --set=file=X_TRAIN.ts --set=test_file=X_TEST.ts
python -m seqjax.main --mode=predict --workdir=runs/ts_gru --input=NEW.ts

Files are .ts, UCR's .tsv or .txt, .arff, or with `series` and `label` (`time`, `values`) a long table.
"""

from typing import Literal

from seqjax.data.series.labelled_series import LabelledSeries
from seqjax.data.series.own_series import OwnSeries
from seqjax.data.series.series_files import SeriesForm
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
    delimiter: str = "",
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
    convolution: Literal["none", "front", "branch"] = "none",
    filters: int = 32,
    dropout: float = 0.2,
    jitter: float = 0.0,
    scaling: float = 0.0,
    shift: float = 0.0,
    time_mask: float = 0.0,
    learning_rate: float = 3e-3,
    decay: Literal["none", "cosine"] = "cosine",
    epochs: int = 50,
    batch_size: int = 32,
    seed: int = 0,
) -> Experiment:
    files = OwnSeries(file, test_file, SeriesForm(series, label, time, values, encoding, delimiter))
    weighted, augment = class_weights == "balanced", Augment(shift, scaling, jitter, time_mask)
    options = (units, layers, bidirectional, pooling, patch, convolution, filters, dropout, classes or 2, augment)
    rate = decayed(learning_rate, decay, epochs * -(-(examples or 1) // batch_size))
    return Experiment(
        source=LabelledSeries(files, classes, normalize, missing, weighted, split_seed),
        model=SeriesClassifier(cell, *options),
        **classification(classes or 2, weighted=weighted),
        optimizer=optimizer("adam", rate, clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
