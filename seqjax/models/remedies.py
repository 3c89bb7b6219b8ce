"""Recurrent layers by what the lecture has against vanishing gradients: the same units, another remedy.

Legend: T steps over which something is to be remembered, U units.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from flax import linen as nn

from seqjax.errors import UserError, check_least
from seqjax.layers.composite import Encoded
from seqjax.layers.initializers import Initializer
from seqjax.layers.lru import LRU
from seqjax.layers.minimal import MinGRU, MinLSTM
from seqjax.layers.recurrent import GRU, LSTM, Recurrent, SimpleRNN

Remedy = Literal[
    "none", "relu", "irnn", "orthogonal", "layer_norm", "lstm", "lstm_forget_1", "lstm_chrono", "gru",
    "mingru", "minlstm", "lru", "lru_relu",
]  # fmt: skip


def identity(key: Any, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    """[U, U]: the state stays as it is.

    >>> identity(jax.random.key(0), (2, 2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    del key
    return jnp.eye(*shape, dtype=dtype)


def chrono(steps: int) -> Initializer:
    """Biases [4U] of an LSTM that forgets over 1 to `steps` steps: b_f = ln u, u even in [1, T - 1), b_i = -b_f.

    Tallec and Ollivier 2018, arXiv 1804.11188.

    >>> biases = chrono(100)(jax.random.key(0), (12,))
    >>> bool((biases[:3] == -biases[3:6]).all() and (biases[3:6] < jnp.log(99)).all())
    True
    """

    def start(key: Any, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        units = shape[0] // 4
        forget = jnp.log(jax.random.uniform(key, (units,), dtype, 1.0, max(steps - 1, 2)))
        rest = jnp.zeros(units, dtype)
        return jnp.concatenate([-forget, forget, rest, rest])  # i, f, g, o

    return start


def remedied(remedy: Remedy, units: int, steps: int, **options: Any) -> Recurrent:
    """A layer.

    Args:
      remedy: `none`: SimpleRNN with tanh, its recurrent kernel glorot-uniform. `relu`: that with relu. `irnn`: relu,
        and the identity as recurrent kernel (Le et al. 2015, arXiv 1504.00941). `orthogonal`: tanh, an orthogonal one,
        Keras's start. `layer_norm`: tanh, normalised. `lstm`: forget bias 0; `lstm_forget_1`: 1, Keras's;
        `lstm_chrono`: see `chrono`. The others as they are; `lru` starts in a ring near the unit circle,
        and is linear in its inputs; before `lru_relu` stands a dense layer with relu.
      units: U.
      steps: T.
      options: of every layer.

    Raises:
      UserError: an unknown remedy.

    >>> remedied("irnn", units=4, steps=100).activation
    'relu'
    """
    check_least("steps", steps, 1)
    glorot, zeros = nn.initializers.glorot_uniform(), nn.initializers.zeros
    small = nn.initializers.normal(0.001)
    made: Mapping[str, Callable[[], Recurrent]] = {
        "none": lambda: SimpleRNN(units, recurrent_init=glorot, **options),
        "relu": lambda: SimpleRNN(units, activation="relu", recurrent_init=glorot, **options),
        "irnn": lambda: SimpleRNN(units, activation="relu", kernel_init=small, recurrent_init=identity, **options),
        "orthogonal": lambda: SimpleRNN(units, **options),
        "layer_norm": lambda: SimpleRNN(units, layer_norm=True, **options),
        "lstm": lambda: LSTM(units, bias_init=zeros, **options),
        "lstm_forget_1": lambda: LSTM(units, **options),
        "lstm_chrono": lambda: LSTM(units, bias_init=chrono(steps), **options),
        "gru": lambda: GRU(units, **options),
        "mingru": lambda: MinGRU(units, **options),
        "minlstm": lambda: MinLSTM(units, **options),
        "lru": lambda: LRU(units, least=0.9, most=0.999, **options),
        "lru_relu": lambda: Encoded(units, LRU(units, least=0.9, most=0.999, **options)),
    }
    if remedy not in made:
        raise UserError(f"remedy={remedy}: choose {', '.join(get_args(Remedy))}")
    return made[remedy]()
