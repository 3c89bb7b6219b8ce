"""Loss, metrics, answer and scores of a forecaster of all steps of a horizon.

Legend: B batch, N examples, H horizon, Q levels.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from seqjax.data.series.panel_arrays import History, Steps
from seqjax.models import autoregressive
from seqjax.models.distributions import NegativeBinomial, pinball
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
    scaled_pinball = lambda found, value: pinball(head.quantiles(found, levels), value, levels).mean(axis=-1)
    scaled_mae = lambda found, value: jnp.abs(head.point(found) - value)
    metrics = {"scaled_pinball": masked(scaled_pinball), "scaled_mae": masked(scaled_mae)}
    if isinstance(head, NegativeBinomial):  # its quantiles are searched for: too slow for every step
        metrics = {"count_nats": masked(head.loss)}
    return {
        "loss": masked(head.loss),
        "metrics": metrics,
        "answer": Quantiles(head, levels),
        "scores": forecast_scores.scores(levels),
    }


def decoding(head: Any, levels: tuple[float, ...], count: int | None = PATHS) -> dict[str, Any]:
    """The same of a decoder that feeds on itself; `one_step` is of single steps, of which all before are known."""
    scores = forecast_scores.scores(levels)
    answer = Paths(head, levels, count)
    return {"loss": masked(head.loss), "metrics": {"one_step": masked(head.loss)}, "answer": answer, "scores": scores}


def decoded_by(decoder: str, head: Any, levels: tuple[float, ...]) -> dict[str, Any]:
    """That of a `seqjax.models.panel_forecasters.forecaster`."""
    if decoder == "direct":
        return forecasting(head, levels)
    return decoding(head, levels, PATHS if decoder == "paths" else None)


def scaled_errors(head: Any, levels: tuple[float, ...]) -> dict[str, Any]:
    """The same of what is judged on the scale of the training part, as long-horizon papers do."""
    mse = lambda found, value: jnp.square(head.point(found) - value)
    mae = lambda found, value: jnp.abs(head.point(found) - value)
    metrics = {"mse": masked(mse), "mae": masked(mae)}
    return {"loss": masked(head.loss), "metrics": metrics, "answer": Quantiles(head, levels)}


def masked(cost: Callable[[Any, Any], jax.Array]) -> Callable[[Any, Steps], tuple[jax.Array, jax.Array]]:
    """(distributions, values [B, H]) -> costs [B, H], as a loss: the sums over steps that have a value, and counts."""

    def summed(found: Any, targets: Steps) -> tuple[jax.Array, jax.Array]:
        costs = cost(found, targets.change)
        return jnp.sum(jnp.where(targets.seen, costs, 0), axis=1), jnp.sum(targets.seen, axis=1)

    return summed
