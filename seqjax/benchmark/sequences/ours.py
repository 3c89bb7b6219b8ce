"""Our side where answers are sequences: the product's models, by its program.

Legend: B batch, T time, V vocabulary.
"""

from typing import Any

from seqjax.benchmark import ours
from seqjax.benchmark.workloads import Workload
from seqjax.experiment import Experiment
from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import LSTM
from seqjax.models.language import LanguageModel
from seqjax.models.taggers import RecurrentTagger
from seqjax.models.translation import Translator
from seqjax.training import metrics
from seqjax.training.optimizers import rmsprop


def model(workload: Workload) -> Any:
    """As the experiments build it, without dropout: peers compute the same numbers."""
    size, units = workload.features, workload.units
    if workload.kind in ("language", "sampling"):
        return LanguageModel(size, LSTM(units, return_sequences=True, return_state=True), stateful=True)
    if workload.kind in ("translation", "beams"):
        return Translator(size, size, workload.embedding, units)
    layer = Bidirectional(LSTM(units, return_sequences=True))
    return RecurrentTagger(size, workload.embedding, layer, workload.classes, dropout=0)


class Ours(ours.Ours):
    """See `worker.Implementation`."""

    def experiment(self, workload: Workload) -> Experiment:
        """Nats a token, and as a metric once more, as in the experiments."""
        loss = metrics.token_cross_entropy
        options: Any = {"epochs": 1, "batch_size": workload.batch, "seed": 0}
        return Experiment(None, model(workload), loss, {"nats": loss}, rmsprop(1e-3), **options)
