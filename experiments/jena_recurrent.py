"""Any recurrent model with all of the lecture's remedies as knobs; by default jena_lstm's. 2,001 parameters.

python -m seqjax.main --experiment=jena_recurrent --set=cell=gru --set=layers=2 --set=optimizer=adam --set=clip_norm=1

The lecture's list: activation, initial values, clipping, normalisation, optimizer; dropout, recurrent dropout,
stacking, both directions; units, dense layers, horizon, learning rate. This row alone has more than a dozen knobs.
"""

from typing import Literal

from seqjax.data.series.jena import Windows
from seqjax.experiment import Experiment
from seqjax.layers.composite import Bidirectional, Stacked
from seqjax.layers.named import named, width
from seqjax.models.forecasters import RecurrentForecaster
from seqjax.training import metrics
from seqjax.training.optimizers import optimizer as optimizer_named


def experiment(
    *,
    cell: Literal["simple_rnn", "lstm", "gru", "mingru", "minlstm", "lru"] = "lstm",
    units: int = 16,
    parameters: int | None = None,
    layers: int = 1,
    bidirectional: bool = False,
    dense_layers: int = 0,
    dense_units: int = 16,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    fresh: bool = False,
    activation: Literal["tanh", "relu", "softsign", "sigmoid", "linear"] = "tanh",
    initializer: Literal["keras", "flax", "torch"] = "keras",
    batch_norm: bool = False,
    layer_norm: bool = False,
    optimizer: Literal["rmsprop", "adam", "adamw", "adagrad", "sgd"] = "rmsprop",
    learning_rate: float = 1e-3,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    horizon: int = 24,
    sequence_length: int = 120,
    purge: bool = False,
    repair: bool = True,
    epochs: int = 10,
    batch_size: int = 256,
    seed: int = 0,
) -> Experiment:
    given = {"activation": activation, "recurrent_dropout": recurrent_dropout, "fresh": fresh}
    given |= {"initializer": initializer, "layer_norm": layer_norm}
    units = units if parameters is None else width(cell, 14, parameters)  # of one layer, over 14 measurements
    stack = [named(cell, units, **given) for _ in range(layers)]
    if bidirectional:
        stack = [Bidirectional(layer) for layer in stack]
    layer = stack[0] if layers == 1 else Stacked(stack)
    return Experiment(
        source=Windows(sequence_length=sequence_length, horizon=horizon, purge=purge, repair=repair),
        model=RecurrentForecaster(layer, dropout, dense_layers, dense_units, batch_norm),
        loss=metrics.squared_error,
        metrics={"mae": metrics.absolute_error},
        optimizer=optimizer_named(optimizer, learning_rate, clip_norm=clip_norm, clip_value=clip_value),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
