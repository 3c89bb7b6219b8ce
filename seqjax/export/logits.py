"""A translator whose logits are an array: in training they need not be built.

Legend: B batch, T time, V vocabulary.
"""

from typing import Any

import flax.linen as nn


class Built(nn.Module):
    """Its parameters lie below "model"."""

    model: nn.Module

    def __call__(self, inputs: Any, *, train: bool = False) -> Any:
        """(source [B, S], tokens before [B, T]) -> [B, T, V]"""
        found: Any = self.model(inputs, train=train)
        return found.features @ found.kernel + found.bias[None, None]
