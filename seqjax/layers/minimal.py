"""Gated layers whose gates see the input alone, so that the state enters linearly (Feng et al. 2024, arXiv 2410.01201).

Legend: B batch, T time, D features, U units, G gates; x the input [B, D], h the state and output [B, U]; W a kernel
[D, G*U], b a bias [G*U], the index naming the gate's block of U columns; `*` is elementwise, `@` the matrix product, s
the sigmoid, a the activation.

`positive` is the paper's own activation, x + 1/2 above 0 and s(x) below: with it the states stay above 0, as its
computation by logarithms wants. Here nothing is taken the logarithm of, and any activation may be chosen.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from seqjax.errors import UserError
from seqjax.layers.cells import ACTIVATIONS, Activation, activation_function
from seqjax.layers.dense import Dense, glorot_uniform
from seqjax.layers.linear_recurrent import LinearRecurrent, Terms


def read(states: jax.Array) -> jax.Array:
    """The outputs are the states."""
    return states


def positive(x: jax.Array) -> jax.Array:
    """x + 1/2 where x is at least 0, else sigmoid(x)."""
    return jnp.where(x >= 0, x + 0.5, jax.nn.sigmoid(x))


zeros = nn.initializers.zeros


class Gated(LinearRecurrent):
    """What the two layers of the paper share: one kernel and bias for all gates."""

    activation: str | Activation = "positive"

    gates: ClassVar[int] = 2

    def products(self, x: jax.Array) -> list[jax.Array]:
        """[x @ W_k + b_k for each gate k], each [B, T, U]."""
        inits = {"kernel_init": self.kernel_init or glorot_uniform, "bias_init": self.bias_init or zeros}
        dense = Dense(self.gates * self.units, **inits, param_dtype=self.param_dtype, name="gates")
        return jnp.split(dense(x), self.gates, axis=-1)

    def activate(self, x: jax.Array) -> jax.Array:
        """a(x). Raises UserError: an unknown name."""
        if self.activation == "positive":
            return positive(x)
        if isinstance(self.activation, str) and self.activation not in ACTIVATIONS:
            choices = ", ".join(("positive", *ACTIVATIONS))
            raise UserError(f"activation {self.activation!r} is unknown; choose one of {choices}")
        return activation_function(self.activation)(x)


class MinGRU(Gated):
    """The GRU without its reset gate and without h in the others.

    z = s(x @ W_z + b_z)
    g = a(x @ W_h + b_h)
    h' = (1 - z) * h + z * g

    The blocks are in the order z, h. (In the GRU, as Keras writes it, z keeps h; here, as in the paper, it lets g in.)
    Options, shapes, mask and state: `LinearRecurrent`; `activation`: positive, or a name of `cells`. Neither Keras,
    PyTorch nor Flax has it.

        >>> layer = MinGRU(4, return_sequences=True)
        >>> layer.apply(layer.init(key, x), x, mask=mask).shape
        (2, 5, 4)
        >>> nnx.bridge.lazy_init(nnx.bridge.ToNNX(layer, rngs=rngs), x)(x, mask=mask).shape
        (2, 5, 4)
    """

    @nn.compact
    def terms(self, x: jax.Array) -> Terms:
        """As in `LinearRecurrent`."""
        z, g = self.products(x)
        return Terms(jax.nn.sigmoid(-z), jax.nn.sigmoid(z) * self.activate(g), read)


class MinLSTM(Gated):
    """The LSTM without its output gate, without h in the others, and with gates that sum to 1.

    f = s(x @ W_f + b_f)
    i = s(x @ W_i + b_i)
    g = a(x @ W_h + b_h)
    h' = f / (f + i) * h + i / (f + i) * g

    The blocks are in the order f, i, h. Options, shapes, mask and state: `LinearRecurrent`; `activation`: positive, or
    a name of `cells`. Neither Keras, PyTorch nor Flax has it.

        >>> layer = MinLSTM(4, return_state=True)
        >>> last, h = layer.apply(layer.init(key, x), x, mask=mask)
        >>> last.shape, bool((last == h).all())
        ((2, 4), True)
        >>> nnx.bridge.lazy_init(nnx.bridge.ToNNX(MinLSTM(4), rngs=rngs), x)(x, mask=mask).shape
        (2, 4)
    """

    gates: ClassVar[int] = 3

    @nn.compact
    def terms(self, x: jax.Array) -> Terms:
        """As in `LinearRecurrent`."""
        f, i, g = self.products(x)
        apart = jax.nn.log_sigmoid(f) - jax.nn.log_sigmoid(i)  # f / (f + i) = s(ln f - ln i), which no size overflows
        return Terms(jax.nn.sigmoid(apart), jax.nn.sigmoid(-apart) * self.activate(g), read)
