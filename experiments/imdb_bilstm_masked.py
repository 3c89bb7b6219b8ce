"""imdb_bilstm with the padding masked: the state rests where the review has ended. 5,194,049 parameters.

python -m seqjax.main --experiment=imdb_bilstm_masked
"""

from typing import Any, Literal

from seqjax.data.text.imdb import Reviews
from seqjax.experiment import Experiment
from seqjax.layers.composite import Bidirectional
from seqjax.layers.named import named
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
    group_lengths: bool = True,
    train_fraction: float = 1.0,
    embedding_size: int = 256,
    cell: Literal["simple_rnn", "lstm", "gru", "mingru", "minlstm", "lru"] = "lstm",
    units: int = 32,
    dropout: float = 0.5,
    learning_rate: float = 1e-3,
    epochs: int = 10,
    batch_size: int = 32,
    seed: int = 0,
) -> Experiment:
    words: dict[str, Any] = {"stem": stem, "fold_accents": fold_accents, "strip_special": strip_special}
    return Experiment(
        source=Reviews(vocabulary_size, sequence_length, grouped=group_lengths, train_fraction=train_fraction, **words),
        model=RecurrentClassifier(
            vocabulary_size, embedding_size, Bidirectional(named(cell, units)), dropout, mask_padding=True
        ),
        loss=metrics.binary_cross_entropy,
        metrics={"accuracy": metrics.binary_accuracy},
        optimizer=rmsprop(learning_rate),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        lecture={"test": {"accuracy": 0.88}},
    )
