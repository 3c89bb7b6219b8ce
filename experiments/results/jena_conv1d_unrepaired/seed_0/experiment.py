"""Three Conv1D with pooling, Dense 1: worse than dense. 3,873 parameters.

python -m seqjax.main --experiment=jena_conv1d
"""

import optax
from seqjax.data.jena import Windows

from seqjax import metrics
from seqjax.experiment import Experiment
from seqjax.models.forecasters import ConvForecaster


def experiment(
    *,
    filters: int = 8,
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
        model=ConvForecaster(filters),
        loss=metrics.squared_error,
        metrics={"mae": metrics.absolute_error},
        optimizer=optax.rmsprop(learning_rate, decay=0.9, eps=1e-7),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        lecture={"test": {"mae": 3.10}},
    )
