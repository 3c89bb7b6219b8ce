"""One-hot vectors of 20,000 words, bidirectional LSTM 32, Dropout, Dense 1. 5,128,513 parameters.

python -m seqjax.main --experiment=imdb_onehot_bilstm
"""

from typing import Any

from seqjax.data.text.imdb import Reviews
from seqjax.experiment import Experiment
from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import LSTM
from seqjax.models.classifiers import RecurrentClassifier
from seqjax.training import metrics
from seqjax.training.optimizers import rmsprop


def experiment(
    *,
    vocabulary_size: int = 20_000,
    sequence_length: int | None = None,
    stem: str | None = None,
    fold_accents: bool = False,
    strip_special: bool = False,
    units: int = 32,
    dropout: float = 0.5,
    learning_rate: float = 1e-3,
    epochs: int = 10,
    batch_size: int = 32,
    seed: int = 0,
) -> Experiment:
    words: dict[str, Any] = {"stem": stem, "fold_accents": fold_accents, "strip_special": strip_special}
    return Experiment(
        source=Reviews(vocabulary_size, sequence_length, encoding="one_hot", **words),
        model=RecurrentClassifier(vocabulary_size, None, Bidirectional(LSTM(units)), dropout),
        loss=metrics.binary_cross_entropy,
        metrics={"accuracy": metrics.binary_accuracy},
        optimizer=rmsprop(learning_rate),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        lecture={"test": {"accuracy": 0.87}},
    )
