"""LSTM 32 on a table of your own: any columns, any step. 6,049 parameters on 14 columns.

python -m seqjax.main --experiment=csv_lstm --set=file=PATH.csv --set=time=timestamp --set=target=value
python -m seqjax.main --mode=predict --workdir=runs/csv_lstm --input=NEW.csv

`sampling`, `horizon` and `season` are in rows of the file. Dates are ISO 8601, or --set='format=%d/%m/%Y %H:%M', or
--set=format=unix.
`normalize`: by what the windows are seen, see `seqjax.models.forecasters.Normalized`.
"""

from typing import Literal

from seqjax.data.series.csv_table import Form
from seqjax.data.series.table_windows import TableWindows
from seqjax.experiment import Experiment
from seqjax.layers.recurrent import LSTM
from seqjax.models.forecasters import Normalized, RecurrentForecaster
from seqjax.training import metrics
from seqjax.training.optimizers import optimizer


def experiment(
    *,
    file: str = "",
    time: str = "",
    target: str = "",
    features: str = "",
    series: str = "",
    format: str = "",
    missing: float | None = None,
    encoding: str = "",
    decimal: Literal[".", ","] = ".",
    thousands: str = "",
    comment: str = "",
    delimiter: str = "",
    sort: bool = False,
    doubled: Literal["", "first", "last", "mean"] = "",
    sampling: int = 1,
    sequence_length: int = 120,
    horizon: int = 24,
    season: int | None = None,
    normalize: Literal["series", "window", "last"] = "window",
    units: int = 32,
    dropout: float = 0.3,
    learning_rate: float = 3e-3,
    epochs: int = 20,
    batch_size: int = 32,
    seed: int = 0,
) -> Experiment:
    form = Form(time, format or None, missing, encoding, decimal, thousands, comment, delimiter, sort, series, doubled)
    return Experiment(
        source=TableWindows(file, target, features, form, sampling, sequence_length, horizon, season=season),
        model=Normalized(RecurrentForecaster(LSTM(units), dropout, start_at_zero=True), normalize),
        loss=metrics.standardised_absolute_error,
        metrics={"mae": metrics.unit_absolute_error},
        optimizer=optimizer("rmsprop", learning_rate),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
