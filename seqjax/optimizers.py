"""Optimizers by name, with Keras's constants, and gradient clipping before them.

The lecture's list against vanishing and exploding gradients: a resilient optimizer (Adam, RMSprop), and gradients
clipped by value or by their norm.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import optax

from seqjax.errors import UserError

Name = Literal["rmsprop", "adam", "adamw", "adagrad", "sgd"]

# Epsilons are Keras's (optax: 1e-8): with 1e-8 RMSprop drifts from Keras by 8e-4 over 200 steps on small gradients.
OPTIMIZERS: Mapping[str, Callable[[Any], optax.GradientTransformation]] = {
    "rmsprop": lambda rate: optax.rmsprop(rate, decay=0.9, eps=1e-7),
    "adam": lambda rate: optax.adam(rate, eps=1e-7),
    "adamw": lambda rate: optax.adamw(rate, eps=1e-7, weight_decay=0.004),
    "adagrad": lambda rate: optax.adagrad(rate, initial_accumulator_value=0.1, eps=1e-7),
    "sgd": lambda rate: optax.sgd(rate),
}


def optimizer(
    name: str = "rmsprop",
    learning_rate: Any = 1e-3,
    *,
    clip_norm: float | None = None,
    clip_value: float | None = None,
) -> optax.GradientTransformation:
    """An optimizer as Keras has it.

    Args:
      name: rmsprop, adam, adamw, adagrad or sgd.
      learning_rate: a number or an Optax schedule.
      clip_norm: the gradient of all parameters together is scaled down to at most this norm (Pascanu et al. 2013);
        Keras's `global_clipnorm`.
      clip_value: each element is clipped to +- this, before the norm is looked at; Keras's `clipvalue`.

    Raises:
      UserError: an unknown name, or a bound that is not positive.
    """
    if name not in OPTIMIZERS:
        raise UserError(f"optimizer {name!r} is unknown; choose one of {', '.join(OPTIMIZERS)}")
    for knob, bound in (("clip_norm", clip_norm), ("clip_value", clip_value)):
        if bound is not None and not bound > 0:
            raise UserError(f"{knob} must be above 0, not {bound}")
    chain = [] if clip_value is None else [optax.clip(clip_value)]
    chain += [] if clip_norm is None else [optax.clip_by_global_norm(clip_norm)]
    chosen = OPTIMIZERS[name](learning_rate)
    return optax.chain(*chain, chosen) if chain else chosen
