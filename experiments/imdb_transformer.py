"""Embedding 64 of words and positions, one encoder block of 2 heads, maximum, Dropout, Dense 1. 1,339,553 parameters.

python -m seqjax.main --experiment=imdb_transformer
"""

from typing import Any

from seqjax.data.text.imdb import LENGTH, Reviews
from seqjax.experiment import Experiment
from seqjax.models.transformer import TransformerClassifier
from seqjax.training import metrics
from seqjax.training.optimizers import rmsprop


def experiment(
    *,
    vocabulary_size: int = 20_000,
    sequence_length: int | None = None,
    stem: str | None = None,
    fold_accents: bool = False,
    strip_special: bool = False,
    group_lengths: bool = True,
    embedding_size: int = 64,
    heads: int = 2,
    head_size: int = 32,
    units: int = 32,
    dropout: float = 0.5,
    learning_rate: float = 1e-3,
    epochs: int = 10,
    batch_size: int = 32,
    seed: int = 0,
) -> Experiment:
    words: dict[str, Any] = {"stem": stem, "fold_accents": fold_accents, "strip_special": strip_special}
    return Experiment(
        source=Reviews(vocabulary_size, sequence_length, grouped=group_lengths, **words),
        model=TransformerClassifier(
            vocabulary_size, embedding_size, sequence_length or LENGTH, heads, head_size, units, dropout
        ),
        loss=metrics.binary_cross_entropy,
        metrics={"accuracy": metrics.binary_accuracy},
        optimizer=rmsprop(learning_rate),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
