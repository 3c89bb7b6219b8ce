"""Which of the 20,000 most frequent words and word pairs occur, Dense 16, Dropout, Dense 1. 320,033 parameters.

python -m seqjax.main --experiment=imdb_bigram
"""

from typing import Any

from seqjax.data.text.imdb import Reviews
from seqjax.experiment import Experiment
from seqjax.models.classifiers import BagOfWordsClassifier
from seqjax.training import metrics
from seqjax.training.optimizers import rmsprop


def experiment(
    *,
    vocabulary_size: int = 20_000,
    stem: str | None = None,
    fold_accents: bool = False,
    strip_special: bool = False,
    units: int = 16,
    dropout: float = 0.5,
    learning_rate: float = 1e-3,
    epochs: int = 10,
    batch_size: int = 32,
    seed: int = 0,
) -> Experiment:
    words: dict[str, Any] = {"stem": stem, "fold_accents": fold_accents, "strip_special": strip_special}
    return Experiment(
        source=Reviews(vocabulary_size, encoding="multi_hot", ngrams=2, **words),
        model=BagOfWordsClassifier(vocabulary_size, units, dropout),
        loss=metrics.binary_cross_entropy,
        metrics={"accuracy": metrics.binary_accuracy},
        optimizer=rmsprop(learning_rate),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        lecture={"test": {"accuracy": 0.904}},
    )
