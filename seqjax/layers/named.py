"""Recurrent layers by name, for models whose cell is a choice, and as wide as others of as many parameters.

Legend: D features, U units.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from seqjax.errors import UserError
from seqjax.layers.lru import LRU
from seqjax.layers.minimal import MinGRU, MinLSTM
from seqjax.layers.recurrent import GRU, LSTM, Recurrent, RecurrentLayer, SimpleRNN

LAYERS: Mapping[str, Any] = {
    "simple_rnn": SimpleRNN,
    "lstm": LSTM,
    "gru": GRU,
    "mingru": MinGRU,
    "minlstm": MinLSTM,
    "lru": LRU,
}


def named(name: str, units: int, **options: Any) -> Recurrent:
    """A layer.

    Args:
      name: of `LAYERS`.
      units: U.
      options: of the first three; those that have their defaults there are left to the layer.

    Raises:
      UserError: an unknown name, or an option that the layer does not have.
    """
    if name not in LAYERS:
        raise UserError(f"cell={name} is unknown; choose one of {', '.join(LAYERS)}")
    layer = LAYERS[name]
    usual = {field.name: field.default for field in dataclasses.fields(RecurrentLayer)}
    own = {field.name for field in dataclasses.fields(layer)}
    given = {option: value for option, value in options.items() if option not in usual or usual[option] != value}
    for option, value in given.items():
        if option not in own:
            raise UserError(f"cell={name} has no {option}, so that {option}={value} makes no sense")
    return layer(units, **given)


def width(name: str, features: int, parameters: int) -> int:
    """U of the layer over inputs of D features whose number of parameters is nearest to `parameters`.

    Raises:
      UserError: an unknown name, or fewer parameters than are in a layer of one unit.
    """

    def count(units: int) -> int:
        inputs = jax.ShapeDtypeStruct((1, 1, features), jnp.float32)
        shapes = jax.eval_shape(named(name, units).init, jax.random.key(0), inputs)
        return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))

    if parameters < count(1):
        raise UserError(f"parameters={parameters}: cell={name} of one unit has {count(1)} over {features} features")
    low, high = 1, 2
    while count(high) < parameters:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if count(middle) >= parameters else (middle, high)
    return min((low, high), key=lambda units: abs(count(units) - parameters))
