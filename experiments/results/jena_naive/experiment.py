"""The naive forecaster: tomorrow's temperature is now's. No parameters.

    python -m seqjax.main --experiment=jena_naive

The common-sense baseline of the lecture, to be beaten by whatever claims to have learned something.
"""

import optax
from seqjax.data.jena import TEMPERATURE, Windows

from seqjax import metrics
from seqjax.experiment import Experiment
from seqjax.models.forecasters import LastValue


def experiment(
    *,
    sampling_rate: int | None = None,
    sequence_length: int | None = None,
    delay: int | None = None,
    batch_size: int = 256,
    seed: int = 0,
) -> Experiment:
    return Experiment(
        source=Windows(sampling_rate, sequence_length, delay, normalise=False),
        model=LastValue(column=TEMPERATURE),
        loss=metrics.squared_error,
        metrics={"mae": metrics.absolute_error},
        optimizer=optax.identity(),
        epochs=0,
        batch_size=batch_size,
        seed=seed,
        lecture={"validation": {"mae": 2.44}, "test": {"mae": 2.62}},
    )
