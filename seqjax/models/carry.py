"""A state that a model hands on from batch to batch, in its collection "carry".

Legend: B batch.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp


def handed_on(model: nn.Module, fresh: jax.Array, run: Callable[[Any], tuple[Any, Any]]) -> Any:
    """The outputs of `run` from the state that the batch before has left.

    Args:
      model: whose `__call__` this is called in. Without its collection "carry" it begins anew.
      fresh: [B] bool, whether a row begins anew, with zeros.
      run: the state before, leaves [B, ...], or None for zeros -> (outputs, the state after).
    """
    state = None
    if model.has_variable("carry", "state"):
        hold = lambda leaf: jnp.where(fresh.reshape(-1, *[1] * (leaf.ndim - 1)), jnp.zeros((), leaf.dtype), leaf)
        state = jax.tree.map(hold, model.get_variable("carry", "state"))
    outputs, state = run(state)
    if model.is_mutable_collection("carry"):
        begin = jnp.zeros_like if model.is_initializing() else lambda leaf: leaf
        model.put_variable("carry", "state", jax.tree.map(begin, state))
    return outputs
