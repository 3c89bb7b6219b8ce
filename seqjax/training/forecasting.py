"""Loss, metrics, answer and scores of a forecaster of all steps of a horizon.

Legend: B batch, N examples, H horizon, Q levels.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from seqjax.data.series.panel_arrays import History, Steps
from seqjax.models import autoregressive
from seqjax.models.distributions import pinball
from seqjax.training import forecast_scores

PATHS = 200
"""Of each forecast: the 10 % quantile is then as sure as to 2 % of probability."""


@dataclasses.dataclass(frozen=True)
class Quantiles:
    """`Experiment.answer`: [B, H, Q] changes from the origin, scaled; `panel_truth.quantiles` brings them back."""

    head: Any
    levels: tuple[float, ...]

    def __call__(self, model: Any, params: Any, history: History) -> jax.Array:
        """See the class; what the decoder was trained on is not looked at."""
        history = history._replace(future=jnp.zeros_like(history.future))
        return self.head.quantiles(model.apply({"params": params}, history), self.levels)


@dataclasses.dataclass(frozen=True)
class Paths:
    """The same of a decoder that feeds on itself: quantiles of paths, or what it says along its own point forecasts."""

    head: Any
    levels: tuple[float, ...]
    count: int | None = PATHS
    """None: no paths."""
    seed: int = 0
    """Of the draws, which are the same for every window."""

    def __call__(self, model: Any, params: Any, history: History) -> jax.Array:
        """See the class."""
        history = history._replace(future=jnp.zeros_like(history.future))
        found = autoregressive.paths(model, params, history, jax.random.key(self.seed), self.count)  # [B, M, H]
        if self.count is not None:
            return jnp.moveaxis(jnp.quantile(found, jnp.array(self.levels), axis=1), 0, 2)
        along = model.apply({"params": params}, history._replace(future=found[:, 0]))
        return self.head.quantiles(along, self.levels)


def forecasting(head: Any, levels: tuple[float, ...]) -> dict[str, Any]:
    """`Experiment`'s loss, metrics, answer and scores.

    Args:
      head: a `seqjax.models.distributions.Head`.
      levels: of the answer.
    """

    def masked(values: jax.Array, targets: Steps) -> tuple[jax.Array, jax.Array]:
        return jnp.sum(jnp.where(targets.seen, values, 0), axis=1), jnp.sum(targets.seen, axis=1)

    def loss(found: Any, targets: Steps) -> tuple[jax.Array, jax.Array]:
        return masked(head.loss(found, targets.change), targets)

    def scaled_pinball(found: Any, targets: Steps) -> tuple[jax.Array, jax.Array]:
        return masked(pinball(head.quantiles(found, levels), targets.change, levels).mean(axis=-1), targets)

    def scaled_mae(found: Any, targets: Steps) -> tuple[jax.Array, jax.Array]:
        return masked(jnp.abs(head.point(found) - targets.change), targets)

    return {
        "loss": loss,
        "metrics": {"scaled_pinball": scaled_pinball, "scaled_mae": scaled_mae},
        "answer": Quantiles(head, levels),
        "scores": forecast_scores.scores(levels),
    }
