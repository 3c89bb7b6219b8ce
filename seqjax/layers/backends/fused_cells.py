"""The three cells as the fused backend runs them: forward, and backward as multiplication by saved coefficients.

Legend: B batch, U units, G gates, K directions run together. Everything is feature-major: z [K, G*U, B], h [K, U, B],
because at small U the batch makes the longer vectors. x_z is the input's part of the gates (bias included), h_z the
state's part. Equations and gate order are those of `seqjax.layers.cells`, with tanh and sigmoid.

Every derivative that a step needs is known when the step runs forward. So `advance` returns, besides the new state,
the coefficients with which `retreat` only multiplies: nothing transcendental is left in the reverse scan.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

State = tuple[jax.Array, ...]
"""(h,), for an LSTM (h, c)."""


class FusedCell(NamedTuple):
    """A cell: how many gates and states it has, one step forward, one step back."""

    gates: int
    states: int
    advance: Callable[..., tuple[State, Any]]
    """(x_z, h_z, d, state, valid) -> (new state, coefficients); valid [K, 1, B] bool or None."""
    retreat: Callable[..., tuple[jax.Array, jax.Array, State]]
    """(gradient of the new state, coefficients) -> (gradient of x_z, of h_z, of the state but through h_z)."""
    adds: bool
    """x_z and h_z count by their sum alone, so that their gradients are the same."""


def _gates(z: jax.Array, sigmoids: tuple[bool, ...]) -> list[jax.Array]:
    """One tanh over all gates: sigmoid(z) = tanh(z/2)/2 + 1/2.

    With a function per slice XLA:CPU stops vectorising the step (4-5 times slower, 0.10).
    """
    units = z.shape[-2] // len(sigmoids)
    scale = jnp.repeat(jnp.array([0.5 if s else 1.0 for s in sigmoids], z.dtype), units)[None, :, None]
    shift = jnp.repeat(jnp.array([0.5 if s else 0.0 for s in sigmoids], z.dtype), units)[None, :, None]
    return jnp.split(jnp.tanh(z * scale) * scale + shift, len(sigmoids), axis=-2)


def _hold(valid: jax.Array | None, new: State, old: State) -> State:
    if valid is None:
        return new
    return tuple(jnp.where(valid, n, o) for n, o in zip(new, old, strict=True))


def _where(valid: jax.Array | None, coefficient: jax.Array, held: float) -> jax.Array:
    """The coefficient at real steps, `held` where the state was held."""
    return coefficient if valid is None else jnp.where(valid, coefficient, held)


def _simple_advance(x_z: jax.Array, h_z: jax.Array, d: Any, state: State, valid: Any) -> tuple[State, Any]:
    h = jnp.tanh(x_z + h_z)
    held = None if valid is None else _where(valid, jnp.zeros_like(h), 1.0)
    return _hold(valid, (h,), state), (_where(valid, 1 - h * h, 0.0), held)


def _simple_retreat(gradient: State, coefficients: Any) -> tuple[jax.Array, jax.Array, State]:
    (dh,) = gradient
    k, held = coefficients
    dz = dh * k
    return dz, dz, (jnp.zeros_like(dh) if held is None else dh * held,)


def _lstm_advance(x_z: jax.Array, h_z: jax.Array, d: Any, state: State, valid: Any) -> tuple[State, Any]:
    h, c = state
    i, f, g, o = _gates(x_z + h_z, (True, True, False, True))
    c_new = f * c + i * g
    a = jnp.tanh(c_new)
    coefficients = (
        _where(valid, g * i * (1 - i), 0.0),
        _where(valid, c * f * (1 - f), 0.0),
        _where(valid, i * (1 - g * g), 0.0),
        _where(valid, a * o * (1 - o), 0.0),
        _where(valid, o * (1 - a * a), 0.0),
        _where(valid, f, 1.0),
        None if valid is None else _where(valid, jnp.zeros_like(h[:, :1]), 1.0),
    )
    return _hold(valid, (o * a, c_new), state), coefficients


def _lstm_retreat(gradient: State, coefficients: Any) -> tuple[jax.Array, jax.Array, State]:
    dh, dc = gradient
    k_i, k_f, k_g, k_o, k_c, f, held = coefficients
    dc = dc + dh * k_c
    dz = jnp.concatenate([dc * k_i, dc * k_f, dc * k_g, dh * k_o], axis=-2)
    return dz, dz, (jnp.zeros_like(dh) if held is None else dh * held, dc * f)


def _gru_advance(x_z: jax.Array, h_z: jax.Array, d: Any, state: State, valid: Any) -> tuple[State, Any]:
    (h,) = state
    units = h.shape[-2]
    z, r = _gates(x_z[:, : 2 * units] + h_z[:, : 2 * units], (True, True))
    inner = h_z[:, 2 * units :] + d
    g = jnp.tanh(x_z[:, 2 * units :] + r * inner)
    k_g = (1 - z) * (1 - g * g)
    coefficients = (
        _where(valid, (h - g) * z * (1 - z), 0.0),
        _where(valid, k_g * inner * r * (1 - r), 0.0),
        _where(valid, k_g, 0.0),
        _where(valid, k_g * r, 0.0),
        _where(valid, z, 1.0),
    )
    return _hold(valid, (z * h + (1 - z) * g,), state), coefficients


def _gru_retreat(gradient: State, coefficients: Any) -> tuple[jax.Array, jax.Array, State]:
    (dh,) = gradient
    k_z, k_r, k_g, k_inner, z = coefficients
    dz, dr = dh * k_z, dh * k_r
    dx_z = jnp.concatenate([dz, dr, dh * k_g], axis=-2)
    dh_z = jnp.concatenate([dz, dr, dh * k_inner], axis=-2)
    return dx_z, dh_z, (dh * z,)


SIMPLE_RNN = FusedCell(1, 1, _simple_advance, _simple_retreat, True)
LSTM = FusedCell(4, 2, _lstm_advance, _lstm_retreat, True)
GRU = FusedCell(3, 1, _gru_advance, _gru_retreat, False)
