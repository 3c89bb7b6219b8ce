"""Flatten, Dense 16, Dense 1 on five days of weather: no better than naive. 26,913 parameters.

python -m seqjax.main --experiment=jena_dense
"""

import optax
from seqjax.data.jena import Windows

from seqjax import metrics
from seqjax.experiment import Experiment
from seqjax.models.forecasters import DenseForecaster


def experiment(
    *,
    units: int = 16,
    sampling_rate: int | None = None,
    sequence_length: int | None = None,
    delay: int | None = None,
    purge: bool = False,
    repair: bool = True,
    learning_rate: float = 1e-3,
    epochs: int = 10,
    batch_size: int = 256,
    seed: int = 0,
) -> Experiment:
    return Experiment(
        source=Windows(sampling_rate, sequence_length, delay, purge=purge, repair=repair),
        model=DenseForecaster(units),
        loss=metrics.squared_error,
        metrics={"mae": metrics.absolute_error},
        optimizer=optax.rmsprop(learning_rate, decay=0.9, eps=1e-7),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        lecture={"test": {"mae": 2.62}},
    )
