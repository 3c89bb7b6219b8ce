"""All steps of a horizon in one answer, by a direct head: a recurrent layer reads the window, a dense one each step.

As MQ-RNN (Wen et al. 2017) the head gives every step a context of its own, and reads what is known of that step:
covariates, and the values a season before it. A linear layer may lead straight from the window to the horizon beside it
(NLinear, Zeng et al. 2023).

Legend: B batch, L context, H horizon, P past features, K covariates known ahead, U units, R numbers of the head.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.data.series.panel_arrays import History
from seqjax.errors import check_least
from seqjax.layers.composite import Stacked
from seqjax.layers.dense import Dense, Dropout
from seqjax.layers.recurrent import GRU, LSTM
from seqjax.models import panel_inputs
from seqjax.models.distributions import Frame
from seqjax.models.panel_inputs import About, beside

CELLS = {"gru": GRU, "lstm": LSTM}


def recurrent(cell: str, units: int, layers: int, *, dropout: float = 0.0, every: bool = False) -> nn.Module:
    """A recurrent layer or several; every: its outputs at every step and its state, not the last output alone."""
    from seqjax.errors import UserError

    check_least("layers", layers, 1)
    if cell not in CELLS:
        raise UserError(f"cell={cell}: choose {', '.join(CELLS)}")
    one = lambda: CELLS[cell](units, return_sequences=every, return_state=every)
    return one() if layers == 1 else Stacked([one() for _ in range(layers)], dropout=dropout)


class DirectForecaster(nn.Module):
    """See above."""

    layer: nn.Module
    """Reads the window, gives its last output."""
    head: Any
    """A `distributions.Head`."""
    context: int
    horizon: int
    normalize: str = "window"
    """See `panel_inputs.scales`."""
    patch: int = 1
    """Steps that are read as one."""
    seasons: tuple[int, ...] = ()
    """The head reads the values so many rows before its steps."""
    around_season: bool = False
    """It says how much a step differs from the first of these, and not from the window's level."""
    linear: bool = False
    dense_units: int = 64
    """Of the layer that reads each step."""
    step_context: int = 8
    """What each step gets of its own from the recurrent layer."""
    dropout: float = 0.0
    embedding_size: int = 0
    """Of a vector for each series; 0: none."""
    series_count: int = 1
    known: int = 0
    """K, for `example` alone."""
    past: int = 0
    """P, likewise."""

    def example(self) -> History:
        """Inputs of one window, for the shapes."""
        return panel_inputs.example(self.context, self.horizon, self.known, self.past)

    @nn.compact
    def __call__(self, history: History, *, train: bool = False) -> Any:
        """-> a tree of [B, H, ...]: the head's distribution of changes from the origin."""
        for knob in ("patch", "dense_units", "step_context", "horizon"):
            check_least(knob, getattr(self, knob), 1)
        location, size = panel_inputs.scales(history, self.normalize)
        window = (history.changes - location[:, None]) / size[:, None] * history.valid[:, :, None]  # [B, L, 1 + P]
        about = About(self.series_count, self.embedding_size)(history, train)
        state = self._read(window, history, about, train)  # [B, U]
        seasons = self._seasons(window)  # [B, H, S]
        raw = self._steps(state, about, seasons, history)
        base = seasons[:, :, 0] if self.around_season else jnp.zeros(raw.shape[:2], raw.dtype)
        if self.linear:
            base = base + nn.Dense(self.horizon, kernel_init=nn.initializers.zeros, name="linear")(window[:, :, 0])
        frame = panel_inputs.frame(history, location, size)
        return self.head.distribution(raw, Frame(frame.location + frame.size * base, *frame[1:]))

    def _read(self, window: jax.Array, history: History, about: jax.Array, train: bool) -> jax.Array:
        """The recurrent layer over the window."""
        valid = history.valid[:, :, None]
        marks = history.seen[:, :, None].astype(window.dtype)
        inputs = jnp.concatenate([window, marks, history.known[:, : self.context] * valid], axis=2)
        missing = -self.context % self.patch
        inputs = jnp.pad(inputs, ((0, 0), (missing, 0), (0, 0)))
        inputs = inputs.reshape(inputs.shape[0], -1, self.patch * inputs.shape[2])
        mask = jnp.pad(history.valid, ((0, 0), (missing, 0))).reshape(*inputs.shape[:2], self.patch).any(axis=2)
        inputs = jnp.concatenate([inputs, beside(about, inputs.shape[1])], axis=2)
        return Dropout(self.dropout)(self.layer(inputs, mask=mask, train=train), deterministic=not train)

    def _seasons(self, window: jax.Array) -> jax.Array:
        """[B, H, S] the values a season before each step, on the window's scale."""
        places = panel_inputs.season_places(self.context, self.horizon, self.seasons)
        return window[:, places, 0]

    def _steps(self, state: jax.Array, about: jax.Array, seasons: jax.Array, history: History) -> jax.Array:
        """[B, H, R] the head's numbers: 0 at the start."""
        own = Dense(self.horizon * self.step_context, name="steps")(state)
        own = own.reshape(own.shape[0], self.horizon, self.step_context)
        own = jnp.concatenate([own, seasons, history.known[:, self.context :]], axis=2)
        common = Dense(self.dense_units, name="common")(jnp.concatenate([state, about], axis=1))
        hidden = nn.relu(Dense(self.dense_units, use_bias=False, name="own")(own) + common[:, None])
        return Dense(self.head.size, kernel_init=nn.initializers.zeros, name="numbers")(hidden)
