"""SimpleRNN 16 on five days of hourly weather. 513 parameters.

python -m seqjax.main --experiment=jena_simple_rnn
python -m seqjax.main --experiment=jena_simple_rnn --set=activation=relu --set=clip_norm=1 --set=optimizer=adam

With the lecture's remedies for vanishing gradients: activation, initial values, clipping, optimizer. The others
are knobs of jena_recurrent.
"""

from typing import Literal

from seqjax.data.jena import Windows
from seqjax.models.recurrent import SimpleRNN
from seqjax.optimizers import optimizer as optimizer_named

from seqjax import metrics
from seqjax.experiment import Experiment
from seqjax.models.forecasters import RecurrentForecaster


def experiment(
    *,
    units: int = 16,
    activation: Literal["tanh", "relu", "softsign", "sigmoid", "linear"] = "tanh",
    initializer: Literal["keras", "flax", "torch"] = "keras",
    sampling_rate: int | None = None,
    sequence_length: int | None = None,
    delay: int | None = None,
    optimizer: Literal["rmsprop", "adam", "adamw", "adagrad", "sgd"] = "rmsprop",
    learning_rate: float = 1e-3,
    clip_norm: float | None = None,
    epochs: int = 10,
    batch_size: int = 256,
    seed: int = 0,
) -> Experiment:
    return Experiment(
        source=Windows(sampling_rate, sequence_length, delay),
        model=RecurrentForecaster(SimpleRNN(units, activation=activation, initializer=initializer)),
        loss=metrics.squared_error,
        metrics={"mae": metrics.absolute_error},
        optimizer=optimizer_named(optimizer, learning_rate, clip_norm=clip_norm),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
