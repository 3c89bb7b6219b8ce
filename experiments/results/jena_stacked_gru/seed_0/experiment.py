"""Two GRU 32 with recurrent dropout 0.5, dropout 0.5. 10,977 parameters.

python -m seqjax.main --experiment=jena_stacked_gru
"""

import optax
from seqjax.data.jena import Windows
from seqjax.models.composite import Stacked
from seqjax.models.recurrent import GRU

from seqjax import metrics
from seqjax.experiment import Experiment
from seqjax.models.forecasters import RecurrentForecaster


def experiment(
    *,
    units: int = 32,
    layers: int = 2,
    recurrent_dropout: float = 0.5,
    dropout: float = 0.5,
    sampling_rate: int | None = None,
    sequence_length: int | None = None,
    delay: int | None = None,
    learning_rate: float = 1e-3,
    epochs: int = 50,
    batch_size: int = 256,
    seed: int = 0,
) -> Experiment:
    return Experiment(
        source=Windows(sampling_rate, sequence_length, delay),
        model=RecurrentForecaster(
            Stacked([GRU(units, recurrent_dropout=recurrent_dropout) for _ in range(layers)]), dropout
        ),
        loss=metrics.squared_error,
        metrics={"mae": metrics.absolute_error},
        optimizer=optax.rmsprop(learning_rate, decay=0.9, eps=1e-7),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        lecture={"test": {"mae": 2.39}},
    )
