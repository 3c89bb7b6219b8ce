"""GRU over 30 days of ETTh1's seven columns, a day at a time: the next 24 to 720 hours. 95,233 parameters.

python -m seqjax.main --experiment=etth1_gru
python -m seqjax.main --experiment=etth1_gru --sweep=horizon=24,48,96,168,336,720 --seeds=3

MSE and MAE as the papers have them. Every column is a series of its own, read and forecast as changes from its last
value (`normalize`, NLinear's): without that the two years drift away from what was trained on. `mixed` reads all
columns for each; `linear` leads straight from window to horizon, too. `loss=quantiles` is that of the median alone, the
absolute error: on the validation part it has the MSE of `mean`, and a smaller MAE.
"""

from typing import Literal

from seqjax.data.series.ett import SEASON, ETTh1
from seqjax.data.series.panel_windows import Windows
from seqjax.experiment import Experiment
from seqjax.models import distributions
from seqjax.models.horizon import DirectForecaster, recurrent
from seqjax.training.forecasting import scaled_errors
from seqjax.training.optimizers import decayed, optimizer

MEDIAN = (0.5,)


def experiment(
    *,
    horizon: int = 96,
    context: int = 720,
    patch: int = 24,
    stride: int = 1,
    normalize: Literal["series", "last", "window", "mean"] = "last",
    mixed: bool = False,
    linear: bool = False,
    loss: Literal["mean", "quantiles"] = "quantiles",
    units: int = 64,
    dropout: float = 0.5,
    examples: int | None = None,
    learning_rate: float = 1e-3,
    epochs: int = 4,
    batch_size: int = 256,
    seed: int = 0,
) -> Experiment:
    head = distributions.head(loss, MEDIAN)
    rate = decayed(learning_rate, "cosine", epochs * -(-(examples or 1) // batch_size))
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
            known=4,
            past=7 if mixed else 0,
        ),
        **scaled_errors(head, MEDIAN),
        optimizer=optimizer("adam", rate, clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
