"""Dense and convolution layers as Keras starts them (glorot-uniform; Linen: lecun-normal), and a checked dropout."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import UserError

glorot_uniform = nn.initializers.glorot_uniform()

Dense = functools.partial(nn.Dense, kernel_init=glorot_uniform)


def Conv1D(filters: int, width: int) -> nn.Conv:  # noqa: N802 (a layer's name)
    """Convolution over time without padding, [B, T, D] -> [B, T - width + 1, filters]."""
    dilated = lambda inputs, kernel, *options, **more: _convolve(inputs, kernel)
    return nn.Conv(filters, (width,), padding="VALID", kernel_init=glorot_uniform, conv_general_dilated=dilated)


@jax.custom_vjp
def _convolve(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    """[B, T, D] * [W, D, F] -> [B, T - W + 1, F]. The gradient is that of `_as_product`.

    XLA:CPU runs the gradient of its own convolution about ten times slower inside a scan than outside, and a train
    step is the body of one (W5 on two cores: 55 ms; so: see the lab log).
    """
    return jax.lax.conv_general_dilated(inputs, kernel, (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC"))


def _as_product(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    """The same as one product of windows and kernel."""
    width, features, filters = kernel.shape
    steps = inputs.shape[1] - width + 1
    windows = jnp.stack([inputs[:, k : k + steps] for k in range(width)], axis=2)
    return jnp.matmul(windows.reshape(*windows.shape[:2], width * features), kernel.reshape(-1, filters))


def _convolve_forward(inputs: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _convolve(inputs, kernel), (inputs, kernel)


def _convolve_backward(saved: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jax.vjp(_as_product, *saved)[1](gradient)


_convolve.defvjp(_convolve_forward, _convolve_backward)


class Dropout(nn.Dropout):
    """Linen's dropout, which refuses a rate outside [0, 1)."""

    def __post_init__(self):
        """Raises UserError: rate out of range."""
        if not 0 <= self.rate < 1:
            raise UserError(f"dropout={self.rate} is not in [0, 1)")
        super().__post_init__()
