"""Unwanted messages: Embedding 64, bidirectional LSTM 32, Dropout, Dense 1, beside naive Bayes. 664,897 parameters.

python -m seqjax.main --experiment=sms_spam
"""

from typing import Any, Literal

from seqjax.data.text.labelled import LabelledTexts
from seqjax.data.text.sms_spam import SmsMessages
from seqjax.experiment import Experiment
from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import LSTM
from seqjax.models.classifiers import RecurrentClassifier
from seqjax.training.classification import classification
from seqjax.training.optimizers import optimizer


def experiment(
    *,
    tokens: Literal["words", "characters"] = "words",
    class_weights: Literal["none", "balanced"] = "none",
    vocabulary_size: int = 10_000,
    sequence_length: int | None = None,
    fold_digits: bool = True,
    word_dropout: float = 0.3,
    split_seed: int = 0,
    embedding_size: int = 64,
    units: int = 32,
    dropout: float = 0.5,
    learning_rate: float = 5e-4,
    epochs: int = 20,
    batch_size: int = 32,
    seed: int = 0,
) -> Experiment:
    weighted, layer = class_weights == "balanced", Bidirectional(LSTM(units))
    options: dict[str, Any] = {
        "split": tokens,
        "fold_digits": fold_digits,
        "weighted": weighted,
        "split_seed": split_seed,
    }
    messages = LabelledTexts(SmsMessages(), 2, vocabulary_size, sequence_length, grouped=True, **options)
    return Experiment(
        source=messages,
        model=RecurrentClassifier(vocabulary_size, embedding_size, layer, dropout, True, word_dropout=word_dropout),
        **classification(2, weighted=weighted, quoted="f1"),
        optimizer=optimizer("adam", learning_rate),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
