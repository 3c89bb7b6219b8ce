"""Anomalies of NAB's 58 series: a GRU 32 expects each row from those before, surprise is the score. 5,922 parameters.

python -m seqjax.main --experiment=nab_gru --data=sample
python -m seqjax.main --experiment=nab_gru

Trained on the first rows of each file alone, in which NAB judges nothing. `nab`: the score of the standard profile at
the threshold that is best on the corpus, as NAB has it; `nab_left_out`: at that of the other files. The knobs were
chosen on one half of the corpus, which is the validation part; `nab_held_out` is of the other half.
"""

from typing import Literal

import optax

from seqjax.data.series.nab import Nab
from seqjax.experiment import Experiment
from seqjax.layers.recurrent import GRU
from seqjax.models.watchers import RowForecaster
from seqjax.scoring.surprise import Recipe
from seqjax.training.optimizers import optimizer
from seqjax.training.watching import NAB_SCORES, AnomalyScores, expected_error


def experiment(
    *,
    sequence_length: int = 64,
    horizon: int = 4,
    units: int = 32,
    short: int = 16,
    long: int = 3000,
    calibration: Literal["likelihood", "conformal"] = "likelihood",
    outside: float = 6.0,
    level: float = 5.6,
    quiet: float = 0.15,
    learning_rate: float = 3e-3,
    half_life: int = 200,
    epochs: int = 10,
    batch_size: int = 256,
    seed: int = 0,
) -> Experiment:
    recipe = Recipe(short, long, calibration, outside=outside, level=level)
    return Experiment(
        source=Nab(sequence_length, horizon, recipe, quiet),
        model=RowForecaster(GRU(units), units),
        loss=expected_error,
        metrics={"mae": expected_error},
        optimizer=optimizer("adam", optax.exponential_decay(learning_rate, half_life, 0.5), clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        scores=AnomalyScores(recipe, quiet).scores(NAB_SCORES),
    )
