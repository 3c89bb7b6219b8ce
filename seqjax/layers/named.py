"""Recurrent layers by name, for models whose cell is a choice.

Legend: U units.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

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
