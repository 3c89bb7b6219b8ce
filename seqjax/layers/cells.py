"""One step of each recurrent cell: the equations, nothing else.

Legend: B batch, D features, U units, G gates; x the input [B, D], h the state (and output) [B, U], c the LSTM's
memory [B, U]; W a kernel [D, G*U], R a recurrent kernel [U, G*U], b a bias; the index names the gate's block of U
columns. `*` is elementwise, `@` the matrix product. s is the recurrent activation (sigmoid), a the activation (tanh).

Parameters have Keras's names, layout and gate order, so that weights go to and from Keras unchanged.

With layer normalisation, every product `x @ W_k` and `h @ R_k` is normalised over its U columns and scaled, gate by
gate, and so is the LSTM's c before its activation (Ba et al. 2016, arXiv 1607.06450, eq. 20-22).

Precision: with `dtype=bfloat16` the operands of the products and the outputs are bfloat16; sums, gates and state stay
float32, because a memory of hundreds of steps does not survive eight bits.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from seqjax.errors import UserError
from seqjax.layers.initializers import Initializer, preset

Activation = Callable[[jax.Array], jax.Array]

ACTIVATIONS: Mapping[str, Activation] = {
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "relu": jax.nn.relu,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "softsign": jax.nn.soft_sign,
    "linear": lambda x: x,
}
PEEPHOLES = ("none", "diagonal", "full")
NORM_EPSILON = 1e-5


def activation_function(activation: str | Activation) -> Activation:
    """Look up a name; a function is returned as it is. Raises UserError on an unknown name."""
    if callable(activation):
        return activation
    if activation not in ACTIVATIONS:
        raise UserError(f"activation {activation!r} is unknown; choose one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[activation]


def normalize(x: jax.Array) -> jax.Array:
    """[..., U] -> zero mean and unit variance over the last axis."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred * jax.lax.rsqrt((centred**2).mean(axis=-1, keepdims=True) + NORM_EPSILON)


class RecurrentCell(nn.Module):
    """What the three cells share: the fields, the parameters and the products.

    `units`, `activation`, `layer_norm`, `initializer`, `kernel_init`, `recurrent_init`, `bias_init`, `dtype` and
    `param_dtype` are as of `RecurrentLayer`. A cell stands in `RNN`, in Flax's nn.RNN, or in a loop of one's own.
    """

    units: int
    activation: str | Activation = "tanh"
    layer_norm: bool = False
    initializer: str = "keras"
    """A preset: keras, flax or torch."""
    kernel_init: Initializer | None = None
    """These three override the preset."""
    recurrent_init: Initializer | None = None
    bias_init: Initializer | None = None
    dtype: Any = None
    """Of products and outputs; None: the common type of input and parameters."""
    param_dtype: Any = jnp.float32

    gates: ClassVar[int] = 1
    forget_gate: ClassVar[int | None] = None

    def bias_shape(self) -> tuple[int, ...]:
        """[G*U] unless a cell says otherwise."""
        return (self.gates * self.units,)

    @nn.compact
    def parameters(self, features: int) -> dict[str, jax.Array]:
        """Declare the parameters for inputs of D = `features`, and return them by name."""
        start = preset(self.initializer, self.gates, self.units, self.forget_gate)
        width = self.gates * self.units
        shapes = {
            "kernel": (self.kernel_init or start.kernel, (features, width)),
            "recurrent_kernel": (self.recurrent_init or start.recurrent, (self.units, width)),
            "bias": (self.bias_init or start.bias, self.bias_shape()),
        }
        if self.layer_norm:
            shapes["kernel_scale"] = (nn.initializers.ones, (width,))
            shapes["recurrent_scale"] = (nn.initializers.ones, (width,))
        shapes |= self.extra_parameters()
        return {name: self.param(name, init, shape, self.param_dtype) for name, (init, shape) in shapes.items()}

    def extra_parameters(self) -> dict[str, tuple[Initializer, tuple[int, ...]]]:
        """Name -> (initializer, shape) of what only this cell has."""
        return {}

    def output_dtype(self, x: jax.Array) -> Any:
        """The type of products and outputs for input x."""
        return self.dtype or jnp.promote_types(x.dtype, self.param_dtype)

    def state_dtype(self, x: jax.Array) -> Any:
        """The type of sums, gates and state: at least float32."""
        return jnp.promote_types(self.output_dtype(x), jnp.float32)

    def initialize_carry(self, rng: Any, input_shape: Sequence[int]) -> Any:
        """The zero state for inputs of shape [B, D]. `rng` is there for Flax's signature."""
        del rng
        return jnp.zeros((*input_shape[:-1], self.units), jnp.promote_types(self.param_dtype, jnp.float32))

    def output(self, carry: Any) -> jax.Array:
        """The output [B, U] that belongs to a state."""
        return carry

    def _product(self, x: jax.Array, kernel: jax.Array, like: jax.Array) -> jax.Array:
        dtype = self.output_dtype(like)
        return jnp.matmul(x.astype(dtype), kernel.astype(dtype), preferred_element_type=self.state_dtype(like))

    def _input_products(self, p: Mapping[str, jax.Array], x: jax.Array) -> list[jax.Array]:
        """[x @ W_k for each gate k], each [B, U]."""
        products = jnp.split(self._product(x, p["kernel"], x), self.gates, axis=-1)
        return self._scale(p, "kernel_scale", products)

    def _recurrent_products(self, p: Mapping[str, jax.Array], h: jax.Array, x: jax.Array, drop: Any) -> list:
        """[h_k @ R_k for each gate k], each [B, U]; h_k = h * drop[k] under recurrent dropout."""
        if drop is None or drop.shape[0] == 1:
            h = h if drop is None else h * drop[0]
            products = jnp.split(self._product(h, p["recurrent_kernel"], x), self.gates, axis=-1)
        else:
            kernels = jnp.split(p["recurrent_kernel"], self.gates, axis=-1)
            products = [self._product(h * drop[k], kernel, x) for k, kernel in enumerate(kernels)]
        return self._scale(p, "recurrent_scale", products)

    def _scale(self, p: Mapping[str, jax.Array], name: str, products: list[jax.Array]) -> list[jax.Array]:
        if not self.layer_norm:
            return products
        scales = jnp.split(p[name], self.gates)
        return [normalize(z) * scale[None, :] for z, scale in zip(products, scales, strict=True)]


class SimpleRNNCell(RecurrentCell):
    """Elman's cell, as Keras's SimpleRNN.

    h' = a(x @ W + h @ R + b)

    Carry h [B, U], x [B, D] -> (h', y [B, U]). As Keras's SimpleRNNCell(U), PyTorch's nn.RNNCell(D, U), Flax's
    nn.SimpleCell(U).

        >>> cell, state = SimpleRNNCell(4), SimpleRNNCell(4).initialize_carry(key, (2, 3))
        >>> cell.apply(cell.init(key, state, x[:, 0]), state, x[:, 0])[1].shape
        (2, 4)
    """

    def __call__(self, carry: jax.Array, x: jax.Array, drop: jax.Array | None = None) -> Any:
        """One step: carry h, x [B, D], drop [1, B, U] (recurrent dropout) -> (h', y)."""
        p = self.parameters(x.shape[-1])
        h = carry
        (xz,), (hz,) = self._input_products(p, x), self._recurrent_products(p, h, x, drop)
        h = activation_function(self.activation)(xz + hz + p["bias"][None, :]).astype(carry.dtype)
        return h, h.astype(self.output_dtype(x))


class LSTMCell(RecurrentCell):
    """Long short-term memory (Hochreiter and Schmidhuber 1997, with Gers's forget gate), as Keras's LSTM.

    i = s(x @ W_i + h @ R_i + b_i)
    f = s(x @ W_f + h @ R_f + b_f)
    g = a(x @ W_g + h @ R_g + b_g)
    o = s(x @ W_o + h @ R_o + b_o + peephole)
    c' = f * c + i * g
    h' = o * a(c')

    The blocks of the parameters are in the order i, f, g, o (Keras writes c for g). `peephole` is the lecture's
    term `dot(c_t, Vo)`: with "full" c @ V, V [U, U]; with "diagonal" c * V, V [U]; with "none" 0. As in the lecture, c
    is the memory that *enters* the step (Gers and Schmidhuber 2000 let the output gate see the new c'). At D = 14,
    U = 16: 1984 parameters (none), 2000 (diagonal), 2240 (full).

    Carry (h, c), x [B, D] -> ((h', c'), y). `recurrent_activation` is s. As Keras's LSTMCell(U), PyTorch's
    nn.LSTMCell(D, U), Flax's nn.OptimizedLSTMCell(U).

        >>> cell, state = LSTMCell(4), LSTMCell(4).initialize_carry(key, (2, 3))
        >>> cell.apply(cell.init(key, state, x[:, 0]), state, x[:, 0])[1].shape
        (2, 4)
    """

    recurrent_activation: str | Activation = "sigmoid"
    peephole: str = "none"

    gates: ClassVar[int] = 4
    forget_gate: ClassVar[int | None] = 1

    def initialize_carry(self, rng: Any, input_shape: Sequence[int]) -> tuple[jax.Array, jax.Array]:
        """The zero state (h, c), each [B, U]."""
        h = super().initialize_carry(rng, input_shape)
        return h, h

    def output(self, carry: tuple[jax.Array, jax.Array]) -> jax.Array:
        """The output is h."""
        return carry[0]

    def extra_parameters(self) -> dict[str, tuple[Initializer, tuple[int, ...]]]:
        """The peephole V, and the scale and shift of the normalised c."""
        if self.peephole not in PEEPHOLES:
            raise UserError(f"peephole {self.peephole!r} is unknown; choose one of {', '.join(PEEPHOLES)}")
        extra: dict[str, tuple[Initializer, tuple[int, ...]]] = {}
        if self.peephole == "full":
            extra["peephole_kernel"] = (nn.initializers.glorot_uniform(), (self.units, self.units))
        if self.peephole == "diagonal":
            extra["peephole_kernel"] = (_diagonal_glorot, (self.units,))
        if self.layer_norm:
            extra["memory_scale"] = (nn.initializers.ones, (self.units,))
            extra["memory_shift"] = (nn.initializers.zeros, (self.units,))
        return extra

    def __call__(self, carry: tuple[jax.Array, jax.Array], x: jax.Array, drop: Any = None) -> Any:
        """One step: carry (h, c), x [B, D], drop [4 or 1, B, U] (recurrent dropout) -> ((h', c'), y)."""
        p = self.parameters(x.shape[-1])
        h, c = carry
        a, s = activation_function(self.activation), activation_function(self.recurrent_activation)
        xz, hz = self._input_products(p, x), self._recurrent_products(p, h, x, drop)
        biases = jnp.split(p["bias"][None, :], self.gates, axis=-1)
        z_i, z_f, z_g, z_o = (x_k + h_k + b_k for x_k, h_k, b_k in zip(xz, hz, biases, strict=True))
        i, f, g, o = s(z_i), s(z_f), a(z_g), s(z_o + self._peephole(p, c, x))
        c = (f * c + i * g).astype(c.dtype)
        h = (o * a(self._normalized_memory(p, c))).astype(h.dtype)
        return (h, c), h.astype(self.output_dtype(x))

    def _peephole(self, p: Mapping[str, jax.Array], c: jax.Array, x: jax.Array) -> jax.Array | float:
        if self.peephole == "none":
            return 0.0
        kernel = p["peephole_kernel"]
        return c * kernel[None, :] if self.peephole == "diagonal" else self._product(c, kernel, x)

    def _normalized_memory(self, p: Mapping[str, jax.Array], c: jax.Array) -> jax.Array:
        if not self.layer_norm:
            return c
        return normalize(c) * p["memory_scale"][None, :] + p["memory_shift"][None, :]


class GRUCell(RecurrentCell):
    """Gated recurrent unit (Cho et al. 2014), as Keras's GRU.

    z = s(x @ W_z + h @ R_z + b_z)
    r = s(x @ W_r + h @ R_r + b_r)
    g = a(x @ W_h + b_h + r * (h @ R_h + d_h))      reset_after=True (cuDNN, PyTorch, Keras's default)
    g = a(x @ W_h + b_h + (r * h) @ R_h)            reset_after=False (the paper)
    h' = z * h + (1 - z) * g

    The blocks are in the order z, r, h. With reset_after the bias is [2, 3U]: row 0 stands at x (b), row 1 at h (d),
    and z and r add both rows.

    Carry h [B, U], x [B, D] -> (h', y [B, U]). `recurrent_activation` is s. As Keras's GRUCell(U), PyTorch's
    nn.GRUCell(D, U), Flax's nn.GRUCell(U).

        >>> cell, state = GRUCell(4), GRUCell(4).initialize_carry(key, (2, 3))
        >>> cell.apply(cell.init(key, state, x[:, 0]), state, x[:, 0])[1].shape
        (2, 4)
    """

    recurrent_activation: str | Activation = "sigmoid"
    reset_after: bool = True

    gates: ClassVar[int] = 3

    def bias_shape(self) -> tuple[int, ...]:
        """[2, 3U] with reset_after, else [3U]."""
        width = self.gates * self.units
        return (2, width) if self.reset_after else (width,)

    def __call__(self, carry: jax.Array, x: jax.Array, drop: jax.Array | None = None) -> Any:
        """One step: carry h, x [B, D], drop [3 or 1, B, U] (recurrent dropout) -> (h', y)."""
        p = self.parameters(x.shape[-1])
        h = carry
        a, s = activation_function(self.activation), activation_function(self.recurrent_activation)
        bias = p["bias"].reshape(-1, self.gates * self.units)
        b_z, b_r, b_h = jnp.split(bias[:1], self.gates, axis=-1)
        x_z, x_r, x_h = self._input_products(p, x)
        if self.reset_after:
            d_z, d_r, d_h = jnp.split(bias[1:], self.gates, axis=-1)
            h_z, h_r, h_h = self._recurrent_products(p, h, x, drop)
            z, r = s(x_z + h_z + b_z + d_z), s(x_r + h_r + b_r + d_r)
            g = a(x_h + b_h + r * (h_h + d_h))
        else:
            h_z, h_r, _ = self._recurrent_products(p, h, x, drop)  # XLA drops the unused third product
            z, r = s(x_z + h_z + b_z), s(x_r + h_r + b_r)
            _, _, h_h = self._recurrent_products(p, r * h, x, drop)
            g = a(x_h + b_h + h_h)
        h = (z * h + (1 - z) * g).astype(carry.dtype)
        return h, h.astype(self.output_dtype(x))


def _diagonal_glorot(key: Any, shape: Sequence[int], dtype: Any = jnp.float32) -> jax.Array:
    """The diagonal of a glorot-uniform [U, U] matrix: an entry starts as it would in the full peephole."""
    return jnp.diagonal(nn.initializers.glorot_uniform()(key, (shape[0], shape[0]), dtype))
