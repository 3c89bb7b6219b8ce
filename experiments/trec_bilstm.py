"""TREC's questions: Embedding 100, BiLSTM 64 beside convolutions, maximum over time, Dense 6. 476,646 parameters.

python -m seqjax.main --experiment=trec_bilstm
python -m seqjax.main --experiment=trec_bilstm --set=vectors=glove --set=vocabulary_size=20000 --set=epochs=40

`labels=fine`: 50 classes. `vectors`: as in text_bilstm, or `glove`. Words that have one are known from it.
"""

from typing import Literal

from seqjax.data.text.labelled import LabelledTexts
from seqjax.data.text.pretrained import pretrained
from seqjax.data.text.trec import CLASSES, TrecQuestions
from seqjax.experiment import Experiment
from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import LSTM
from seqjax.models.classifiers import RecurrentClassifier
from seqjax.training.classification import classification
from seqjax.training.optimizers import optimizer


def experiment(
    *,
    labels: Literal["coarse", "fine"] = "coarse",
    vectors: str = "",
    fine_tune: bool = False,
    vocabulary_size: int = 3_000,
    word_dropout: float = 0.2,
    embedding_dropout: float = 0.3,
    split_seed: int = 0,
    embedding_size: int = 100,
    units: int = 64,
    filters: int = 64,
    dropout: float = 0.5,
    learning_rate: float = 1e-3,
    epochs: int = 20,
    batch_size: int = 32,
    seed: int = 0,
) -> Experiment:
    classes, layer = CLASSES[labels], Bidirectional(LSTM(units, return_sequences=True))
    texts = LabelledTexts(
        TrecQuestions(labels), classes, vocabulary_size, grouped=True, split_seed=split_seed, share=10
    )
    options = (dropout, True, fine_tune or not vectors, classes, word_dropout, embedding_dropout, filters)
    return Experiment(
        source=pretrained(texts, embedding_size, vectors),
        model=RecurrentClassifier(vocabulary_size, embedding_size, layer, *options),
        **classification(classes),
        optimizer=optimizer("adam", learning_rate),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
