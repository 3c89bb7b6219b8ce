"""Your own texts by their words (multi-hot), Dense 16, Dropout, Dense: 2 classes or more. 320,033 parameters.

python -m seqjax.main --experiment=text_bow --set=file=PATH.csv --set=text=COLUMN --set=label=COLUMN
python -m seqjax.main --mode=predict --workdir=runs/text_bow --input=NEW.csv

CSV, TSV, JSON lines or Parquet. `split`: a column that says train, validation or test; by default a fifth is drawn for
each of the latter, and near-duplicates stay together. `tokens=characters` for Chinese and Japanese.
"""

from typing import Any, Literal

from seqjax.data.text.labelled import LabelledTexts
from seqjax.data.text.own_texts import OwnTexts
from seqjax.experiment import Experiment
from seqjax.models.classifiers import BagOfWordsClassifier
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
    ngrams: int = 1,
    counts: Literal["multi_hot", "count", "tf_idf"] = "multi_hot",
    vocabulary_size: int = 20_000,
    stem: str | None = None,
    fold_accents: bool = False,
    fold_digits: bool = False,
    split_seed: int = 0,
    units: int = 16,
    dropout: float = 0.5,
    learning_rate: float = 1e-3,
    epochs: int = 10,
    batch_size: int = 32,
    seed: int = 0,
) -> Experiment:
    collection = OwnTexts(file, text, label, split, encoding, delimiter, quotes)
    words: dict[str, Any] = {
        "split": tokens,
        "ngrams": ngrams,
        "stem": stem,
        "fold_accents": fold_accents,
        "fold_digits": fold_digits,
    }
    weighted = class_weights == "balanced"
    return Experiment(
        source=LabelledTexts(
            collection, classes, vocabulary_size, None, counts, weighted=weighted, split_seed=split_seed, **words
        ),
        model=BagOfWordsClassifier(vocabulary_size, units, dropout, classes or 2),
        **classification(classes or 2, weighted=weighted),
        optimizer=rmsprop(learning_rate),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
