"""GRU over two weeks of each of M4's 414 hourly series, a day at a time: 48 hours of quantiles. 52,297 parameters.

python -m seqjax.main --experiment=m4_hourly_gru
python -m seqjax.main --mode=predict --workdir=runs/m4_hourly_gru --input=Hourly-train.csv

It says how far the values of a week ago are off, and reads those of a day, one and two weeks ago for each hour. Chosen
by forecasts of the last nine days of the training part. wQL, which is to be at most DeepAR's 0.0329, counts errors by
their size: a third of it are two of the series. So training draws the larger ones more often.
"""

from typing import Literal

from seqjax.data.series.m4 import HORIZON, SEASON, M4Hourly
from seqjax.data.series.panel_windows import LEVELS, Windows
from seqjax.experiment import Experiment
from seqjax.models import distributions
from seqjax.models.horizon import DirectForecaster, recurrent
from seqjax.training.forecasting import forecasting
from seqjax.training.optimizers import decayed, optimizer


def experiment(
    *,
    context: int = 336,
    patch: int = 24,
    stride: int = 13,
    size_weight: float = 0.25,
    normalize: Literal["series", "last", "window", "mean"] = "window",
    likelihood: Literal["quantiles", "student_t"] = "quantiles",
    units: int = 64,
    dropout: float = 0.1,
    examples: int | None = None,
    learning_rate: float = 1e-3,
    epochs: int = 5,
    batch_size: int = 128,
    seed: int = 0,
) -> Experiment:
    head = distributions.head(likelihood, LEVELS)
    rate = decayed(learning_rate, "cosine", epochs * -(-(examples or 1) // batch_size))
    return Experiment(
        source=M4Hourly(Windows(context, HORIZON, LEVELS, stride=stride, size_weight=size_weight, season=SEASON)),
        model=DirectForecaster(
            recurrent("gru", units, 1),
            head,
            context,
            HORIZON,
            normalize,
            patch,
            seasons=(168, 24, 336),
            around_season=True,
            dense_units=units,
            dropout=dropout,
        ),
        **forecasting(head, LEVELS),
        optimizer=optimizer("adam", rate, clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
