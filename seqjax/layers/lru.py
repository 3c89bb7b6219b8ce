"""The linear recurrent unit (Orvieto et al. 2023, arXiv 2303.06349): a diagonal recurrence of complex numbers.

Legend: B batch, T time, D features, U units; x the input [B, D], h the state [B, U] complex, y the output [B, U].
"""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from seqjax.errors import UserError
from seqjax.layers.dense import glorot_uniform, product
from seqjax.layers.linear_recurrent import LinearRecurrent, Terms
from seqjax.layers.scan import repeat_last_valid


class LRU(LinearRecurrent):
    """A state that only turns and shrinks, each unit in its own way.

    l = exp(-exp(nu) + i exp(theta))                     the eigenvalues [U]: |l| < 1 whatever nu is
    h' = l * h + exp(gamma) * (x @ B)
    y = Re(h @ C) + x @ S

    The gradient of h_T towards h_k is l^(T-k) and nothing else: what vanishes, and how fast, is |l|. At the start the
    eigenvalues lie evenly in a ring of the unit circle, and gamma = ln sqrt(1 - |l|^2) keeps the state's size. B [D, U]
    and C [U, U] are complex (`input_real`, `input_imag`, ...); S [D, U] is the paper's skip D, which is diagonal there
    because inputs are as wide as outputs. `least`, `most` and `phase` are told below; options, shapes and mask:
    `LinearRecurrent`. The state is complex [B, U]. Neither Keras, PyTorch nor Flax has it.

        >>> layer = LRU(4, least=0.9, return_state=True)
        >>> last, h = layer.apply(layer.init(key, x), x, mask=mask)
        >>> last.shape, h.shape, h.dtype.name
        ((2, 4), (2, 4), 'complex64')
        >>> nnx.bridge.lazy_init(nnx.bridge.ToNNX(LRU(4), rngs=rngs), x)(x, mask=mask).shape
        (2, 4)
    """

    least: float = 0.0
    """The ring's inner radius; near 1 the unit remembers for long."""
    most: float = 1.0
    """Its outer one."""
    phase: float = 2 * math.pi
    """The eigenvalues' angles begin between 0 and this; small ones are for slow things."""

    complex_state: ClassVar[bool] = True

    def eigenvalues(self) -> jax.Array:
        """l [U], complex: declares nu and theta.

        Raises:
          UserError: the ring is none within the unit circle.
        """
        if not (0 <= self.least <= self.most <= 1 and self.most > 0 and self.phase > 0):
            ring = f"a ring from {self.least} to {self.most}, phases to {self.phase}"
            raise UserError(f"LRU: {ring}: choose 0 <= least <= most <= 1 and phase > 0")

        def radius(key: Any, shape: Any, dtype: Any) -> jax.Array:
            squared = jax.random.uniform(key, shape, dtype) * (self.most**2 - self.least**2) + self.least**2
            return jnp.log(-0.5 * jnp.log(jnp.clip(squared, 1e-6, 1 - 1e-6)))

        def angle(key: Any, shape: Any, dtype: Any) -> jax.Array:
            return jnp.log(self.phase * jax.random.uniform(key, shape, dtype, 1e-6))

        nu = self.param("nu", radius, (self.units,), self.param_dtype)
        theta = self.param("theta", angle, (self.units,), self.param_dtype)
        return jnp.exp(jax.lax.complex(-jnp.exp(nu), jnp.exp(theta)))

    @nn.compact
    def terms(self, x: jax.Array) -> Terms:
        """As in `LinearRecurrent`."""
        features = x.shape[-1]
        eigenvalues = self.eigenvalues()
        gamma = self.param("gamma", lambda key: 0.5 * jnp.log(1 - jnp.square(jnp.abs(eigenvalues))))
        real, imag = self._complex("input", 1 / math.sqrt(2 * features), (features, self.units))
        read_real, read_imag = self._complex("output", 1 / math.sqrt(self.units), (self.units, self.units))
        skip = self.param("skip", self.kernel_init or glorot_uniform, (features, self.units), self.param_dtype)

        def read(states: jax.Array) -> jax.Array:
            return product(states.real, read_real) - product(states.imag, read_imag) + product(x, skip)

        scale = jnp.exp(gamma)[None, :]
        update = jax.lax.complex(product(x, real * scale), product(x, imag * scale))
        return Terms(jnp.broadcast_to(eigenvalues[None, None, :], update.shape), update, read)

    def _held(self, outputs: jax.Array, mask: jax.Array) -> jax.Array:
        return repeat_last_valid(outputs, mask, self.reverse)

    def _complex(self, name: str, deviation: float, shape: tuple[int, int]) -> tuple[jax.Array, jax.Array]:
        """The real and the imaginary part of a matrix."""
        normal = nn.initializers.normal(deviation)
        real, imag = (self.param(f"{name}_{part}", normal, shape, self.param_dtype) for part in ("real", "imag"))
        return real, imag
