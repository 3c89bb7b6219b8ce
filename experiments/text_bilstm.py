"""Your own texts in order: Embedding 256, bidirectional LSTM 32, Dropout, Dense. 5,194,049 parameters.

python -m seqjax.main --experiment=text_bilstm --set=file=PATH.csv --set=text=COLUMN --set=label=COLUMN

Files, `split` and `tokens` as in text_bow. `vectors`: a file of word vectors of `embedding_size` numbers, which stay as
they are unless `fine_tune`.
"""

from typing import Any, Literal

from seqjax.data.text.labelled import LabelledTexts
from seqjax.data.text.own_texts import OwnTexts
from seqjax.data.text.pretrained import pretrained
from seqjax.experiment import Experiment
from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import LSTM
from seqjax.models.classifiers import RecurrentClassifier
from seqjax.training.classification import classification
from seqjax.training.optimizers import rmsprop


def experiment(
    *,
    file: str = "",
    text: str = "text",
    label: str = "label",
    split: str = "",
    encoding: str = "",
    delimiter: str = "",
    quotes: Literal["double", "none"] = "double",
    classes: int | None = None,
    class_weights: Literal["none", "balanced"] = "none",
    tokens: Literal["words", "characters"] = "words",
    vocabulary_size: int = 20_000,
    sequence_length: int | None = None,
    fold_accents: bool = False,
    fold_digits: bool = False,
    split_seed: int = 0,
    vectors: str = "",
    fine_tune: bool = False,
    embedding_size: int = 256,
    units: int = 32,
    dropout: float = 0.5,
    learning_rate: float = 1e-3,
    epochs: int = 10,
    batch_size: int = 32,
    seed: int = 0,
) -> Experiment:
    collection = OwnTexts(file, text, label, split, encoding, delimiter, quotes)
    weighted, layer = class_weights == "balanced", Bidirectional(LSTM(units))
    words: dict[str, Any] = {"split": tokens, "fold_accents": fold_accents, "fold_digits": fold_digits}
    words |= {"grouped": True, "weighted": weighted, "split_seed": split_seed}
    texts = LabelledTexts(collection, classes, vocabulary_size, sequence_length, **words)
    options = (dropout, True, fine_tune or not vectors, classes or 2)
    return Experiment(
        source=pretrained(texts, embedding_size, vectors),
        model=RecurrentClassifier(vocabulary_size, embedding_size, layer, *options),
        **classification(classes or 2, weighted=weighted),
        optimizer=rmsprop(learning_rate),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
