"""GRU 32 on a table of your own, one series or many: quantiles of all steps of a horizon. 11,401 parameters.

python -m seqjax.main --experiment=csv_forecast --set=file=PATH.csv --set=series=shop --set=target=sales
python -m seqjax.main --mode=predict --workdir=runs/csv_forecast --input=NEW.csv

`context`, `horizon`, `season`, `validation`, `test` are in rows. Columns: `known` ahead (predict wants rows behind the
last target), `features` up to now, `static` of a series (numbers or words). `wide`: a series a row, no dates, as in M4.
"""

from typing import Literal

from seqjax.data.series.csv_panel import Columns, CsvPanel
from seqjax.data.series.csv_table import Form
from seqjax.data.series.panel_windows import Windows, levels_of
from seqjax.experiment import Experiment
from seqjax.models import distributions
from seqjax.models.panel_forecasters import forecaster
from seqjax.training.calibrated import calibrated
from seqjax.training.forecasting import decoded_by
from seqjax.training.optimizers import optimizer


def experiment(
    *,
    file: str = "",
    time: str = "",
    target: str = "",
    features: str = "",
    known: str = "",
    static: str = "",
    series: str = "",
    format: str = "",
    missing: float | None = None,
    encoding: str = "",
    decimal: Literal[".", ","] = ".",
    thousands: str = "",
    comment: str = "",
    delimiter: str = "",
    wide: bool = False,
    sort: bool = False,
    doubled: Literal["", "first", "last", "mean"] = "",
    context: int = 96,
    horizon: int = 24,
    validation: int | None = None,
    test: int | None = None,
    stride: int = 1,
    season: int | None = None,
    levels: str = "0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9",
    scaling: Literal["standard", "mean", "none"] = "standard",
    normalize: Literal["", "series", "last", "window", "mean"] = "",
    likelihood: Literal["quantiles", "student_t", "negative_binomial", "mean"] = "quantiles",
    decoder: Literal["direct", "paths", "median"] = "direct",
    calibrate: bool = False,
    linear: bool = False,
    embedding_size: int = 0,
    series_count: int | None = None,
    cell: Literal["gru", "lstm"] = "gru",
    units: int = 32,
    layers: int = 1,
    dropout: float = 0.1,
    learning_rate: float = 3e-3,
    epochs: int = 10,
    batch_size: int = 64,
    seed: int = 0,
) -> Experiment:
    form = Form(time, format or None, missing, encoding, decimal, thousands, comment, delimiter, sort, series, doubled)
    q, counts = levels_of(levels), likelihood == "negative_binomial"
    head, back = distributions.head(likelihood, q), (season,) if season and season <= context else ()
    windows = Windows(context, horizon, q, scaling, stride, season=season)
    options = {"cell": cell, "units": units, "layers": layers, "linear": linear, "dropout": dropout, "seasons": back}
    options |= {"embedding_size": embedding_size, "series_count": series_count or 1, "normalize": normalize}
    return Experiment(
        source=CsvPanel(file, Columns(target, features, known, static), windows, form, validation, test, counts, wide),
        model=forecaster(decoder, head, context, horizon, **options),
        **(calibrated(decoded_by(decoder, head, q), q) if calibrate else decoded_by(decoder, head, q)),
        optimizer=optimizer("adam", learning_rate, clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
