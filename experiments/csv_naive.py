"""The baseline for csv_lstm: the value `season` samples before the target, or the last one. No parameters.

python -m seqjax.main --experiment=csv_naive --set=file=PATH.csv --set=time=timestamp --set=target=value
"""

import optax

from seqjax.data.series.csv_table import Form
from seqjax.data.series.csv_windows import CsvWindows
from seqjax.experiment import Experiment
from seqjax.models.forecasters import LastValue, Rescaled, SeasonalNaive
from seqjax.training import metrics


def experiment(
    *,
    file: str = "",
    time: str = "",
    target: str = "",
    format: str = "",
    missing: float | None = None,
    sampling: int = 1,
    sequence_length: int = 120,
    horizon: int = 24,
    purge: bool = False,
    season: int | None = None,
    batch_size: int = 256,
    seed: int = 0,
) -> Experiment:
    form = Form(time, format or None, missing)
    seasonal = season and SeasonalNaive(0, ahead=-(-horizon // sampling), season=season)
    return Experiment(
        source=CsvWindows(file, target, "", form, sampling, sequence_length, horizon, purge),
        model=Rescaled(seasonal or LastValue(column=0)),
        loss=metrics.squared_error,
        metrics={"mae": metrics.absolute_error},
        optimizer=optax.identity(),
        epochs=0,
        batch_size=batch_size,
        seed=seed,
    )
