"""Optimizers by name, with Keras's constants, and gradient clipping before them.

The lecture's list against vanishing and exploding gradients: a resilient optimizer (Adam, RMSprop), and gradients
clipped by value or by their norm.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from seqjax.errors import UserError

Name = Literal["rmsprop", "adam", "adamw", "adagrad", "sgd"]


def rmsprop(learning_rate: Any, decay: float = 0.9, eps: float = 1e-7) -> optax.GradientTransformation:
    """RMSprop with Keras's constants: `optax.rmsprop` with its very state, but for how a CPU takes the root.

        n = decay n + (1 - decay) g^2,    w = w - rate g / sqrt(n + eps)

    Args:
      learning_rate: a number or an Optax schedule.
      decay: of the running mean of squares.
      eps: inside the root. With 1e-8, Optax's, RMSprop drifts from Keras by 8e-4 over 200 steps on small gradients.

    >>> state = rmsprop(0.1).init(jnp.zeros(2))
    >>> updates, state = rmsprop(0.1).update(jnp.array([1.0, -4.0]), state)
    >>> print(updates.round(3))
    [-0.316  0.316]
    """

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        squares = jax.tree.map(lambda n, g: (1 - decay) * (g * g) + decay * n, state.nu, updates)
        steps = jax.tree.map(lambda n, g: reciprocal_root(n + eps) * g, squares, updates)
        return steps, optax.ScaleByRmsState(squares)

    scale = optax.GradientTransformation(optax.scale_by_rms(decay, eps).init, update)
    return optax.chain(scale, optax.scale_by_learning_rate(learning_rate), optax.identity())  # as optax.rmsprop's


def reciprocal_root(x: jax.Array) -> jax.Array:
    """1 / sqrt(x) of x > 0; on CPUs in float32 to 2e-7 without a root or a division: 40 cycles for 16 numbers.

    From the bits of x to 3 % (Lomont 2003), by a step of third order to 2e-5, by one of Newton's to the last bits.

    >>> reciprocal_root(jnp.array([4.0, 0.25])).round(4).tolist()
    [0.5, 2.0]
    """
    if x.dtype != jnp.float32 or jax.default_backend() != "cpu":
        return jax.lax.rsqrt(x)
    y = jax.lax.bitcast_convert_type(0x5F375A86 - (jax.lax.bitcast_convert_type(x, jnp.int32) >> 1), jnp.float32)
    r = x * y * y
    y = y * (1.875 - r * (1.25 - 0.375 * r))
    y = y * (1.5 - 0.5 * (x * y * y))
    return jnp.where(x == jnp.inf, 0.0, y)


# Epsilons are Keras's (optax: 1e-8): with 1e-8 RMSprop drifts from Keras by 8e-4 over 200 steps on small gradients.
OPTIMIZERS: Mapping[str, Callable[[Any], optax.GradientTransformation]] = {
    "rmsprop": rmsprop,
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

    >>> chosen = optimizer("sgd", 1.0, clip_norm=1.0)
    >>> updates, _ = chosen.update(jnp.array([3.0, 4.0]), chosen.init(jnp.zeros(2)))
    >>> print(updates.round(3))
    [-0.6 -0.8]
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


def decayed(learning_rate: float, decay: str, steps: int) -> Any:
    """A rate for `optimizer`: as it is (`none`), or down to 0 along half a cosine (`cosine`, Loshchilov, Hutter 2017).

    Args:
      learning_rate: of the first step.
      decay: of the two.
      steps: of all training.

    Raises:
      UserError: an unknown name.

    >>> rate = decayed(0.1, "cosine", steps=100)
    >>> [round(float(rate(step)), 3) for step in (0, 50, 100)]
    [0.1, 0.05, 0.0]
    """
    if decay not in ("none", "cosine"):
        raise UserError(f"decay={decay}: choose none or cosine")
    return learning_rate if decay == "none" else optax.cosine_decay_schedule(learning_rate, max(1, steps))


def adagrad_rows(learning_rate: float, initial: float = 0.0) -> optax.GradientTransformation:
    """AdaGrad (Duchi et al. 2011) with one rate for each row of a table, such as a word's vector.

    g_k is row k of the gradient, [E]; its step keeps the direction of the gradient, and a row without one stays:

        a_k = a_k + mean(g_k^2),    w_k = w_k - rate g_k / sqrt(a_k)

    The state is one number for each row, so that a step on large tables takes half as long as one of `optax.adagrad`.

    Args:
      learning_rate: the rate.
      initial: a_k before the first step, of the size of a squared gradient: it holds back rows that are rarely met,
        whose first steps would otherwise be the longest. 0 does not.

    >>> chosen = adagrad_rows(0.1)
    >>> state = chosen.init(jnp.zeros((2, 2)))
    >>> updates, state = chosen.update(jnp.array([[1.0, 1.0], [0.0, 0.0]]), state)
    >>> print(updates.round(3))
    [[-0.1 -0.1]
     [-0.  -0. ]]
    """

    def init(params: optax.Params) -> optax.OptState:
        return jax.tree.map(lambda w: jnp.full((*w.shape[:-1], 1), initial, w.dtype), params)

    def update(updates: Any, state: Any, params: optax.Params | None = None) -> tuple[Any, Any]:
        del params
        sums = jax.tree.map(lambda a, g: a + jnp.mean(g * g, axis=-1, keepdims=True), state, updates)
        step = lambda a, g: g * (-learning_rate * jnp.where(a > 0, jax.lax.rsqrt(jnp.maximum(a, 1e-37)), 0))
        return jax.tree.map(step, sums, updates), sums

    return optax.GradientTransformation(init, update)
