"""How the weights of a recurrent layer start: as Keras, as Flax or as PyTorch starts them.

Legend: D features, U units, G gates (1 SimpleRNN, 3 GRU, 4 LSTM). A kernel is [D, G*U], a recurrent kernel
[U, G*U], a bias [G*U] (or [2, G*U] for the GRU with reset_after: input bias, recurrent bias).

Sources: keras/src/layers/rnn (3.15), flax/linen/recurrent.py (0.12.8), torch/nn/modules/rnn.py (2.13).
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from seqjax.errors import UserError
from seqjax.layers.orthogonal import orthogonal

Initializer = Callable[..., jax.Array]
"""(key, shape, dtype) -> array."""

PRESETS = ("keras", "flax", "torch")


@dataclasses.dataclass(frozen=True)
class Preset:
    """The three initializers of one recurrent layer."""

    kernel: Initializer
    recurrent: Initializer
    bias: Initializer


def preset(name: str, gates: int, units: int, forget_gate: int | None = None) -> Preset:
    """Find the initializers of a preset.

    Args:
      name: "keras": glorot-uniform over the joint kernel, one orthogonal [U, G*U] matrix, zero bias, one for the
        forget gate. "flax": lecun-normal, one orthogonal [U, U] matrix per gate, zero bias. "torch": everything
        uniform in +-1/sqrt(U); a bias that torch holds as two (b_ih + b_hh) is the sum of two draws.
      gates: G.
      units: U.
      forget_gate: which gate is the forget gate; None if there is none.

    Raises:
      UserError: an unknown name.
    """
    if name == "keras":
        return Preset(nn.initializers.glorot_uniform(), orthogonal, _forget_one(units, forget_gate))
    if name == "flax":
        return Preset(nn.initializers.lecun_normal(), _orthogonal_per_gate(gates, units), nn.initializers.zeros)
    if name == "torch":
        bound = 1 / math.sqrt(units)
        return Preset(_uniform(bound), _uniform(bound), _torch_bias(bound))
    raise UserError(f"initializer {name!r} is unknown; choose one of {', '.join(PRESETS)}")


def _forget_one(units: int, forget_gate: int | None) -> Initializer:
    def initialize(key: Any, shape: Sequence[int], dtype: Any = jnp.float32) -> jax.Array:
        del key
        bias = jnp.zeros(shape, dtype)
        if forget_gate is None:
            return bias
        return bias.at[..., forget_gate * units : (forget_gate + 1) * units].set(1)

    return initialize


def _orthogonal_per_gate(gates: int, units: int) -> Initializer:
    def initialize(key: Any, shape: Sequence[int], dtype: Any = jnp.float32) -> jax.Array:
        matrices = [orthogonal(k, (units, units), dtype) for k in jax.random.split(key, gates)]
        return jnp.concatenate(matrices, axis=1).reshape(shape)

    return initialize


def _uniform(bound: float) -> Initializer:
    def initialize(key: Any, shape: Sequence[int], dtype: Any = jnp.float32) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return initialize


def _torch_bias(bound: float) -> Initializer:
    uniform = _uniform(bound)

    def initialize(key: Any, shape: Sequence[int], dtype: Any = jnp.float32) -> jax.Array:
        if len(shape) == 2:  # the two biases are kept apart
            return uniform(key, shape, dtype)
        return uniform(key, (2, *shape), dtype).sum(axis=0)

    return initialize
