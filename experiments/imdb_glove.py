"""imdb_bilstm_masked on GloVe's vectors of 100 numbers, which stay as they are. 2,034,113 parameters.

python -m seqjax.main --experiment=imdb_glove
"""

from typing import Any

from seqjax.data.text.imdb import Reviews
from seqjax.data.text.pretrained import PretrainedReviews
from seqjax.experiment import Experiment
from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import LSTM
from seqjax.models.classifiers import RecurrentClassifier
from seqjax.training import metrics
from seqjax.training.optimizers import rmsprop


def experiment(
    *,
    vectors: str = "glove",
    fine_tune: bool = False,
    vocabulary_size: int = 20_000,
    sequence_length: int | None = None,
    fold_accents: bool = False,
    strip_special: bool = False,
    group_lengths: bool = True,
    train_fraction: float = 1.0,
    embedding_size: int = 100,
    units: int = 32,
    dropout: float = 0.5,
    learning_rate: float = 1e-3,
    epochs: int = 10,
    batch_size: int = 32,
    seed: int = 0,
) -> Experiment:
    words: dict[str, Any] = {"fold_accents": fold_accents, "strip_special": strip_special}
    reviews = Reviews(vocabulary_size, sequence_length, grouped=group_lengths, train_fraction=train_fraction, **words)
    layer = Bidirectional(LSTM(units))
    return Experiment(
        source=PretrainedReviews(reviews, embedding_size, None if vectors == "glove" else vectors),
        model=RecurrentClassifier(vocabulary_size, embedding_size, layer, dropout, True, fine_tune),
        loss=metrics.binary_cross_entropy,
        metrics={"accuracy": metrics.binary_accuracy},
        optimizer=rmsprop(learning_rate),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
