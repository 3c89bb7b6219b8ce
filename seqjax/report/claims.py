"""What the lecture claims of the rows, as data: its words, the two rows, the metric and the part that decide.

What stands in brackets is not the lecture's: the other figure, or what the book says that it was drawn from.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

HIGHER_IS_BETTER = ("accuracy", "examples_per_second")
OTHER_METRICS = ("rise", "examples_per_second", "seconds", "seconds_until_best")
"""Those that are no score of a part."""
FREE_KNOBS = ("epochs",)
"""Knobs that may have any value in a run that a claim is judged by: how long it was trained."""


@dataclasses.dataclass(frozen=True)
class Claim:
    """One row does better than another, or does not improve on it."""

    quote: str
    """The lecture's words."""
    better: str | None
    """The experiment that is said to do better, or not to be improved on. None: zero, for `rise`."""
    worse: str
    metric: str
    """Of results.json; `rise` (see `verdicts.rise`); of `runs.Run` the `seconds` of all epochs, or of those up to the
    best one (`seconds_until_best`); or `examples_per_second` in training, of `seqjax.benchmark --pipeline`."""
    part: str = "test"
    """test, validation, or last: the validation part after the last epoch, no best one picked."""
    improvement: float | None = None
    """None: `better` does better than `worse`. A number: `worse` does not improve on `better` by so much or more."""
    better_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Its knobs that are not defaults, apart from `FREE_KNOBS`."""
    worse_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def meaning(self) -> str:
        """The claim as a comparison: `jena_lstm better than jena_naive on test mae`."""
        better, worse = _named(self.better, self.better_options), _named(self.worse, self.worse_options)
        where = self.metric if self.metric in OTHER_METRICS else f"{self.part} {self.metric}"
        if self.improvement is not None:
            return f"{worse} does not improve on {better} by {self.improvement:g} or more, {where}"
        if self.better is None:
            return f"the validation loss of {worse} rises in the second half of the training"
        return f"{better} better than {worse}, {where}"


def _named(name: str | None, options: Mapping[str, Any]) -> str:
    return " ".join([name or "zero", *(f"{knob}={value}" for knob, value in options.items())])


_NO_IMPROVEMENT = 0.05  # degrees: half of what the lecture makes of its LSTM (2.62 - 2.53)
_BEATS = "Finally beat the naïve forecaster."
_NOT_BIDIRECTIONAL = (
    "For the temperature example, the bidirectional LSTM strongly underperforms even the common-sense baseline."
)
_FASTER = "GRU is a slightly simpler version (hence, faster) of LSTM architecture"
_DROPOUT = "Recurrent Dropout: use drop out to fight overfitting in the recurrent layers"
_REVERSED = "(its source: an LSTM on the reversed sequence strongly underperforms even the common-sense baseline)"

TIME_SERIES = (
    Claim("No improvement!! (DNN)", "jena_naive", "jena_dense", "mae", improvement=_NO_IMPROVEMENT),
    Claim("Even worse than the densely connected model!!! (CNN)", "jena_dense", "jena_conv1d", "mae"),
    Claim(_BEATS, "jena_lstm", "jena_naive", "mae", "validation"),
    Claim(_BEATS, "jena_lstm", "jena_naive", "mae"),
    Claim("Overfitting? (LSTM)", None, "jena_lstm", "rise"),
    Claim(_DROPOUT, "jena_lstm_dropout", "jena_lstm", "rise"),
    Claim("LSTM with dropout, Test MAE = 2.45 (simple LSTM 2.53)", "jena_lstm_dropout", "jena_lstm", "mae"),
    Claim("LSTM with dropout, Test MAE = 2.45 (baseline 2.62)", "jena_lstm_dropout", "jena_naive", "mae"),
    Claim(_FASTER, "jena_recurrent", "jena_recurrent", "examples_per_second", better_options={"cell": "gru"}),
    Claim("Stacking GRU, Test MAE = 2.39 (simple LSTM 2.53)", "jena_stacked_gru", "jena_lstm", "mae"),
    Claim("Stacking GRU, Test MAE = 2.39 (with dropout 2.45)", "jena_stacked_gru", "jena_lstm_dropout", "mae"),
    Claim("Stacking GRU, Test MAE = 2.39 (baseline 2.62)", "jena_stacked_gru", "jena_naive", "mae"),
    Claim(_NOT_BIDIRECTIONAL, "jena_naive", "jena_bilstm", "mae"),
    Claim(f"{_NOT_BIDIRECTIONAL} (after the last epoch)", "jena_naive", "jena_bilstm", "mae", "last"),
    Claim("(its source: the bidirectional LSTM performs worse than the plain one)", "jena_lstm", "jena_bilstm", "mae"),
    Claim(_REVERSED, "jena_naive", "jena_lstm_reversed", "mae"),
)

_FEW = "Motivation: little training data! The network cannot learn an appropriate embedding."
_TF_IDF = "Typically, TF-IDF increases the model performance by 1%. It wasn't the case for the IMDB dataset."

TEXT = (
    Claim("Bigram binary = 90.4% (unigram 89.2%)", "imdb_bigram", "imdb_unigram", "accuracy"),
    Claim(_TF_IDF, "imdb_bigram", "imdb_bigram_tfidf", "accuracy", improvement=0.01),
    Claim("Sequence one-hot encode = 87% (bigram 90.4%)", "imdb_bigram", "imdb_onehot_bilstm", "accuracy"),
    Claim("Sequence word embedding = 87% (bigram 90.4%)", "imdb_bigram", "imdb_bilstm", "accuracy"),
    Claim("with masks = 88% (without 87%)", "imdb_bilstm_masked", "imdb_bilstm", "accuracy"),
    Claim("Bigram binary = 90.4% (with masks 88%)", "imdb_bigram", "imdb_bilstm_masked", "accuracy"),
    Claim(
        "It trains much faster than the one-hot encoding", "imdb_bilstm", "imdb_onehot_bilstm", "examples_per_second"
    ),
    *(
        Claim(
            _FEW, name, "imdb_bilstm_masked", "accuracy",
            better_options={"train_fraction": fraction}, worse_options={"train_fraction": fraction},
        )
        for name in ("imdb_glove", "imdb_word2vec")
        for fraction in (0.01, 0.05, 0.2)
    ),
    Claim("Useful when expecting generic features.", "imdb_glove", "imdb_bilstm_masked", "accuracy"),
    Claim("(pretrained here) Word2Vec", "imdb_word2vec", "imdb_bilstm_masked", "accuracy"),
    Claim("Word2Vec is faster to train than GloVe", "word2vec", "glove", "seconds"),
    Claim("Word2Vec is faster to train than GloVe (up to the best epoch)", "word2vec", "glove", "seconds_until_best"),
)  # fmt: skip

CLAIMS = (*TIME_SERIES, *TEXT)
