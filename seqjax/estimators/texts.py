"""Classifier of texts: the rows text_bilstm and text_bow on lists of texts.

    TextClassifier().fit(["A wonderful film.", "Dull.", ...], ["good", "bad", ...]).predict(["I loved it."])

Legend: B batch, N texts, T tokens, K classes.
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from seqjax.data.dataset import Dataset
from seqjax.data.text import labelled, rows, vectorizer
from seqjax.data.text.classified import ASSET
from seqjax.data.text.encodings import Corpus, Tokenizer
from seqjax.data.text.vectorizer import SEQUENCES, Vectorizer
from seqjax.errors import UserError, check_least
from seqjax.estimators import given
from seqjax.estimators.classified import Classified, shares
from seqjax.estimators.trained import Trained, label, parts_of
from seqjax.files import to_json

ROWS = {"bilstm": "text_bilstm", "bag_of_words": "text_bow"}
LONGEST, MOST = 256, 2048
"""Unless `sequence_length` says otherwise: as of `seqjax.data.text.labelled`."""


class TextClassifier(Classified, Trained):  # pyright: ignore[reportIncompatibleMethodOverride]
    """Classifier of texts. Raises ValueError: X, y, weights or knobs that make no sense; the message names the culprit.

    X is a list of texts, a column, or a table of one column. The vocabulary is learned from the training part.

    Args:
      model: `bilstm`: an embedding, a bidirectional LSTM over the words in their order. `bag_of_words`: which words
        there are; quicker, and often as good on short texts.
      tokens: `words`, or `characters` for languages that write no spaces.
      ngrams: bag_of_words: 2: pairs of words too.
      counts: bag_of_words: `multi_hot`, `count` or `tf_idf`.
      vocabulary_size: at most.
      sequence_length: bilstm: so many tokens of a text are read; None: all of 99 in 100 of them, 2,048 at most.
      fold_accents, fold_digits: é is e; 1 to 9 are 0.
      embedding_size: bilstm: of a word's vector.
      units: of the LSTM, in each direction; of the dense layer.
      dropout: before the last layer.
      learning_rate: of RMSprop.
      epochs: at most; the best by the validation part is kept.
      batch_size: texts in a step.
      class_weight: None, `balanced`, or a dict.
      validation_fraction: this share of each class is held out to tell the best epoch; 0: training tells.
      patience: epochs without a better one after which training ends; None: never.
      warm_start: `fit` begins with what the last one has learned, and keeps its vocabulary.
      random_state: of the initial values, the parts, the order and dropout; the same integer gives the same numbers.
      verbose: 1 prints a line for each epoch.
    """

    own: ClassVar[tuple[str, ...]] = ("model", "class_weight")

    def __init__(
        self,
        *,
        model: Literal["bilstm", "bag_of_words"] = "bilstm",
        tokens: Literal["words", "characters"] = "words",
        ngrams: int = 1,
        counts: Literal["multi_hot", "count", "tf_idf"] = "multi_hot",
        vocabulary_size: int = 20_000,
        sequence_length: int | None = None,
        fold_accents: bool = False,
        fold_digits: bool = False,
        embedding_size: int = 64,
        units: int = 32,
        dropout: float = 0.5,
        learning_rate: float = 1e-3,
        epochs: int = 50,
        batch_size: int = 32,
        class_weight: str | Mapping[Any, float] | None = None,
        validation_fraction: float | None = 0.2,
        patience: int | None = 5,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.model = model
        self.tokens = tokens
        self.ngrams = ngrams
        self.counts = counts
        self.vocabulary_size = vocabulary_size
        self.sequence_length = sequence_length
        self.fold_accents = fold_accents
        self.fold_digits = fold_digits
        self.embedding_size = embedding_size
        self.units = units
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.class_weight = class_weight
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @property
    def row(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The experiment that is trained. Raises UserError: an unknown model."""
        if self.model not in ROWS:
            raise UserError(f"model={self.model!r}: choose {', '.join(ROWS)}")
        return ROWS[self.model]

    @property
    def _encoding(self) -> str:
        return "int" if self.model == "bilstm" else self.counts

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train.

        Args:
          X: see the class.
          y: [N] the classes: texts, numbers or truth values, two at least.
          sample_weight: [N] of the losses.
        """
        texts, seed, row = given.texts(X), self._seed(), self.row
        self.classes_, which = given.classes(y, len(texts), type(self).__name__)
        K = len(self.classes_)
        weights = given.weights(sample_weight, X, len(texts), (self.classes_, which), self.class_weight)
        train, validation = parts_of(len(texts), weights, self.validation_fraction, seed, which)
        arrays = self._learned(texts, train)
        lengths = self._lengths(arrays)
        label(arrays, which, K, weights, train)
        from seqjax.estimators.programs import padded

        parts = {"train": train, "validation": validation, "test": train[:0]}
        gather = labelled.plain if weights is None else labelled.weighted
        dataset = Dataset(padded(arrays), gather, parts, f"{len(texts):,} texts", "", lengths=lengths)
        knobs = self._knobs() | {"seed": seed, "classes": K, "vocabulary_size": self.vectorizer_.padding}
        knobs = {name: value for name, value in knobs.items() if name not in OTHERS[row]}
        knobs["class_weights"] = "none" if weights is None else "balanced"
        return self._train(knobs, dataset, vectorizer.inputs)

    def predict_proba(self, X: Any) -> np.ndarray:
        """[N, K] float64: of each class, in the order of `classes_`; a row's sum is 1."""
        check_is_fitted(self)
        texts = given.texts(X)
        from seqjax.estimators.programs import padded

        arrays = self.vectorizer_.encode(texts)
        lengths = self._lengths(arrays)
        return shares(self._outputs(padded(arrays), len(texts), lengths, labelled.plain, vectorizer.inputs))

    def assets(self) -> dict[str, str]:
        """The files of its run's folder, for `seqjax.load(...).predict` and --mode=predict."""
        facts = {"column": "text", "encoding": "", "delimiter": "", "quotes": "double"}
        facts |= {"classes": [str(name) for name in self.classes_.tolist()]}
        return self.vectorizer_.assets() | {ASSET: to_json(facts, indent=1) + "\n"}

    def _learned(self, texts: list[str], train: np.ndarray) -> dict[str, np.ndarray]:
        """The encoded texts; sets the vectorizer."""
        if self.warm_start and hasattr(self, "vectorizer_"):
            return self.vectorizer_.encode(texts)
        check_least("vocabulary_size", self.vocabulary_size, 3)
        folds: dict[str, Any] = {"fold_accents": self.fold_accents, "fold_digits": self.fold_digits}
        ngrams = self.ngrams if self._encoding not in SEQUENCES else 1
        tokenizer = Tokenizer(**folds, split=self.tokens, ngrams=ngrams)
        corpus = Corpus.of(texts, tokenizer)
        if self.sequence_length is not None:
            check_least("sequence_length", self.sequence_length, 1)
        length = self.sequence_length if self._encoding in SEQUENCES else None
        if length is None and self._encoding in SEQUENCES:
            common = int(np.quantile(corpus.lengths[train], 0.99, method="lower"))
            length = math.ceil(max(1, min(int(corpus.lengths.max()), max(common, LONGEST), MOST)) / 16) * 16
        from seqjax.estimators.programs import rounded_up

        options: dict[str, Any] = {"tokenizer": tokenizer, "encoding": self._encoding, "length": length}
        most: dict[str, Any] = {"vocabulary_size": self.vocabulary_size, "learn_from": train}
        fitted, arrays = Vectorizer.fit_encode(corpus, **options, **most)
        if not fitted.vocabulary.tokens:
            raise UserError("X: no training text holds a word")
        room = min(self.vocabulary_size, rounded_up(fitted.vocabulary.size))
        if room < self.vocabulary_size:  # no larger than what was learned, so that a small table trains quickly
            most["vocabulary_size"] = room
            fitted, arrays = Vectorizer.fit_encode(corpus, **options, **most)
        self.vectorizer_ = fitted
        return arrays

    def _lengths(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray | None:
        from seqjax.estimators.programs import few_lengths

        if self._encoding not in SEQUENCES:
            return None
        width = rows.width(arrays, "tokens")
        found = rows.flat(arrays, "tokens")[1]
        return np.minimum(few_lengths(found), width)

    def __sklearn_tags__(self) -> Any:
        """Scikit-learn's: what is classified is text, and no array of numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.string = False, True
        tags.input_tags.one_d_array = True
        return tags


OTHERS = {"text_bilstm": ("ngrams", "counts"), "text_bow": ("embedding_size", "sequence_length")}
"""Of each row: the parameters that are knobs of the other one alone."""
