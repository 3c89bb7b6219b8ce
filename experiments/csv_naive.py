"""The baseline for csv_lstm: the value `season` rows before the target, or the last one. No parameters.

python -m seqjax.main --experiment=csv_naive --set=file=PATH.csv --set=time=timestamp --set=target=value
"""

from typing import Literal

import optax

from seqjax.data.series.csv_table import Form
from seqjax.data.series.table_windows import TableWindows, samples
from seqjax.experiment import Experiment
from seqjax.models.forecasters import LastValue, Normalized, SeasonalNaive
from seqjax.training import metrics


def experiment(
    *,
    file: str = "",
    time: str = "",
    target: str = "",
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
    batch_size: int = 256,
    seed: int = 0,
) -> Experiment:
    form = Form(time, format or None, missing, encoding, decimal, thousands, comment, delimiter, sort, series, doubled)
    seasonal = season and SeasonalNaive(0, samples("horizon", horizon, sampling), samples("season", season, sampling))
    return Experiment(
        source=TableWindows(file, target, "", form, sampling, sequence_length, horizon, season=season),
        model=Normalized(seasonal or LastValue(column=0), "last"),
        loss=metrics.standardised_absolute_error,
        metrics={"mae": metrics.unit_absolute_error},
        optimizer=optax.identity(),
        epochs=0,
        batch_size=batch_size,
        seed=seed,
    )
