"""A GRU 8 on random walks, where no model beats the last value, and on AR(1), where it must. 273 parameters.

python -m seqjax.main --experiment=random_walk --seeds=20
python -m seqjax.main --experiment=random_walk --seeds=10 --set=phi=0.5 --set=rows=40000 --set=sequence_length=400 \
  --set=epochs=30 --set=batch_size=256    # the test of power: the best skill is known
python -m seqjax.main --experiment=random_walk --seeds=20 --set=steps=heavy

Generated in both data modes, each run's series by its seed. `skill`: 1 - error / that of the last value. `of_changes`,
`of_last`, `of_next`: whether a forecast is the last value, shifted (`seqjax.scoring.shift`).
"""

from typing import Literal

from seqjax.data.series.walks import Walk
from seqjax.experiment import Experiment
from seqjax.layers.recurrent import GRU
from seqjax.models.forecasters import Normalized, RecurrentForecaster
from seqjax.training import last_value, metrics
from seqjax.training.optimizers import optimizer


def experiment(
    *,
    steps: Literal["gaussian", "heavy", "clusters"] = "gaussian",
    phi: float = 1.0,
    rows: int = 8000,
    sequence_length: int = 100,
    horizon: int = 1,
    normalize: Literal["series", "window", "last"] = "last",
    units: int = 8,
    learning_rate: float = 3e-3,
    epochs: int = 20,
    batch_size: int = 32,
    seed: int = 0,
) -> Experiment:
    return Experiment(
        source=Walk(steps, phi, rows, sequence_length, horizon, seed),
        model=Normalized(RecurrentForecaster(GRU(units), start_at_zero=True), normalize),
        loss=metrics.standardised_absolute_error,
        metrics={"mae": metrics.unit_absolute_error},
        optimizer=optimizer("adam", learning_rate),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        scores=last_value.scores(),
    )
