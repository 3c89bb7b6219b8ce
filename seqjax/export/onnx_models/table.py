"""Which models have a writer."""

from collections.abc import Callable
from typing import Any

from seqjax.errors import UserError
from seqjax.export.onnx_models import classifiers, forecasters, panels, sequences
from seqjax.export.ports import Ports, ports
from seqjax.models import watchers
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

Write = Callable[..., Any]
"""(graph, model, params, inputs, state) -> (outputs, state)."""
WRITERS: dict[Any, Write] = {
    **forecasters.WRITERS,
    BagOfWordsClassifier: classifiers.bag_of_words,
    RecurrentClassifier: classifiers.recurrent_classifier,
    ConvClassifier: classifiers.conv_classifier,
    TransformerClassifier: classifiers.transformer,
    SeriesClassifier: classifiers.series,
    RecurrentTagger: sequences.tagger,
    VisitClassifier: sequences.visits,
    LanguageModel: sequences.language,
    HotwordDetector: sequences.hotwords,
    SoundClassifier: sequences.sounds,
    watchers.RowForecaster: sequences.row_forecaster,
    watchers.WindowAutoencoder: sequences.autoencoder,
    DirectForecaster: panels.direct,
}


def writer(model: Any) -> tuple[Write, Ports]:
    """That of a model, and the names of its inputs and outputs. Raises UserError: there is none."""
    name, found, known = type(model).__name__, WRITERS.get(type(model)), ports(model)
    if found is None or known is None:
        able = ", ".join(sorted(kind.__name__ for kind in (*WRITERS, Translator)))
        raise UserError(
            f"{name} cannot be written as ONNX, only {able}; choices for {name}: --to=stablehlo, --to=safetensors"
        )
    return found, known
