"""FordA, an engine's noise: a convolution, GRU 64, its maximum and the former's mean over time. 29,249 parameters.

python -m seqjax.main --experiment=forda_gru --data_dir=FOLDER
python -m seqjax.main --experiment=forda_gru --set=convolution=none --set=pooling=last

FOLDER holds FordA_TRAIN and FordA_TEST (.ts, .tsv, .txt or .arff, packed or not), or ucr/ with them; otherwise the
archive's FordA.zip is downloaded there. The second command stays at chance: after 500 steps the last state of a GRU has
forgotten the engine, and pooling=max has not.
All knobs were chosen on the validation part alone.
"""

from typing import Literal

from seqjax.data.series.ford_a import FordA
from seqjax.data.series.labelled_series import LabelledSeries
from seqjax.experiment import Experiment
from seqjax.layers.augmentation import Augment
from seqjax.models.series_classifier import SeriesClassifier
from seqjax.training.classification import classification
from seqjax.training.optimizers import decayed, optimizer


def experiment(
    *,
    split_seed: int = 0,
    examples: int | None = None,
    cell: Literal["gru", "lstm", "simple_rnn"] = "gru",
    units: int = 64,
    layers: int = 1,
    bidirectional: bool = False,
    pooling: Literal["last", "mean", "max", "attention"] = "max",
    patch: int = 1,
    convolution: Literal["none", "front", "branch", "both"] = "both",
    filters: int = 64,
    width: int = 64,
    dropout: float = 0.2,
    jitter: float = 0.0,
    scaling: float = 0.0,
    shift: float = 0.1,
    time_mask: float = 0.0,
    learning_rate: float = 2e-3,
    decay: Literal["none", "cosine"] = "cosine",
    epochs: int = 30,
    batch_size: int = 32,
    seed: int = 0,
) -> Experiment:
    augment = Augment(shift, scaling, jitter, time_mask)
    options = (units, layers, bidirectional, pooling, patch, convolution, filters, width, dropout, 2, augment)
    rate = decayed(learning_rate, decay, epochs * -(-(examples or 1) // batch_size))
    return Experiment(
        source=LabelledSeries(FordA(), 2, split_seed=split_seed),
        model=SeriesClassifier(cell, *options),
        **classification(2),
        optimizer=optimizer("adam", rate, clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
