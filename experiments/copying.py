"""The copying problem over T steps, with any remedy against vanishing gradients: LSTM 128. 73,091 parameters.

python -m seqjax.main --experiment=copying
python -m seqjax.main --experiment=copying --sweep=remedy=none,orthogonal,lstm,lstm_chrono,gru,lru --seeds=5
"""

from typing import Literal

from seqjax.data.memory.copying import COUNT, TOKENS, Copying
from seqjax.experiment import Experiment
from seqjax.models.remedies import Remedy, identity, remedied
from seqjax.models.taggers import RecurrentTagger
from seqjax.training import metrics
from seqjax.training.optimizers import optimizer as optimizer_named


def experiment(
    *,
    remedy: Remedy = "lstm_chrono",
    length: int = 100,
    units: int = 128,
    embedding_size: int = 11,
    examples: int = 20_000,
    optimizer: Literal["rmsprop", "adam", "adamw", "adagrad", "sgd"] = "rmsprop",
    learning_rate: float = 1e-3,
    clip_norm: float | None = 1.0,
    enough: float | None = None,
    epochs: int = 10,
    batch_size: int = 50,
    seed: int = 0,
) -> Experiment:
    layer = remedied(remedy, units, length, return_sequences=True)
    last = lambda outputs, targets: metrics.token_accuracy(outputs[:, -COUNT:], targets[:, -COUNT:])
    return Experiment(
        source=Copying(length, examples),
        model=RecurrentTagger(TOKENS, embedding_size, layer, TOKENS - 1, dropout=0.0, embedding_init=identity),
        loss=metrics.token_cross_entropy,
        metrics={"nats": metrics.token_cross_entropy, "recalled": last},
        optimizer=optimizer_named(optimizer, learning_rate, clip_norm=clip_norm),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        enough=enough,
    )
