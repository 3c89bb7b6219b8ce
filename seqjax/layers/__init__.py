"""The engine, and the face for other people's programs: `from seqjax.layers import LSTM, Bidirectional, Stacked`.

All are Flax Linen modules with nothing of a run about them: no TensorFlow, no files, no devices. They stand in any
Linen model, and through `flax.nnx.bridge.ToNNX` in any NNX one. What computes a recurrence (`backend="auto"`) is chosen
for the machine at hand: C++ on a CPU, cuDNN or a scan elsewhere (`seqjax.layers.backends`); `explain(layer)` says which
one and why.

Every docstring has shapes, options, what does the same in Keras, PyTorch and Flax, and examples that a test runs. They
begin with:

    >>> import jax
    >>> import jax.numpy as jnp
    >>> from flax import linen as nn
    >>> from flax import nnx
    >>> from seqjax.layers import *
    >>> key, rngs = jax.random.key(0), nnx.Rngs(0)
    >>> x = jax.random.normal(key, (2, 5, 3))  # batch, time, features
    >>> mask = jnp.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]], bool)  # the second has two steps
"""

from seqjax.layers.attention import AdditiveAttention, DotAttention, GeneralAttention
from seqjax.layers.cells import GRUCell, LSTMCell, RecurrentCell, SimpleRNNCell
from seqjax.layers.composite import Bidirectional, Stacked, explain
from seqjax.layers.conv_lstm import ConvLSTMCell
from seqjax.layers.convolution import Conv1D, max_pool
from seqjax.layers.convolution_2d import Conv2D
from seqjax.layers.dense import Dense, Dropout
from seqjax.layers.embeddings import Embedding
from seqjax.layers.lru import LRU
from seqjax.layers.minimal import MinGRU, MinLSTM
from seqjax.layers.recurrent import GRU, LSTM, SimpleRNN
from seqjax.layers.rnn import RNN, Recurrent
from seqjax.layers.tokens import Tokens

__all__ = [
    "GRU",
    "LRU",
    "LSTM",
    "RNN",
    "AdditiveAttention",
    "Bidirectional",
    "Conv1D",
    "Conv2D",
    "ConvLSTMCell",
    "Dense",
    "DotAttention",
    "Dropout",
    "Embedding",
    "GRUCell",
    "GeneralAttention",
    "LSTMCell",
    "MinGRU",
    "MinLSTM",
    "Recurrent",
    "RecurrentCell",
    "SimpleRNN",
    "SimpleRNNCell",
    "Stacked",
    "Tokens",
    "explain",
    "max_pool",
]
