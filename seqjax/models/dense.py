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
    dilated = lambda inputs, kernel, *options, **more: convolve(inputs, kernel)
    return nn.Conv(filters, (width,), padding="VALID", kernel_init=glorot_uniform, conv_general_dilated=dilated)


@jax.custom_vjp
def convolve(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    """[B, T, D] * [W, D, F] -> [B, T - W + 1, F].

    Its gradients are convolutions of the same form. JAX's own have other layouts, which XLA:CPU rewrites into the fast
    one in a program's entry only (`ConvCanonicalization`), and a train step is the body of a scan: there they are ten
    times slower (W5 on two cores 55 ms instead of 6).
    """
    return jax.lax.conv_general_dilated(inputs, kernel, (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC"))


def _convolve_forward(inputs: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return convolve(inputs, kernel), (inputs, kernel)


def _convolve_backward(saved: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    inputs, kernel = saved
    edge = kernel.shape[0] - 1
    padded = jnp.pad(gradient, ((0, 0), (edge, edge), (0, 0)))
    dinputs = convolve(padded, jnp.swapaxes(kernel[::-1], 1, 2))
    # The batch is what is summed over: it takes the features' place. [D, T, B] * [T - W + 1, B, F] -> [D, W, F]
    dkernel = convolve(jnp.transpose(inputs, (2, 1, 0)), jnp.swapaxes(gradient, 0, 1))
    return dinputs, jnp.swapaxes(dkernel, 0, 1)


convolve.defvjp(_convolve_forward, _convolve_backward)


def max_pool(inputs: jax.Array) -> jax.Array:
    """The larger of every two steps, [B, T, D] -> [B, T // 2, D]; of equal ones the first gets the gradient.

    As Keras's MaxPooling1D(2). XLA:CPU runs the gradient of a reduce_window (select_and_scatter) element by element.
    """
    steps = inputs.shape[1] // 2 * 2
    first, second = inputs[:, 0:steps:2], inputs[:, 1:steps:2]
    return jnp.where((second > first) | jnp.isnan(second), second, first)


class Dropout(nn.Dropout):
    """Linen's dropout, which refuses a rate outside [0, 1)."""

    def __post_init__(self):
        """Raises UserError: rate out of range."""
        if not 0 <= self.rate < 1:
            raise UserError(f"dropout={self.rate} is not in [0, 1)")
        super().__post_init__()
