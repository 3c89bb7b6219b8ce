"""One step of a convolutional LSTM: an LSTM whose products are convolutions over a picture.

Legend: B batch, T time, H height, W width, D features, F filters, K height or width of the kernels; H' and W' those of
the state.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from seqjax.errors import UserError
from seqjax.layers.cells import Activation, activation_function
from seqjax.layers.checks import check_count, check_float_types
from seqjax.layers.convolution_2d import convolve_2d, output_size, pair
from seqjax.layers.initializers import Initializer, preset
from seqjax.layers.orthogonal import orthogonal

State = tuple[jax.Array, jax.Array]
"""(h, c), each [B, H', W', F]."""


class ConvLSTMCell(nn.Module):
    """Shi et al. 2015 (arXiv 1506.04214) without its peepholes, as Keras's ConvLSTM2D: a cell for `RNN`.

    i = s(x * W_i + h * R_i + b_i)        * is the convolution, of x with the padding and the strides that are given,
    f = s(x * W_f + h * R_f + b_f)        of h without strides and with a border of zeros, so that it keeps its size
    g = a(x * W_g + h * R_g + b_g)
    o = s(x * W_o + h * R_o + b_o)
    c' = f c + i g
    h' = o a(c')

    Inputs are [B, T, H, W, D], outputs [B, T, H', W', F]. Kernels are [K, K, D, 4F] and [K, K, F, 4F], their blocks in
    the order i, f, g, o; the bias is [4F]. Names, layout and start are Keras's.

    Its state is (h, c), each [B, H', W', F]; a mask is that of `RNN`, [B, T]. `filters` F, `kernel_size` and `strides`
    one number or one for each axis, `padding` valid or same; `activation`, `recurrent_activation`, `kernel_init`,
    `recurrent_init`, `bias_init`, `dtype` and `param_dtype` as of the LSTM. As Keras's ConvLSTM2D; Flax's
    nn.ConvLSTMCell (state (c, h)); PyTorch has none.

        >>> layer = RNN(ConvLSTMCell(2, 3, padding="same"), return_sequences=True)
        >>> frames = jnp.ones((2, 5, 6, 6, 1))
        >>> layer.apply(layer.init(key, frames), frames, mask=mask).shape
        (2, 5, 6, 6, 2)
        >>> nnx.bridge.lazy_init(nnx.bridge.ToNNX(layer, rngs=rngs), frames)(frames).shape
        (2, 5, 6, 6, 2)
    """

    filters: int
    kernel_size: int | Sequence[int]
    strides: int | Sequence[int] = 1
    padding: str = "valid"
    activation: str | Activation = "tanh"
    recurrent_activation: str | Activation = "sigmoid"
    kernel_init: Initializer | None = None
    """These three override Keras's: glorot-uniform; orthogonal, as a matrix [K * K * F, 4F]; 0, and 1 for f."""
    recurrent_init: Initializer | None = None
    bias_init: Initializer | None = None
    dtype: Any = None
    """Of products and outputs; None: the common type of input and parameters. Sums, gates and state are float32 at
    least."""
    param_dtype: Any = jnp.float32

    def initialize_carry(self, rng: Any, input_shape: Sequence[int]) -> State:
        """The zero state for inputs of shape [B, H, W, D]; `rng` is there for Flax's signature.

        Raises:
          UserError: inputs of another rank, or fields that make no sense.
        """
        del rng
        self._check()
        if len(input_shape) != 4 or input_shape[3] == 0:
            shape = (input_shape[0], "time", *input_shape[1:])
            said = ", ".join(map(str, shape))
            raise UserError(f"ConvLSTMCell: inputs must be [batch, time, height, width, features], not [{said}]")
        size, strides = self._sizes()
        height, width = output_size("ConvLSTMCell", input_shape[1:3], size, strides, self.padding)
        dtype = jnp.promote_types(self.param_dtype, jnp.float32)
        zeros = jnp.zeros((input_shape[0], height, width, self.filters), dtype)
        return zeros, zeros

    def output(self, carry: State) -> jax.Array:
        """The output is h."""
        return carry[0]

    @nn.compact
    def parameters(self, features: int) -> Mapping[str, jax.Array]:
        """Declare the parameters for inputs of D = `features`, and return them by name."""
        self._check()
        size, width = self._sizes()[0], 4 * self.filters
        start = preset("keras", 4, self.filters, forget_gate=1)
        shapes = {
            "kernel": (self.kernel_init or start.kernel, (*size, features, width)),
            "recurrent_kernel": (self.recurrent_init or _orthogonal, (*size, self.filters, width)),
            "bias": (self.bias_init or start.bias, (width,)),
        }
        return {name: self.param(name, init, shape, self.param_dtype) for name, (init, shape) in shapes.items()}

    def ahead(self, inputs: jax.Array) -> jax.Array:
        """What a step needs of its input: x * W + b, [..., H, W, D] -> [..., H', W', 4F], of all steps at once."""
        p = self.parameters(inputs.shape[-1])
        before, dtype = inputs.shape[:-3], self._dtype(inputs)
        pictures = inputs.reshape(math.prod(before), *inputs.shape[-3:]).astype(dtype)
        z = convolve_2d(pictures, p["kernel"].astype(dtype), self._sizes()[1], self.padding)
        return (z + p["bias"][None, None, None]).reshape(*before, *z.shape[1:])

    def follow(self, carry: State, z: jax.Array) -> tuple[State, jax.Array]:
        """The step itself, from `ahead`'s [B, H', W', 4F] -> ((h', c'), y)."""
        h, c = carry
        a, s = activation_function(self.activation), activation_function(self.recurrent_activation)
        kernel = self.get_variable("params", "recurrent_kernel")
        dtype = self._dtype(z)
        z = z + convolve_2d(h.astype(dtype), kernel.astype(dtype), padding="same")
        z_i, z_f, z_g, z_o = jnp.split(z, 4, axis=-1)
        c = (s(z_f) * c + s(z_i) * a(z_g)).astype(c.dtype)
        h = (s(z_o) * a(c)).astype(h.dtype)
        return (h, c), h.astype(dtype)

    def __call__(self, carry: State, x: jax.Array) -> tuple[State, jax.Array]:
        """One step: carry (h, c), x [B, H, W, D] -> ((h', c'), y)."""
        return self.follow(carry, self.ahead(x))

    def _dtype(self, x: jax.Array) -> Any:
        return self.dtype or jnp.promote_types(x.dtype, self.param_dtype)

    def _sizes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Of the kernels, and the strides."""
        return pair("ConvLSTMCell: kernel_size", self.kernel_size), pair("ConvLSTMCell: strides", self.strides)

    def _check(self) -> None:
        check_count("ConvLSTMCell: filters", self.filters)
        check_float_types("ConvLSTMCell", dtype=self.dtype, param_dtype=self.param_dtype)


def _orthogonal(key: Any, shape: Sequence[int], dtype: Any = jnp.float32) -> jax.Array:
    """[K, K, F, 4F], orthogonal as a matrix [K * K * F, 4F]."""
    return orthogonal(key, (math.prod(shape[:-1]), shape[-1]), dtype).reshape(shape)
