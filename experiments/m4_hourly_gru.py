"""GRU over a week of each of M4's 414 hourly series: 48 hours of quantiles. 43,401 parameters.

python -m seqjax.main --experiment=m4_hourly_gru
python -m seqjax.main --mode=predict --workdir=runs/m4_hourly_gru --input=Hourly-train.csv
"""

from typing import Literal

from seqjax.data.series.m4 import HORIZON, SEASON, M4Hourly
from seqjax.data.series.panel_windows import LEVELS, Windows
from seqjax.experiment import Experiment
from seqjax.models import distributions
from seqjax.models.horizon import DirectForecaster, recurrent
from seqjax.training.forecasting import forecasting
from seqjax.training.optimizers import optimizer


def experiment(
    *,
    context: int = 168,
    stride: int = 7,
    normalize: Literal["series", "last", "window", "mean"] = "window",
    likelihood: Literal["quantiles", "student_t"] = "quantiles",
    units: int = 64,
    dropout: float = 0.1,
    series_count: int | None = None,
    learning_rate: float = 1e-3,
    epochs: int = 20,
    batch_size: int = 128,
    seed: int = 0,
) -> Experiment:
    head = distributions.head(likelihood, LEVELS)
    return Experiment(
        source=M4Hourly(Windows(context, HORIZON, LEVELS, stride=stride, season=SEASON)),
        model=DirectForecaster(
            recurrent("gru", units, 1),
            head,
            context,
            HORIZON,
            normalize,
            seasons=(24, 168),
            around_season=True,
            dense_units=units,
            dropout=dropout,
            series_count=series_count or 1,
        ),
        **forecasting(head, LEVELS),
        optimizer=optimizer("adam", learning_rate, clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
