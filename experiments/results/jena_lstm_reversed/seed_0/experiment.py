"""LSTM 16 on the window read backwards: worse than naive, says the lecture. 2,001 parameters.

python -m seqjax.main --experiment=jena_lstm_reversed
"""

import optax
from seqjax.data.jena import Windows
from seqjax.models.recurrent import LSTM

from seqjax import metrics
from seqjax.experiment import Experiment
from seqjax.models.forecasters import RecurrentForecaster


def experiment(
    *,
    units: int = 16,
    sampling_rate: int | None = None,
    sequence_length: int | None = None,
    delay: int | None = None,
    learning_rate: float = 1e-3,
    epochs: int = 10,
    batch_size: int = 256,
    seed: int = 0,
) -> Experiment:
    return Experiment(
        source=Windows(sampling_rate, sequence_length, delay),
        model=RecurrentForecaster(LSTM(units, reverse=True)),
        loss=metrics.squared_error,
        metrics={"mae": metrics.absolute_error},
        optimizer=optax.rmsprop(learning_rate, decay=0.9, eps=1e-7),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
