"""What a model's inputs and outputs are called in an exported file, and which axes may be of any length."""

import dataclasses
from typing import Any

import jax

from seqjax.data.series.panel_arrays import History
from seqjax.models import distributions, forecasters, watchers
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
class Ports:
    """Of a model."""

    inputs: tuple[Port, ...]
    """In the order of the leaves."""
    outputs: tuple[Port, ...]
    stream: bool = False
    """Whether it reads on from a state."""


WINDOW, TOKENS = (("window", "bt."),), (("tokens", "bt"),)
FORECAST, LOGITS, EACH = (("forecast", "b"),), (("logits", "b"),), (("logits", "bt."),)
PANEL = tuple(zip(History._fields, ("b..", "b.", "b", "b", "b.", "b.", "b..", "b", "b.", "b."), strict=True))
SEEN = (("context", "bt."), ("now", "b."))
PORTS = {
    forecasters.LastValue: Ports(WINDOW, FORECAST),
    forecasters.Drift: Ports(WINDOW, FORECAST),
    forecasters.SeasonalNaive: Ports(WINDOW, FORECAST),
    forecasters.DenseForecaster: Ports((("window", "b.."),), FORECAST),
    forecasters.ConvForecaster: Ports(WINDOW, FORECAST),
    forecasters.RecurrentForecaster: Ports(WINDOW, FORECAST, True),
    forecasters.Rescaled: Ports((*WINDOW, ("scale", "b.")), FORECAST),
    forecasters.Normalized: Ports((("changes", "bt."), ("level", "b.")), FORECAST),
    BagOfWordsClassifier: Ports((("columns", "bt"), ("weights", "bt")), LOGITS),
    RecurrentClassifier: Ports(TOKENS, LOGITS, True),
    ConvClassifier: Ports(TOKENS, LOGITS),
    TransformerClassifier: Ports(TOKENS, LOGITS),
    SeriesClassifier: Ports((("values", "bt."), ("real", "bt")), LOGITS),
    RecurrentTagger: Ports((("words", "bt"),), EACH, True),
    VisitClassifier: Ports((("pages", "bt"), ("times", "bt")), (("logits", "bt"),), True),
    LanguageModel: Ports((*TOKENS, ("fresh", "b")), EACH, True),
    HotwordDetector: Ports((("features", "bt."), ("fresh", "b")), EACH, True),
    SoundClassifier: Ports((("features", "bt."), ("frames", "b")), LOGITS),
    watchers.RowForecaster: Ports((("values", "bt."), *SEEN), (("expected", "b."),)),
    watchers.WindowAutoencoder: Ports((("values", "b.."), *SEEN), (("rebuilt", "b.."), ("given", "b.."))),
    DirectForecaster: Ports(PANEL, ()),
    Translator: Ports((("source", "bt"), ("before", "b.")), EACH),
}
HEADS = {
    distributions.Quantiles: (("quantiles", "b.."),),
    distributions.Mean: (("mean", "b."),),
    distributions.StudentT: tuple((name, "b.") for name in distributions.Student._fields),
    distributions.NegativeBinomial: tuple((name, "b.") for name in ("mean", "spread", "count_zero", "count_unit")),
}


def ports(model: Any) -> Ports | None:
    """Those of a model; None: nothing is known of it."""
    found = PORTS.get(type(model))
    if found is None:
        return None
    if isinstance(model, DirectForecaster):
        return dataclasses.replace(found, outputs=HEADS[type(model.head)])
    if getattr(model, "classes", 2) > 2 and found.outputs == LOGITS:
        found = dataclasses.replace(found, outputs=(("logits", "b."),))
    inner = ports(model.forecaster) if hasattr(model, "forecaster") else None
    if inner is not None and "t" not in inner.inputs[0][1]:
        fixed = (found.inputs[0][0], "b..")
        found = dataclasses.replace(found, inputs=(fixed, *found.inputs[1:]))
    return found


def names(model: Any, examples: Any) -> list[str]:
    """Of the leaves of a model's inputs; `input_0`, ... of one of which nothing is known."""
    known, count = ports(model), len(jax.tree.leaves(examples))
    own = [] if known is None else [name for name, _ in known.inputs]
    return [own[k] if k < len(own) else f"input_{k}" for k in range(count)]
