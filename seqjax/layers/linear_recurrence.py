"""A recurrence that is linear in its state: h_t = a_t * h_{t-1} + b_t, elementwise, with a hand-written backward.

It needs no matrix product from step to step, and steps may be joined: (a, b) then (c, d) is (a c, c b + d). So there
are two ways: `scan`, one step after the other, and `associative`, pairs of steps, pairs of pairs and so on, which does
twice the work in log2 T rounds and is for machines with thousands of lanes (Blelloch 1990; Martin and Cundy 2018, arXiv
1709.04057). `native` is `scan` in C++. All give the same numbers but for rounding.

Backward, with g_t the gradient of h_t, the recurrence runs the other way: l_t = g_t + a_{t+1} l_{t+1}; then l_t is the
gradient of b_t, l_t h_{t-1} that of a_t, and a_0 l_0 that of the initial state.

Legend: B batch, T time, U units.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from seqjax.errors import UserError
from seqjax.layers.backends import native_library
from seqjax.layers.backends.choice import Choice

WAYS = ("auto", "scan", "associative", "native")


def choose(name: str, way: str, dtype: Any, platform: str | None = None) -> Choice:
    """The way that is taken and why.

    Args:
      name: of the layer, for messages.
      way: of `WAYS`, what is wanted.
      dtype: of the state.
      platform: cpu, gpu or tpu; None: where JAX runs.

    Raises:
      UserError: an unknown way, or one that cannot run here.
    """
    if way not in WAYS:
        raise UserError(f"{name}: backend {way!r} is unknown; choose one of {', '.join(WAYS)}")
    platform = platform or jax.default_backend()
    refusal = _native_refusal(dtype, platform)
    if way == "native" and refusal:
        raise UserError(f"backend 'native' cannot run this {name}: {refusal}; choose auto, scan or associative")
    if way != "auto":
        return Choice(way, "asked for")
    if platform != "cpu":
        return Choice("associative", f"a {platform} has lanes for all steps at once")
    return Choice("native", "a CPU with a C++ compiler") if refusal is None else Choice("scan", f"native: {refusal}")


def _native_refusal(dtype: Any, platform: str) -> str | None:
    if platform != "cpu":
        return f"it is for CPUs, and this is {platform}"
    if jnp.dtype(dtype).name not in native_library.TYPES:
        return f"its numbers are not {jnp.dtype(dtype).name}"
    return native_library.refusal()


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def linear_recurrence(
    decay: jax.Array, update: jax.Array, initial: jax.Array, reverse: bool = False, way: str = "scan"
) -> jax.Array:
    """All states of h_t = decay_t * h_{t-1} + update_t.

    Args:
      decay: [B, T, U], real or complex.
      update: [B, T, U], of the same type.
      initial: [B, U], the state before the first step.
      reverse: from the last step to the first; states stay aligned.
      way: `scan`, `associative` or `native`.

    Returns:
      [B, T, U].
    """
    return _states(decay, update, initial, reverse, way)


def _states(decay: jax.Array, update: jax.Array, initial: jax.Array, reverse: bool, way: str) -> jax.Array:
    if update.shape[1] == 0:
        return update
    if way == "native":
        shape = jax.ShapeDtypeStruct(update.shape, update.dtype)
        return native_library.call("recur", shape, decay, update, initial, reverse=reverse)
    if way == "associative":
        first = -1 if reverse else 0
        update = update.at[:, first].add(decay[:, first] * initial)
        return jax.lax.associative_scan(_join, (decay, update), reverse=reverse, axis=1)[1]

    def step(h: jax.Array, terms: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        h = terms[0] * h + terms[1]
        return h, h

    terms = (jnp.swapaxes(decay, 0, 1), jnp.swapaxes(update, 0, 1))
    return jnp.swapaxes(jax.lax.scan(step, initial, terms, reverse=reverse)[1], 0, 1)


def _join(first: Any, second: Any) -> Any:
    """Two stretches of steps, one after the other, as one."""
    return first[0] * second[0], second[0] * first[1] + second[1]


def _forward(decay: Any, update: Any, initial: Any, reverse: bool, way: str) -> Any:
    states = _states(decay, update, initial, reverse, way)
    return states, (decay, states, initial)


def _backward(reverse: bool, way: str, kept: Any, gradient: jax.Array) -> Any:
    decay, states, initial = kept
    if not decay.shape[1]:
        return decay, decay, jnp.zeros_like(initial)
    before = _moved(states, initial, reverse)
    after = _moved(decay, jnp.zeros_like(initial), not reverse)
    found = _states(after, gradient, jnp.zeros_like(initial), not reverse, way)
    first = -1 if reverse else 0
    return found * before, found, decay[:, first] * found[:, first]


def _moved(x: jax.Array, edge: jax.Array, reverse: bool) -> jax.Array:
    """[B, T, U]: at each step what stood at the one before (after, if reversed); `edge` [B, U] at the first."""
    return (
        jnp.concatenate([x[:, 1:], edge[:, None]], axis=1)
        if reverse
        else jnp.concatenate([edge[:, None], x[:, :-1]], axis=1)
    )


linear_recurrence.defvjp(_forward, _backward)
