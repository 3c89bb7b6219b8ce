"""A dense layer as Keras starts it (glorot-uniform; Linen: lecun-normal), and a checked dropout."""

import functools

import flax.linen as nn

from seqjax.errors import UserError

glorot_uniform = nn.initializers.glorot_uniform()

Dense = functools.partial(nn.Dense, kernel_init=glorot_uniform)


class Dropout(nn.Dropout):
    """Linen's dropout, which refuses a rate outside [0, 1)."""

    def __post_init__(self):
        """Raises UserError: rate out of range."""
        if not 0 <= self.rate < 1:
            raise UserError(f"dropout={self.rate} is not in [0, 1)")
        super().__post_init__()
