"""Series as they might have been, for training: noise, another size, another place, a piece left out.

All is drawn from the collection "dropout", which in training is a function of seed and step.

Legend: B batch, T time, D features.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import UserError


class Augment(nn.Module):
    """What is done to standardised values in training, in the order of the fields; 0: nothing (Um et al. 2017)."""

    shift: float = 0.0
    """Up to so much of its length a series moves to either side; what leaves is lost, and zeros come in."""
    scaling: float = 0.0
    """Every dimension is multiplied by a number drawn around 1 with this deviation."""
    jitter: float = 0.0
    """The deviation of noise that is added to every value."""
    time_mask: float = 0.0
    """A stretch of up to so much of its length becomes zeros (Park et al. 2019, SpecAugment)."""

    @nn.compact
    def __call__(self, x: jax.Array, real: jax.Array | None = None, *, train: bool = False) -> jax.Array:
        """[B, T, D], real steps [B, T] bool or None for all -> [B, T, D], zeros where not real.

        Raises:
          UserError: a field out of range.
        """
        for name, most in (("shift", 1.0), ("scaling", None), ("jitter", None), ("time_mask", 1.0)):
            value = getattr(self, name)
            if value < 0 or (most is not None and value > most):
                raise UserError(f"{name}={value} is not in [0, {'...' if most is None else most}]")
        if not train:
            return x
        valid = jnp.ones(x.shape[:2], bool) if real is None else real
        lengths = jnp.sum(valid, axis=1, keepdims=True)  # [B, 1]
        steps = jnp.arange(x.shape[1])[None, :]  # [1, T]
        uniform = lambda: jax.random.uniform(self.make_rng("dropout"), lengths.shape)
        if self.shift:
            by = jnp.round((2 * uniform() - 1) * self.shift * lengths).astype(jnp.int32)
            source = steps - by
            moved = jnp.take_along_axis(x, jnp.clip(source, 0, x.shape[1] - 1)[:, :, None], axis=1)
            x = jnp.where(((source >= 0) & (source < lengths))[:, :, None], moved, 0)
        if self.scaling:
            x = x * (1 + self.scaling * jax.random.normal(self.make_rng("dropout"), (x.shape[0], 1, x.shape[2])))
        if self.jitter:
            x = x + self.jitter * jax.random.normal(self.make_rng("dropout"), x.shape)
        if self.time_mask:
            size = uniform() * self.time_mask * lengths
            start = uniform() * (lengths - size)
            x = jnp.where(((steps >= start) & (steps < start + size))[:, :, None], 0, x)
        return jnp.where(valid[:, :, None], x, 0)
