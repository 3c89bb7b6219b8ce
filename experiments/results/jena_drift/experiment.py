"""The drift forecaster: the line through the five days goes on for another. No parameters.

python -m seqjax.main --experiment=jena_drift
"""

import optax
from seqjax.data.jena import TEMPERATURE, Windows

from seqjax import metrics
from seqjax.experiment import Experiment
from seqjax.models.forecasters import Drift


def experiment(
    *,
    horizon: int = 24,
    sequence_length: int = 120,
    batch_size: int = 256,
    seed: int = 0,
) -> Experiment:
    return Experiment(
        source=Windows(sequence_length=sequence_length, normalise=False, horizon=horizon),
        model=Drift(TEMPERATURE, ahead=horizon),  # samples are an hour apart
        loss=metrics.squared_error,
        metrics={"mae": metrics.absolute_error},
        optimizer=optax.identity(),
        epochs=0,
        batch_size=batch_size,
        seed=seed,
    )
