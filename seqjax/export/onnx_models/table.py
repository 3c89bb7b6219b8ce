"""Which models have a writer, what their inputs and outputs are called, and which axes may be of any length."""

import dataclasses
from collections.abc import Callable
from typing import Any

from seqjax.data.series.panel_arrays import History
from seqjax.errors import UserError
from seqjax.export.onnx_models import classifiers, forecasters, panels, sequences
from seqjax.models import distributions, watchers
from seqjax.models import forecasters as forecasting
from seqjax.models.classifiers import BagOfWordsClassifier, ConvClassifier, RecurrentClassifier
from seqjax.models.horizon import DirectForecaster
from seqjax.models.hotwords import HotwordDetector
from seqjax.models.language import LanguageModel
from seqjax.models.series_classifier import SeriesClassifier
from seqjax.models.sounds import SoundClassifier
from seqjax.models.taggers import RecurrentTagger
from seqjax.models.transformer import TransformerClassifier
from seqjax.models.translation import Translator
from seqjax.models.visit_classifier import VisitClassifier

Port = tuple[str, str]
"""A name, and its axes: `b` batch, `t` time, `.` of one length."""


@dataclasses.dataclass(frozen=True)
class Writer:
    """Of a model."""

    write: Callable[..., Any]
    """(graph, model, params, inputs, state) -> (outputs, state)."""
    inputs: tuple[Port, ...]
    """In the order of the leaves; fewer where the rest is left out."""
    outputs: tuple[Port, ...]
    stream: bool = False
    """Whether it reads on from a state."""


def axes(port: Port) -> list[str | None]:
    """For ONNX."""
    return [{"b": "batch", "t": "time"}.get(letter) for letter in port[1]]


WINDOW = (("window", "bt."),)
CHANGES = (("changes", "bt."), ("level", "b."))
FORECAST, LOGITS = (("forecast", "b"),), (("logits", "b"),)
SEEN = (("values", "bt."), ("context", "bt."), ("now", "b."))
PANEL = tuple(zip(History._fields, ("b..", "b.", "b", "b", "b.", "b.", "b..", "b", "b.", "b."), strict=True))
TOKENS = (("tokens", "bt"),)

WRITERS = {
    forecasting.LastValue: Writer(forecasters.last_value, WINDOW, FORECAST),
    forecasting.Drift: Writer(forecasters.drift, WINDOW, FORECAST),
    forecasting.SeasonalNaive: Writer(forecasters.seasonal_naive, WINDOW, FORECAST),
    forecasting.DenseForecaster: Writer(forecasters.dense, (("window", "b.."),), FORECAST),
    forecasting.ConvForecaster: Writer(forecasters.conv, WINDOW, FORECAST),
    forecasting.RecurrentForecaster: Writer(forecasters.recurrent_forecaster, WINDOW, FORECAST, True),
    forecasting.Rescaled: Writer(forecasters.rescaled, (("window", "bt."), ("scale", "b.")), FORECAST),
    forecasting.Normalized: Writer(forecasters.normalized, CHANGES, FORECAST),
    BagOfWordsClassifier: Writer(classifiers.bag_of_words, (("columns", "bt"), ("weights", "bt")), LOGITS),
    RecurrentClassifier: Writer(classifiers.recurrent_classifier, TOKENS, LOGITS, True),
    ConvClassifier: Writer(classifiers.conv_classifier, TOKENS, LOGITS),
    TransformerClassifier: Writer(classifiers.transformer, TOKENS, LOGITS),
    SeriesClassifier: Writer(classifiers.series, (("values", "bt."), ("real", "bt")), LOGITS),
    RecurrentTagger: Writer(sequences.tagger, (("words", "bt"),), (("logits", "bt."),), True),
    VisitClassifier: Writer(sequences.visits, (("pages", "bt"), ("times", "bt")), (("logits", "bt"),), True),
    LanguageModel: Writer(sequences.language, TOKENS, (("logits", "bt."),), True),
    HotwordDetector: Writer(sequences.hotwords, (("features", "bt."),), (("logits", "bt."),), True),
    SoundClassifier: Writer(sequences.sounds, (("features", "bt."), ("frames", "b")), LOGITS),
    watchers.RowForecaster: Writer(sequences.row_forecaster, SEEN, (("expected", "b."),)),
    watchers.WindowAutoencoder: Writer(
        sequences.autoencoder, (("values", "b.."), *SEEN[1:]), (("rebuilt", "b.."), ("given", "b.."))
    ),
    DirectForecaster: Writer(panels.direct, PANEL, ()),
}
HEADS = {
    distributions.Quantiles: (("quantiles", "b.."),),
    distributions.Mean: (("mean", "b."),),
    distributions.StudentT: tuple((name, "b.") for name in distributions.Student._fields),
    distributions.NegativeBinomial: tuple((name, "b.") for name in distributions.Counts._fields),
}


def writer(model: Any) -> Writer:
    """That of a model. Raises UserError: there is none."""
    name = type(model).__name__
    found = WRITERS.get(type(model))
    if found is None:
        known = ", ".join(sorted(kind.__name__ for kind in (*WRITERS, Translator)))
        raise UserError(
            f"{name} cannot be written as ONNX, only {known}; choices for {name}: --to=stablehlo, --to=safetensors"
        )
    if isinstance(model, DirectForecaster):
        return dataclasses.replace(found, outputs=HEADS[type(model.head)])
    if getattr(model, "classes", 2) > 2 and found.outputs == LOGITS:
        found = dataclasses.replace(found, outputs=(("logits", "b."),))
    inner = getattr(model, "forecaster", None)
    if inner is not None and "t" not in writer(inner).inputs[0][1]:
        first = (found.inputs[0][0], "b" + "." * (len(found.inputs[0][1]) - 1))
        found = dataclasses.replace(found, inputs=(first, *found.inputs[1:]))
    return found
