"""GRU on five days of hourly weather: quantiles of the temperature of the next 24 hours. 16,287 parameters.

python -m seqjax.main --experiment=jena_quantiles
python -m seqjax.main --mode=predict --workdir=runs/jena_quantiles --input=weather.csv

`pinball` is in degrees Celsius (`wql`, which is divided by the mean size, depends on where 0 lies). Intervals of 50, 80
and 90 %, calibrated hour by hour on the validation part (split conformal): `coverage_90` is to be 0.90 on the test
part, `raw_coverage_90` is that of the model's own quantiles.
"""

from seqjax.data.series.jena_hours import HORIZON, Hours
from seqjax.data.series.panel_windows import Windows
from seqjax.experiment import Experiment
from seqjax.models import distributions
from seqjax.models.horizon import DirectForecaster, recurrent
from seqjax.training.calibrated import calibrated
from seqjax.training.forecasting import forecasting
from seqjax.training.optimizers import optimizer

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


def experiment(
    *,
    context: int = 120,
    stride: int = 3,
    units: int = 32,
    linear: bool = True,
    dropout: float = 0.1,
    learning_rate: float = 2e-3,
    epochs: int = 10,
    batch_size: int = 128,
    seed: int = 0,
) -> Experiment:
    head = distributions.Quantiles(LEVELS)
    return Experiment(
        source=Hours(Windows(context, HORIZON, LEVELS, stride=stride)),
        model=DirectForecaster(
            recurrent("gru", units, 1),
            head,
            context,
            HORIZON,
            seasons=(24,),
            linear=linear,
            dense_units=units,
            dropout=dropout,
            known=6,
            past=13,
        ),
        **calibrated(forecasting(head, LEVELS), LEVELS, quoted="pinball"),
        optimizer=optimizer("adam", learning_rate, clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
