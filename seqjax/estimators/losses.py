"""Losses of the estimators that no row has.

Legend: B batch.
"""

from typing import Any

import jax

from seqjax.training import metrics


def squared() -> dict[str, Any]:
    """`Experiment`'s loss and metrics of numbers: targets are pairs, standardised numbers [B] and weights [B]."""
    return {"loss": _squared, "metrics": {"mae": _absolute}}


def _squared(outputs: jax.Array, targets: Any) -> jax.Array:
    return targets[1] * metrics.squared_error(outputs, targets[0])


def _absolute(outputs: jax.Array, targets: Any) -> jax.Array:
    return metrics.absolute_error(outputs, targets[0])
