"""GRU over two weeks of ETTh1's seven columns, a day at a time: the next 24 to 720 hours. 136,929 parameters.

python -m seqjax.main --experiment=etth1_gru
python -m seqjax.main --experiment=etth1_gru --sweep=horizon=24,48,168,336,720
"""

from typing import Literal

from seqjax.data.series.ett import SEASON, ETTh1
from seqjax.data.series.panel_windows import Windows
from seqjax.experiment import Experiment
from seqjax.models import distributions
from seqjax.models.horizon import DirectForecaster, recurrent
from seqjax.training.forecasting import scaled_errors
from seqjax.training.optimizers import optimizer

MEDIAN = (0.5,)


def experiment(
    *,
    horizon: int = 96,
    context: int = 336,
    patch: int = 24,
    stride: int = 1,
    normalize: Literal["series", "last", "window", "mean"] = "last",
    mixed: bool = False,
    linear: bool = True,
    loss: Literal["mean", "quantiles"] = "mean",
    units: int = 64,
    dropout: float = 0.3,
    learning_rate: float = 1e-3,
    epochs: int = 10,
    batch_size: int = 256,
    seed: int = 0,
) -> Experiment:
    head = distributions.head(loss, MEDIAN)
    return Experiment(
        source=ETTh1(Windows(context, horizon, MEDIAN, stride=stride, mixed=mixed, season=SEASON)),
        model=DirectForecaster(
            recurrent("gru", units, 1),
            head,
            context,
            horizon,
            normalize,
            patch,
            linear=linear,
            dense_units=units,
            dropout=dropout,
            known=6,
        ),
        **scaled_errors(head, MEDIAN),
        optimizer=optimizer("adam", learning_rate, clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
