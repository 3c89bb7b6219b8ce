"""Who clicks, a human or a bot: Embedding 8 and the time between, GRU 32, Dropout, Dense 1. 4,241 parameters.

python -m seqjax.main --experiment=bots_gru --data=sample
python -m seqjax.main --experiment=bots_gru --set=file=clicks.csv
python -m seqjax.main --mode=stream --workdir=runs/bots_gru < clicks.csv

It answers after every click. `file`: columns visitor, time, page, label; no such data are public. The sample is of
visitors made by seed, of whom the best possible verdicts are known; `imitation`: how often a bot clicks as people do.
"""

from typing import Literal

from seqjax.data.clicks.labelled_visits import LabelledVisits
from seqjax.experiment import Experiment
from seqjax.layers.composite import Stacked
from seqjax.layers.recurrent import GRU, LSTM, SimpleRNN
from seqjax.models.visit_classifier import VisitClassifier
from seqjax.training.optimizers import optimizer
from seqjax.training.prefixes import prefix_classification

CELLS = {"gru": GRU, "lstm": LSTM, "rnn": SimpleRNN}


def experiment(
    *,
    file: str = "",
    imitation: float = 0.5,
    visitors: int = 20_000,
    split_seed: int = 0,
    sequence_length: int = 256,
    pages: int | None = None,
    embedding_size: int = 8,
    cell: Literal["gru", "lstm", "rnn"] = "gru",
    units: int = 32,
    layers: int = 1,
    dropout: float = 0.1,
    learning_rate: float = 1e-2,
    epochs: int = 15,
    batch_size: int = 32,
    seed: int = 0,
) -> Experiment:
    options = {"return_sequences": True, "return_state": True}
    layer = Stacked([CELLS[cell](units, **options) for _ in range(layers)])
    return Experiment(
        source=LabelledVisits(file, imitation, visitors, sequence_length, split_seed),
        model=VisitClassifier(pages or 10, layer, embedding_size, dropout),  # as the data tell
        **prefix_classification(),
        optimizer=optimizer("adam", learning_rate, clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
