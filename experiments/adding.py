"""The adding problem over T steps, with any remedy against vanishing gradients: GRU 64. 13,121 parameters.

python -m seqjax.main --experiment=adding
python -m seqjax.main --experiment=adding --sweep=remedy=none,relu,irnn,orthogonal,lstm,lstm_chrono,gru,mingru --seeds=5
"""

from typing import Literal

from seqjax.data.memory.adding import Adding, moments
from seqjax.experiment import Experiment
from seqjax.models.forecasters import RecurrentForecaster
from seqjax.models.remedies import Remedy, remedied
from seqjax.training import metrics
from seqjax.training.optimizers import optimizer as optimizer_named


def experiment(
    *,
    remedy: Remedy = "gru",
    length: int = 100,
    units: int = 64,
    batch_norm: bool = False,
    examples: int = 20_000,
    optimizer: Literal["rmsprop", "adam", "adamw", "adagrad", "sgd"] = "adam",
    learning_rate: float = 1e-3,
    clip_norm: float | None = 1.0,
    enough: float | None = None,
    epochs: int = 10,
    batch_size: int = 50,
    seed: int = 0,
) -> Experiment:
    return Experiment(
        source=Adding(length, examples),
        model=RecurrentForecaster(remedied(remedy, units, length), batch_norm=batch_norm, moments=moments(length)),
        loss=metrics.squared_error,
        metrics={"mse": metrics.squared_error},
        optimizer=optimizer_named(optimizer, learning_rate, clip_norm=clip_norm),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        enough=enough,
    )
