"""Backpropagation through time, as the lecture writes it: the sum itself, not the recursion that computes it cheaply.

    dJ/dP = sum_t dJ_t/dP
    dJ_t/dP = sum_(k <= t) dJ_t/dy_t dy_t/dS_t dS_t/dS_k d+S_k/dP
    dS_t/dS_k = dS_t/dS_(t-1) ... dS_(k+1)/dS_k

P is any parameter, W, U or b. d+S_k/dP is the *direct* derivative: of step k alone, S_(k-1) held still. With the whole
derivative in its place, or without the term k = t, the sum would be another number: the lecture's line for dS_1/dW has
the indirect way through S_0 alone (`two_ways`).

It takes time and memory of order T^2, and is for reading and for tests; `jax.grad` gives the same gradient to rounding.

Legend: T time, D features, S numbers of a state (an LSTM's h and c together), U units; one sequence, no batch.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.flatten_util import ravel_pytree

from seqjax.errors import UserError, check_least

Loss = Callable[[int, jax.Array], jax.Array]
"""(t, output of step t [U]) -> J_t, a number."""


class Step(NamedTuple):
    """A step's own derivatives."""

    state: jax.Array
    """S_t [S], after it."""
    of_state: jax.Array
    """dS_t/dS_(t-1) [S, S]."""
    of_params: Any
    """d+S_t/dP: as the parameters, each leaf [S, ...]."""


def steps(cell: nn.Module, params: Any, inputs: jax.Array, initial: Any = None) -> list[Step]:
    """Unroll a cell and differentiate each of its steps alone.

    Args:
      cell: (carry, x [1, D]) -> (carry, y), with `initialize_carry`: one of `seqjax.layers.cells`, or Flax's.
      params: of the cell.
      inputs: [T, D].
      initial: the carry before the first step, leaves [1, U]; None: the cell's own.
    """
    if inputs.ndim != 2:
        raise UserError(f"inputs must be [time, features], not of shape {inputs.shape}")
    carry = initialised(cell, inputs) if initial is None else initial
    state, as_carry = ravel_pytree(carry)

    def step(params: Any, state: jax.Array, x: jax.Array) -> jax.Array:
        return ravel_pytree(cell.apply({"params": params}, as_carry(state), x[None])[0])[0]

    derive = jax.jit(lambda *operands: (step(*operands), jax.jacobian(step, argnums=(0, 1))(*operands)))
    found = []
    for x in inputs:
        state, (of_params, of_state) = derive(params, state, x)
        found.append(Step(state, of_state, of_params))
    return found


def initialised(cell: nn.Module, inputs: jax.Array) -> Any:
    """The cell's own carry for inputs [T, D], as of a batch of one."""
    carry = cell.initialize_carry(jax.random.key(0), (1, inputs.shape[1]))  # type: ignore[attr-defined]
    return jax.tree.map(lambda leaf: leaf.astype(inputs.dtype), carry)


def terms(
    cell: nn.Module, params: Any, inputs: jax.Array, loss: Loss, initial: Any = None, horizon: int | None = None
) -> dict[tuple[int, int], Any]:
    """Every term of the sum, by (t, k): a tree as the parameters.

    Args:
      cell: as in `steps`, like the three that follow.
      params: of the cell.
      inputs: [T, D].
      loss: J_t.
      initial: the carry before the first step.
      horizon: only terms with t - k < horizon: truncated backpropagation. None: all.
    """
    check_least("horizon", len(inputs) if horizon is None else horizon, 1)
    made = steps(cell, params, inputs, initial)
    as_carry = ravel_pytree(initialised(cell, inputs) if initial is None else initial)[1]
    found = {}
    for t, last in enumerate(made):
        back = jax.grad(lambda state, t=t: loss(t, output(cell, as_carry(state))[0]))(last.state)  # dJ_t/dS_t [S]
        for k in range(t, -1 if horizon is None else max(t - horizon, -1), -1):
            found[t, k] = jax.tree.map(lambda own, back=back: jnp.tensordot(back, own, 1), made[k].of_params)
            back = back @ made[k].of_state  # dJ_t/dS_(k-1)
    return found


def output(cell: nn.Module, carry: Any) -> jax.Array:
    """y of a carry: the cell's `output`, else h, which is a plain carry itself and the last part of Flax's LSTM's."""
    if hasattr(cell, "output"):
        return cell.output(carry)  # type: ignore[attr-defined]
    return carry[-1] if isinstance(carry, tuple) else carry


def gradient(
    cell: nn.Module, params: Any, inputs: jax.Array, loss: Loss, initial: Any = None, horizon: int | None = None
) -> Any:
    """dJ/dP by the sum; see `terms`. With horizon >= T it is the whole gradient."""
    found = list(terms(cell, params, inputs, loss, initial, horizon).values())
    return jax.tree.map(lambda *leaves: jnp.sum(jnp.stack(leaves), axis=0), *found)


def two_ways(cell: nn.Module, params: Any, inputs: jax.Array, initial: Any = None) -> tuple[Any, Any]:
    """dS_1/dP of the second step: (direct, through S_0), trees of [S, ...]; the lecture writes the second alone."""
    if len(inputs) < 2:
        raise UserError(f"two steps are needed, not {len(inputs)}")
    first, second = steps(cell, params, inputs[:2], initial)
    return second.of_params, jax.tree.map(lambda own: jnp.tensordot(second.of_state, own, 1), first.of_params)


def between(made: list[Step], t: int, k: int) -> jax.Array:
    """dS_t/dS_k [S, S]: the product of the steps' own. Raises UserError: not 0 <= k <= t < T."""
    if not 0 <= k <= t < len(made):
        raise UserError(f"dS_{t}/dS_{k}: there are steps 0 to {len(made) - 1}, and t is not before k")
    product = jnp.eye(len(made[t].state), dtype=made[t].state.dtype)
    for step in made[k + 1 : t + 1]:
        product = step.of_state @ product
    return product
