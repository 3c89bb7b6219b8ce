"""Anomalies of NAB's 58 series: a GRU 32 tells each window by 8 numbers and rebuilds it. 4,200 parameters.

python -m seqjax.main --experiment=nab_autoencoder --data=sample
python -m seqjax.main --experiment=nab_autoencoder

What is surprising is how far the last row of the window that ends in a row is from what was rebuilt. Everything else as
in nab_gru.
"""

from typing import Literal

import optax

from seqjax.data.series.nab import Nab
from seqjax.experiment import Experiment
from seqjax.layers.recurrent import GRU
from seqjax.models.watchers import WindowAutoencoder
from seqjax.scoring.surprise import Recipe
from seqjax.training.optimizers import optimizer
from seqjax.training.watching import NAB_SCORES, AnomalyScores, last_rebuilt, rebuilt_error


def experiment(
    *,
    sequence_length: int = 64,
    units: int = 32,
    kept: int = 8,
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
        source=Nab(sequence_length, 0, recipe, quiet),
        model=WindowAutoencoder(GRU(units), kept),
        loss=rebuilt_error,
        metrics={"window_mae": rebuilt_error},
        optimizer=optimizer("adam", optax.exponential_decay(learning_rate, half_life, 0.5), clip_norm=1.0),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        answer=last_rebuilt,
        scores=AnomalyScores(recipe, quiet).scores(NAB_SCORES),
    )
