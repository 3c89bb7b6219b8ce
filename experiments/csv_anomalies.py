"""Anomalies in your own table: a GRU 32 expects each row from those before, surprise is the score. 5,922 parameters.

python -m seqjax.main --experiment=csv_anomalies --set=file=PATH.csv --set=columns=cpu,disk --set=labels=is_anomaly
tail -f live.csv | python -m seqjax.main --mode=stream --workdir=runs/csv_anomalies    # or predict, --input=NEW.csv

`trained`: the share of rows, from the first, that is trained on, and should be as things usually are. `labels`: a
column of 0 and 1, or a JSON file of windows; none are needed. `level`: an alarm's score; `quiet`: rows without one.
"""

from typing import Literal

from seqjax.data.series.csv_table import Form
from seqjax.data.series.table_watch import TableWatch
from seqjax.experiment import Experiment
from seqjax.layers.recurrent import GRU
from seqjax.models.watchers import RowForecaster
from seqjax.scoring.surprise import Recipe
from seqjax.training.optimizers import optimizer
from seqjax.training.watching import TABLE_SCORES, AnomalyScores, expected_error


def experiment(
    *,
    file: str = "",
    columns: str = "",
    labels: str = "",
    time: str = "",
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
    trained: float = 0.5,
    sequence_length: int = 64,
    horizon: int = 4,
    units: int = 32,
    short: int = 8,
    long: int = 3000,
    calibration: Literal["likelihood", "conformal"] = "likelihood",
    outside: float = 4.0,
    level: float = 5.0,
    quiet: int = 50,
    learning_rate: float = 3e-3,
    epochs: int = 20,
    batch_size: int = 64,
    seed: int = 0,
) -> Experiment:
    form = Form(time, format or None, missing, encoding, decimal, thousands, comment, delimiter, sort, series, doubled)
    recipe = Recipe(short, long, calibration, outside=outside, level=level, quiet=quiet, still=True)
    return Experiment(
        source=TableWatch(file, columns, labels, form, trained, sequence_length, horizon, recipe),
        model=RowForecaster(GRU(units), units),
        loss=expected_error,
        metrics={"mae": expected_error},
        optimizer=optimizer("adam", learning_rate, clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        scores=AnomalyScores(recipe, pictures=24).scores(TABLE_SCORES),
    )
