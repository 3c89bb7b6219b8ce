"""LSTM 32 on a CSV of your own: any columns, any step. 6,049 parameters on 14 columns.

python -m seqjax.main --experiment=csv_lstm --set=file=PATH.csv --set=time=timestamp --set=target=value
python -m seqjax.main --mode=predict --workdir=runs/csv_lstm --input=NEW.csv

`sampling` and `horizon` are in rows of the file. Dates are ISO 8601 or --set='format=%d/%m/%Y %H:%M', or unix.
"""

from seqjax.data.series.csv_table import Form
from seqjax.data.series.csv_windows import CsvWindows
from seqjax.experiment import Experiment
from seqjax.layers.recurrent import LSTM
from seqjax.models.forecasters import RecurrentForecaster, Rescaled
from seqjax.training import metrics
from seqjax.training.optimizers import optimizer


def experiment(
    *,
    file: str = "",
    time: str = "",
    target: str = "",
    features: str = "",
    format: str = "",
    missing: float | None = None,
    sampling: int = 1,
    sequence_length: int = 120,
    horizon: int = 24,
    purge: bool = False,
    units: int = 32,
    learning_rate: float = 1e-3,
    epochs: int = 20,
    batch_size: int = 256,
    seed: int = 0,
) -> Experiment:
    form = Form(time, format or None, missing)
    return Experiment(
        source=CsvWindows(file, target, features, form, sampling, sequence_length, horizon, purge),
        model=Rescaled(RecurrentForecaster(LSTM(units))),
        loss=metrics.squared_error,
        metrics={"mae": metrics.absolute_error},
        optimizer=optimizer("rmsprop", learning_rate),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
