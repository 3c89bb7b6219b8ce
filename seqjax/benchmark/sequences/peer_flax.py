"""Flax Linen's models that answer with sequences, with Optax, in one jitted and donated step.

Legend: B batch, T time, S tokens of a source, V vocabulary, U units, K tags.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from seqjax.benchmark.sequences.data import host_batches
from seqjax.benchmark.workloads import Workload
from seqjax.data.dataset import Dataset


class LanguageModel(nn.Module):
    """One-hot symbols, `nn.RNN`, Dense V; the carry is handed in and out."""

    workload: Workload

    @nn.compact
    def __call__(self, inputs: Any, carry: Any) -> Any:
        """(symbols [B, T], ...), (c, h) -> logits [B, T, V], (c, h)."""
        x = jax.nn.one_hot(inputs[0], self.workload.features)
        rnn = nn.RNN(nn.OptimizedLSTMCell(self.workload.units), return_carry=True)
        carry, x = rnn(x, initial_carry=carry)
        return nn.Dense(self.workload.features)(x), carry


class Translator(nn.Module):
    """As `seqjax.models.translation` without input feeding and without padding: see `peer_torch.Translator`."""

    workload: Workload

    @nn.compact
    def __call__(self, inputs: Any, carry: Any) -> Any:
        """(source [B, S], tokens before [B, T]) -> logits [B, T, V]."""
        size, width, units = self.workload.features, self.workload.embedding, self.workload.units
        gru = lambda name: nn.RNN(nn.GRUCell(units), return_carry=True, name=name)
        both = nn.Bidirectional(gru("forward"), gru("backward"), return_carry=True)
        final, memory = both(nn.Embed(size, width, name="source")(inputs[0]))
        state = jnp.tanh(nn.Dense(units, name="bridge")(jnp.concatenate(final, axis=-1)))
        embedded = nn.Embed(size, width, name="target")(inputs[1])
        _, outputs = gru("decoder")(embedded, initial_carry=state)
        query = nn.Dense(units, use_bias=False, name="query")(outputs)
        key = nn.Dense(units, use_bias=False, name="key")(memory)
        v = self.param("v", nn.initializers.normal(0.1), (units,))
        weights = jax.nn.softmax(jnp.tanh(query[:, :, None] + key[:, None]) @ v)
        context = weights @ memory
        joined = jnp.concatenate([outputs, context, embedded], axis=-1)
        return nn.Dense(size, name="output")(jnp.tanh(nn.Dense(width, name="readout")(joined))), carry


class Tagger(nn.Module):
    """Embedding, both directions of `nn.RNN` with `seq_lengths`, Dense K."""

    workload: Workload

    @nn.compact
    def __call__(self, inputs: Any, carry: Any) -> Any:
        """Words [B, T] -> logits [B, T, K]."""
        x = nn.Embed(self.workload.features, self.workload.embedding)(inputs)
        one, other = (nn.RNN(nn.OptimizedLSTMCell(self.workload.units)) for _ in range(2))
        x = nn.Bidirectional(one, other)(x, seq_lengths=(inputs != 0).sum(axis=1))
        return nn.Dense(self.workload.classes)(x), carry


MODELS: Any = {"language": LanguageModel, "translation": Translator, "tagger": Tagger}


class Flax:
    """See `worker.Implementation`."""

    def __init__(self, workload: Workload, dataset: Dataset, threads: int):
        """JAX finds the threads by itself. A block holds batches of all lengths."""
        del threads
        self.device = jax.devices()[0].device_kind
        self.batches = [jax.device_put(batch) for batch in host_batches(workload, dataset)]
        self.steps_at_once = len(self.batches) if workload.masked else 1
        model, optimizer = MODELS[workload.kind](workload), optax.rmsprop(1e-3, decay=0.9, eps=1e-7)
        zeros = lambda: tuple(jnp.zeros((workload.batch, workload.units)) for _ in range(2))
        self.carry: Any = zeros() if workload.kind == "language" else None
        params = jax.jit(lambda x: model.init(jax.random.key(0), x, self.carry))(self.batches[0][0])
        self.state: Any = (params, optimizer.init(params))

        def objective(params: Any, carry: Any, x: Any, y: jax.Array) -> Any:
            logits, carry = model.apply(params, x, carry)
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
            real = y != 0
            return jnp.where(real, losses, 0).sum() / real.sum(), carry

        def step(state: Any, carry: Any, x: Any, y: jax.Array) -> Any:
            params, opt_state = state
            (loss, carry), gradients = jax.value_and_grad(objective, has_aux=True)(params, carry, x, y)
            updates, opt_state = optimizer.update(gradients, opt_state, params)
            return (optax.apply_updates(params, updates), opt_state), carry, loss

        self.step = jax.jit(step, donate_argnums=(0, 1))
        self.apply = jax.jit(model.apply, donate_argnums=2)

    def train(self, steps: int) -> None:
        """Waits for the last step only."""
        for k in range(steps):
            self.state, self.carry, loss = self.step(self.state, self.carry, *self.batches[k % len(self.batches)])
        jax.block_until_ready((self.state[0], loss))

    def infer(self, steps: int) -> None:
        """Waits for the last step only."""
        for k in range(steps):
            outputs, self.carry = self.apply(self.state[0], self.batches[k % len(self.batches)][0], self.carry)
        jax.block_until_ready(outputs)
