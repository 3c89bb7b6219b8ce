"""The seasonal naive forecaster: the temperature at the same hour, `days` before. No parameters.

python -m seqjax.main --experiment=jena_seasonal_naive --set=horizon=12
python -m seqjax.main --experiment=jena_seasonal_naive --set=days=2

A day ahead, the lecture's horizon, the same hour of the day before is now: it is jena_naive. At another horizon it
is not.
"""

import optax
from seqjax.data.jena import TEMPERATURE, Windows

from seqjax import metrics
from seqjax.experiment import Experiment
from seqjax.models.forecasters import SeasonalNaive


def experiment(
    *,
    days: int = 1,
    horizon: int = 24,
    sequence_length: int = 120,
    batch_size: int = 256,
    seed: int = 0,
) -> Experiment:
    return Experiment(
        source=Windows(sequence_length=sequence_length, normalise=False, horizon=horizon),
        model=SeasonalNaive(TEMPERATURE, ahead=horizon, season=24, seasons=days),
        loss=metrics.squared_error,
        metrics={"mae": metrics.absolute_error},
        optimizer=optax.identity(),
        epochs=0,
        batch_size=batch_size,
        seed=seed,
    )
