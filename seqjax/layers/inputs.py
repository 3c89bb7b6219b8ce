"""What a recurrent layer is fed: arrays [B, T, ...] or Tokens, and a mask [B, T].

Legend: B batch, T time.
"""

from typing import Any

import jax

from seqjax.layers.checks import check_mask, check_sequences
from seqjax.layers.tokens import Tokens, check_tokens, hide


def check_inputs(name: str, inputs: Any, mask: Any) -> tuple[Any, jax.Array | None]:
    """Inputs and mask as arrays, what is masked hidden. Raises UserError: shapes or types that make no sense."""
    inputs = check_tokens(name, inputs) if isinstance(inputs, Tokens) else check_sequences(name, inputs)
    mask = check_mask(name, mask, inputs)
    return hide(inputs, mask), mask


def dense(inputs: Any) -> jax.Array:
    """As an array."""
    return inputs.dense() if isinstance(inputs, Tokens) else inputs
