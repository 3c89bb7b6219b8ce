"""All steps of a horizon by a decoder that feeds on itself (DeepAR, Salinas et al. 2020).

One recurrent layer runs through window and horizon. At each step it reads the value before, values some rows before
(`seasons`), and what is known of the step; it says how the step's value is distributed. Trained on the true values
(teacher forcing); in a forecast the values behind the origin are drawn from what it said, path by path, or are its own
point forecasts.

Legend: B batch, L context, H horizon, K covariates known ahead, T = L - 1 + H steps, S seasons, R numbers of the head,
M paths, Q levels.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.data.series.panel_arrays import History
from seqjax.errors import UserError, check_least
from seqjax.layers.dense import Dense, Dropout
from seqjax.models import panel_inputs
from seqjax.models.distributions import Frame
from seqjax.models.panel_inputs import About, beside


class AutoregressiveForecaster(nn.Module):
    """See above."""

    layer: nn.Module
    """Gives its outputs at every step, and its state."""
    head: Any
    """A `distributions.Head`."""
    context: int
    horizon: int
    normalize: str = "mean"
    """See `panel_inputs.scales`."""
    seasons: tuple[int, ...] = ()
    dropout: float = 0.0
    embedding_size: int = 0
    series_count: int = 1
    known: int = 0
    """K, for `example` alone."""

    def example(self) -> History:
        """Inputs of one window, for the shapes."""
        return panel_inputs.example(self.context, self.horizon, self.known)

    def setup(self) -> None:
        """The parts that both ways of running share."""
        self.about = About(self.series_count, self.embedding_size)
        self.numbers = Dense(self.head.size, kernel_init=nn.initializers.zeros)
        self.drop = Dropout(self.dropout)

    def __call__(self, history: History, *, train: bool = False) -> Any:
        """-> a tree of [B, H, ...]: what each step is like if the true values before it (`future`) are known."""
        values, frame, about = self.begin(history, train)
        ahead = (history.future - frame.location) / frame.size
        values = jnp.concatenate([values, ahead], axis=1)[:, :-1]  # [B, T]
        raw, _ = self.steps(self.inputs(values, history, about), self.mask(history), None, train)
        return self.distribution(raw[:, -self.horizon :], frame)

    def begin(self, history: History, train: bool = False) -> tuple[jax.Array, Frame, jax.Array]:
        """-> (the window's values on its scale [B, L], that scale, what is known of the series [B, E])."""
        check_least("horizon", self.horizon, 1)
        check_least("context", self.context, 2)
        panel_inputs.season_places(self.context, 1, self.seasons)  # refuses those that are too long
        if history.changes.shape[2] > 1:
            raise UserError("decoder=autoregressive takes no past features, which nobody knows behind the origin")
        location, size = panel_inputs.scales(history, self.normalize)
        values = (history.changes - location[:, None]) / size[:, None] * history.valid[:, :, None]
        return values[:, :, 0], panel_inputs.frame(history, location, size), self.about(history, train)

    def inputs(self, values: jax.Array, history: History, about: jax.Array) -> jax.Array:
        """What steps read, from the values [B, T] before them: [B, T, D]; of the window all of it, of the horizon some.

        The first step is the second of the window.
        """
        steps = values.shape[1]
        valid = jnp.pad(history.valid, ((0, 0), (0, steps - self.context)), constant_values=True)
        seen = jnp.pad(history.seen, ((0, 0), (0, steps - self.context)), constant_values=True)
        before = [jnp.pad(values, ((0, 0), (season - 1, 0)))[:, :steps] for season in self.seasons]
        own = jnp.stack([values, seen.astype(values.dtype), *before], axis=2) * valid[:, :, None]
        known = history.known[:, 1 : 1 + steps]
        return jnp.concatenate([own, known * valid[:, :, None], beside(about, steps)], axis=2)

    def mask(self, history: History) -> jax.Array:
        """[B, T] bool: the series has begun, and so have all steps of the horizon."""
        return jnp.pad(history.valid, ((0, 0), (0, self.horizon - 1)), constant_values=True)

    def steps(self, inputs: jax.Array, mask: Any, state: Any, train: bool = False) -> tuple[jax.Array, Any]:
        """Inputs [B, T, D] and the state before them -> the head's numbers [B, T, R] and the state after them."""
        outputs, state = self.layer(inputs, mask=mask, initial_state=state, train=train)
        return self.numbers(self.drop(outputs, deterministic=not train)), state

    def distribution(self, raw: jax.Array, frame: Frame) -> Any:
        """The head's, of numbers [B, H, R]."""
        wide = Frame(*(jnp.broadcast_to(leaf, raw.shape[:2]) for leaf in frame))
        return self.head.distribution(raw, wide)


def paths(model: Any, params: Any, history: History, key: Any, count: int | None) -> jax.Array:
    """Forecasts as paths: [B, M, H] changes from the origin; the same random numbers for every window.

    Args:
      model: an `AutoregressiveForecaster`.
      params: its own.
      history: of the windows; `future` is not looked at.
      key: of the draws.
      count: M; None: one path, of the model's own point forecasts.
    """
    call: Any = lambda method, *args: model.apply({"params": params}, *args, method=method)
    values, frame, about = call("begin", history)
    raw, state = call("steps", call("inputs", values, history, about), history.valid, None)
    rows, many = len(values), count or 1
    spread = lambda leaf: jnp.repeat(leaf, many, axis=0)
    frame, constant = Frame(*map(spread, frame)), spread(about)

    def draw(raw: jax.Array, key: Any) -> jax.Array:
        """The head's numbers [B M, R] -> values on the windows' scale [B M]."""
        found = call("distribution", raw[:, None], frame)
        change = model.head.point(found)[:, 0] if count is None else _drawn(model.head, found, key, rows, many)
        return (change - frame.location[:, 0]) / frame.size[:, 0]

    def step(carry: Any, ahead: Any) -> Any:
        line, state = carry  # [B M, L + H] values, those of the horizon as far as they are drawn
        number, known, key = ahead
        at = model.context - 1 + number
        before = [jnp.take(line, at + 1 - season, axis=1) for season in model.seasons]
        own = jnp.stack([jnp.take(line, at, axis=1), jnp.ones(len(line)), *before], axis=1)
        inputs = jnp.concatenate([own, spread(known), constant], axis=1)
        raw, state = call("steps", inputs[:, None], None, state)
        value = draw(raw[:, 0], key)
        return (line.at[:, at + 1].set(value), state), value

    keys = jax.random.split(key, model.horizon)
    first = draw(spread(raw[:, -1]), keys[0])
    line = spread(jnp.pad(values, ((0, 0), (0, model.horizon)))).at[:, model.context].set(first)
    known = jnp.moveaxis(history.known[:, model.context :], 1, 0)  # [H, B, K]
    after = jnp.arange(1, model.horizon), known[1:], keys[1:]
    rest = jax.lax.scan(step, (line, jax.tree.map(spread, state)), after)[1]
    found = jnp.concatenate([first[:, None], rest.T], axis=1)  # [B M, H]
    return (frame.location + frame.size * found).reshape(rows, many, model.horizon)


def _drawn(head: Any, found: Any, key: Any, rows: int, many: int) -> jax.Array:
    """A draw [B M] of the distributions [B M, 1] of M paths of B windows: of each path the same for all windows."""
    apart = jax.tree.map(lambda leaf: leaf[:, 0].reshape(rows, many, *leaf.shape[2:]), found)
    keys = jax.random.split(key, many)
    return jax.vmap(head.sample, in_axes=(0, 1), out_axes=1)(keys, apart).reshape(-1)
