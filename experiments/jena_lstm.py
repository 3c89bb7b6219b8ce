"""LSTM 16 on five days of hourly weather: the first to beat naive. 2,001 parameters.

python -m seqjax.main --experiment=jena_lstm
python -m seqjax.main --experiment=jena_lstm --set=epochs=60    # the hourly file: the same number of updates
"""

from seqjax.data.series.jena import Windows
from seqjax.experiment import Experiment
from seqjax.layers.recurrent import LSTM
from seqjax.models.forecasters import RecurrentForecaster
from seqjax.training import metrics
from seqjax.training.optimizers import rmsprop


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
        model=RecurrentForecaster(LSTM(units)),
        loss=metrics.squared_error,
        metrics={"mae": metrics.absolute_error},
        optimizer=rmsprop(learning_rate),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        lecture={"test": {"mae": 2.53}},
    )
