"""The engine, and the face for other people's programs: `from seqjax.layers import LSTM, Bidirectional, Stacked`.

All are Flax Linen modules with nothing of a run about them: no TensorFlow, no files, no devices. They stand in any
Linen model, and through `flax.nnx.bridge.ToNNX` in any NNX one. What computes a recurrence (`backend="auto"`) is chosen
for the machine at hand: C++ on a CPU, cuDNN or a scan elsewhere (`seqjax.layers.backends`); `explain(layer)` says which
one and why.
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
from seqjax.layers.recurrent import GRU, LSTM, RNN, Recurrent, SimpleRNN
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
