"""Flax Linen's own layers with Optax, in one jitted and donated step.

Legend: B batch, T time, E embedding, U units.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from seqjax.benchmark.jitted import JittedLayer, JittedStream
from seqjax.benchmark.workloads import Workload
from seqjax.data.dataset import Dataset


class Model(nn.Module):
    """The workload's model out of Linen's layers."""

    workload: Workload

    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        """Inputs [B, ...] -> [B]."""
        workload = self.workload
        if workload.kind == "bilstm":
            x = self._both_directions(x)
        elif workload.kind == "conv":
            for width in (24, 12, 6):
                x = nn.relu(nn.Conv(workload.units, (width,), padding="VALID")(x))
                x = nn.max_pool(x, (2,), (2,)) if width > 6 else x.mean(axis=1)
        elif workload.kind == "bag":
            x = nn.relu(nn.Dense(workload.units)(x))
        elif workload.kind == "lstm":
            (_, x), _ = nn.RNN(nn.OptimizedLSTMCell(workload.units), return_carry=True)(x)
        else:
            x = nn.RNN(nn.GRUCell(workload.units))(x)
            x, _ = nn.RNN(nn.GRUCell(workload.units), return_carry=True)(x)
        if workload.text or workload.kind == "stacked_gru":
            x = nn.Dropout(0.5)(x, deterministic=not train)
        return nn.Dense(1)(x)[:, 0]

    def _both_directions(self, ids: jax.Array) -> jax.Array:
        """Token ids [B, T] -> last outputs of both directions [B, 2U]."""
        workload = self.workload
        if workload.embedding:
            x = nn.Embed(workload.features, workload.embedding)(ids)
        else:
            x = jax.nn.one_hot(ids, workload.features)
        lengths = (ids != 0).sum(axis=1) if workload.masked else None
        one, other = (nn.RNN(nn.OptimizedLSTMCell(workload.units)) for _ in range(2))
        carries: Any = nn.Bidirectional(one, other, return_carry=True)(x, seq_lengths=lengths)[0]
        (_, forward), (_, backward) = carries
        return jnp.concatenate([forward, backward], axis=1)


class Flax:
    """See `worker.Implementation`."""

    steps_at_once = 1
    model: Any = Model

    def __init__(self, workload: Workload, dataset: Dataset, threads: int):
        """JAX finds the threads by itself: the cores that this process may use."""
        del threads
        self.device = jax.devices()[0].device_kind
        self.batches = [jax.device_put(batch) for batch in workload.host_batches(dataset)]
        model, optimizer = self.model(workload), optax.rmsprop(1e-3, decay=0.9, eps=1e-7)
        params = jax.jit(lambda x: model.init(jax.random.key(0), x, False))(self.batches[0][0])
        self.state = (params, optimizer.init(params), jax.random.key(0))

        def objective(params: Any, key: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
            outputs: Any = model.apply(params, x, True, rngs={"dropout": key})
            losses = optax.sigmoid_binary_cross_entropy(outputs, y) if workload.text else (outputs - y) ** 2
            return losses.mean()

        def step(state: Any, x: jax.Array, y: jax.Array) -> tuple[Any, jax.Array]:
            params, opt_state, key = state
            key, dropout = jax.random.split(key)
            loss, gradients = jax.value_and_grad(objective)(params, dropout, x, y)
            updates, opt_state = optimizer.update(gradients, opt_state, params)
            return (optax.apply_updates(params, updates), opt_state, key), loss

        self._step = jax.jit(step, donate_argnums=0)
        self._apply = jax.jit(lambda params, x: model.apply(params, x, False))

    def train(self, steps: int) -> None:
        """Waits for the last step only."""
        for k in range(steps):
            self.state, loss = self._step(self.state, *self.batches[k % len(self.batches)])
        jax.block_until_ready((self.state[0], loss))

    def infer(self, steps: int) -> None:
        """Waits for the last step only."""
        for k in range(steps):
            outputs = self._apply(self.state[0], self.batches[k % len(self.batches)][0])
        jax.block_until_ready(outputs)


class FlaxLayer(JittedLayer):
    """`nn.RNN` of `OptimizedLSTMCell`, faster than `LSTMCell` by its joined products, or of `GRUCell`."""

    def make(self, workload: Workload) -> Any:
        """All outputs."""
        cell = {"lstm": nn.OptimizedLSTMCell, "gru": nn.GRUCell}[workload.cell]
        one, other = (nn.RNN(cell(workload.units)) for _ in range(2))
        return nn.Bidirectional(one, other) if workload.both else one

    def outputs(self, layer: Any, params: Any, x: Any, lengths: Any, mask: Any) -> Any:
        """What stands at a masked step is not said."""
        return layer.apply(params, x, seq_lengths=lengths)


class FlaxStream(JittedStream):
    """The cell itself, without `nn.RNN`."""

    def make(self, workload: Workload, example: Any) -> Any:
        """The carry is (c, h)."""
        cell = nn.OptimizedLSTMCell(workload.units)
        carry = cell.initialize_carry(jax.random.key(0), example[0].shape)
        params = cell.init(jax.random.key(0), carry, example[0])
        return params, lambda params, state, x: cell.apply(params, state, x[0])[0]
