"""The conveyor belt: an LSTM whose memory passes unchanged, or fades at a constant rate.

    c_t = f_t * c_(t-1) + i_t * g_t        with f = 1 and i = 0: c_t = c_0, after any number of steps

Legend: B batch, T time, D features, U units.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from flax import linen as nn

from seqjax.errors import UserError
from seqjax.layers.recurrent import LSTM
from seqjax.lecture.gates import read

OPEN = 1e3
"""A bias with which a sigmoid is exactly 1, or 0 if it is negative: e^-1000 is 0 in any float."""


def conveyor(units: int, features: int, keep: float = 1.0, seed: int = 0) -> dict[str, np.ndarray]:
    """Parameters of an LSTM cell whose f is `keep` and whose i is 0, whatever comes; its g and o see the input.

    Raises:
      UserError: keep is not in [0, 1].
    """
    if not 0 <= keep <= 1:
        raise UserError(f"keep={keep} is not in [0, 1]")
    forget = {0.0: -OPEN, 1.0: OPEN}.get(keep) or math.log(keep / (1 - keep))
    rng = np.random.default_rng(seed)
    kernel, recurrent = (rng.normal(size=(rows, 4, units)) for rows in (features, units))
    kernel[:, :2] = recurrent[:, :2] = 0  # i and f hear nothing
    bias = np.zeros((4, units))
    bias[:2] = [[-OPEN], [forget]]
    return {
        "kernel": kernel.reshape(features, -1),
        "recurrent_kernel": recurrent.reshape(units, -1),
        "bias": bias.reshape(-1),
    }


class Begun(nn.Module):
    """A layer that begins with a state, leaves [B, U]: (inputs [B, T, D], that state) -> the state after them."""

    layer: nn.Module

    def __call__(self, inputs: Any) -> Any:
        """The layer returns its state."""
        x, state = inputs
        return self.layer(x, initial_state=state)[1]


def belt(keeps: Sequence[float], steps: int = 1000) -> dict[float, np.ndarray]:
    """What is left of a memory of 1 after each of T steps whose f is a constant and whose i is 0: [T + 1] by f."""
    x = np.random.default_rng(0).normal(size=(1, steps, 1))
    begin = np.zeros((1, 1)), np.ones((1, 1))
    model, found = Begun(LSTM(1, return_state=True)), {}
    for keep in keeps:
        (reading,) = read(model, {"layer": {"cell": conveyor(1, 1, keep)}}, (x, begin))[0]
        found[keep] = np.concatenate([[1.0], reading.traces["c"][:, 0]])
    return found
