"""LSTM 32 with recurrent dropout 0.25 and dropout 0.5. 6,049 parameters.

python -m seqjax.main --experiment=jena_lstm_dropout
"""

import optax
from seqjax.data.jena import Windows
from seqjax.models.recurrent import LSTM

from seqjax import metrics
from seqjax.experiment import Experiment
from seqjax.models.forecasters import RecurrentForecaster


def experiment(
    *,
    units: int = 32,
    recurrent_dropout: float = 0.25,
    dropout: float = 0.5,
    sampling_rate: int | None = None,
    sequence_length: int | None = None,
    delay: int | None = None,
    purge: bool = False,
    repair: bool = True,
    learning_rate: float = 1e-3,
    epochs: int = 50,
    batch_size: int = 256,
    seed: int = 0,
) -> Experiment:
    return Experiment(
        source=Windows(sampling_rate, sequence_length, delay, purge=purge, repair=repair),
        model=RecurrentForecaster(LSTM(units, recurrent_dropout=recurrent_dropout), dropout),
        loss=metrics.squared_error,
        metrics={"mae": metrics.absolute_error},
        optimizer=optax.rmsprop(learning_rate, decay=0.9, eps=1e-7),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        lecture={"test": {"mae": 2.45}},
    )
