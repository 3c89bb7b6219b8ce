"""Embedding 256, Conv 32 x 7 relu, maximum over the review, Dropout, Dense 1. 5,177,409 parameters.

python -m seqjax.main --experiment=imdb_conv1d
"""

from typing import Any

from seqjax.data.text.imdb import Reviews
from seqjax.experiment import Experiment
from seqjax.models.classifiers import ConvClassifier
from seqjax.training import metrics
from seqjax.training.optimizers import rmsprop


def experiment(
    *,
    vocabulary_size: int = 20_000,
    sequence_length: int | None = None,
    stem: str | None = None,
    fold_accents: bool = False,
    strip_special: bool = False,
    embedding_size: int = 256,
    filters: int = 32,
    width: int = 7,
    dropout: float = 0.5,
    learning_rate: float = 1e-3,
    epochs: int = 10,
    batch_size: int = 32,
    seed: int = 0,
) -> Experiment:
    words: dict[str, Any] = {"stem": stem, "fold_accents": fold_accents, "strip_special": strip_special}
    return Experiment(
        source=Reviews(vocabulary_size, sequence_length, **words),
        model=ConvClassifier(vocabulary_size, embedding_size, filters, width, dropout),
        loss=metrics.binary_cross_entropy,
        metrics={"accuracy": metrics.binary_accuracy},
        optimizer=rmsprop(learning_rate),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
