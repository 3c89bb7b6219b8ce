"""seqjax: deep sequence modelling in JAX and Flax.

`load` and `train` (`seqjax.interface`): runs from a program; `layers`: LSTM, GRU and their like for any Linen model.
"""

from typing import TYPE_CHECKING, Any

from seqjax import old_names
from seqjax.errors import RunStoppedError as RunStoppedError
from seqjax.errors import UserError as UserError

if TYPE_CHECKING:
    from seqjax.interface import Predictions as Predictions
    from seqjax.interface import Run as Run
    from seqjax.interface import load as load
    from seqjax.interface import train as train

__version__ = "0.2.0"
INTERFACE = ("Predictions", "Run", "load", "train")

old_names.install()


def __getattr__(name: str) -> Any:
    """What a program uses, imported when it is asked for."""
    if name not in INTERFACE:
        raise AttributeError(f"module 'seqjax' has no attribute {name!r}")
    from seqjax import interface

    return getattr(interface, name)


def __dir__() -> list[str]:
    """With what is imported late."""
    return sorted([*globals(), *INTERFACE])
