"""Sums of two numbers, read and written digit by digit: `12+395` -> `407`. 337,166 parameters.

python -m seqjax.main --experiment=addition_seq2seq --data=sample

The smallest encoder-decoder: Keras's example addition_rnn with attention. Generated in both data modes.
"""

import optax

from seqjax.data.text.addition import Addition
from seqjax.data.text.translation_scores import scores
from seqjax.experiment import Experiment
from seqjax.models.translate import Translate
from seqjax.models.translation import AttentionName, CellName, Translator
from seqjax.training import metrics
from seqjax.training.optimizers import optimizer


def experiment(
    *,
    digits: int = 3,
    examples: int = 50_000,
    embedding_size: int = 64,
    units: int = 128,
    cell: CellName = "gru",
    attention: AttentionName = "additive",
    feeding: bool = False,
    beam: int = 1,
    learning_rate: float = 4e-3,
    half_life: int = 500,
    epochs: int = 6,
    batch_size: int = 128,
    seed: int = 0,
) -> Experiment:
    return Experiment(
        source=Addition(digits=digits, examples=examples),
        model=Translator(15, 14, embedding_size, units, cell, attention, feeding),
        loss=metrics.token_cross_entropy,
        metrics={"accuracy": metrics.token_accuracy},
        optimizer=optimizer("adam", optax.exponential_decay(learning_rate, half_life, 0.5), clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        answer=Translate(beam=beam, max_length=digits + 2),
        scores=scores("exact"),
    )
