"""cuDNN's LSTM by `jax.experimental.rnn`, with Linen and Optax around it as in `peer_flax`; on NVIDIA GPUs only.

Never run on a GPU so far: the tests have JAX's reference in place of cuDNN.

Legend: B batch, T time, D features, U units, S directions.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.experimental import rnn

from seqjax.benchmark.peer_flax import Flax
from seqjax.benchmark.workloads import Workload
from seqjax.data.dataset import Dataset
from seqjax.errors import UserError


class Model(nn.Module):
    """A forecaster, or a classifier of embedded tokens with both directions; without a mask."""

    workload: Workload

    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        """[B, T, D], or token ids [B, T] -> [B]."""
        workload = self.workload
        if workload.text:
            x = nn.Embed(workload.features, workload.embedding)(x)
        (batch, time, features), units, directions = x.shape, workload.units, 2 if workload.text else 1
        weights = self.param("weights", lambda key: rnn.init_lstm_weight(key, features, units, 1, workload.text))
        zeros, lengths = jnp.zeros((directions, batch, units)), jnp.full(batch, time, jnp.int32)
        outputs: Any = rnn.lstm(x, zeros, zeros, weights, lengths, features, units, 1, 0.0, workload.text)
        _, h, _ = outputs
        x = h.swapaxes(0, 1).reshape(batch, -1)  # [B, SU]
        if workload.text:
            x = nn.Dropout(0.5)(x, deterministic=not train)
        return nn.Dense(1)(x)[:, 0]


class CuDNN(Flax):
    """See `worker.Implementation`."""

    model = Model

    def __init__(self, workload: Workload, dataset: Dataset, threads: int):
        """Raises UserError where JAX finds no GPU."""
        if jax.default_backend() != "gpu":
            raise UserError("JAX finds no NVIDIA GPU here")
        super().__init__(workload, dataset, threads)
