"""A recurrent layer alone in a program of one's own: `jax.jit` and nothing set. Of ours and of the peers that use JAX.

Legend: B batch, T time, F features, U units, S members.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.benchmark.workloads import Workload
from seqjax.data.dataset import Dataset


class JittedLayer:
    """See `worker.Implementation`; `train` is the gradient of the mean square of all real outputs by the parameters."""

    steps_at_once = 1

    def __init__(self, workload: Workload, dataset: Dataset, threads: int):
        """JAX finds the threads by itself: the cores that this process may use."""
        del threads
        self.device = jax.devices()[0].device_kind
        self.batches = [
            jax.device_put((x, *((real, valid(real, workload.steps)) if workload.masked else (None, None))))
            for x, real in workload.host_batches(dataset)
        ]
        layer, example = self.make(workload), self.batches[0]
        outputs = lambda params, batch: self.outputs(layer, params, *batch)
        objective = lambda params, batch: mean_square(outputs(params, batch), batch[2])
        if workload.members == 1:
            self.params: Any = jax.jit(layer.init)(jax.random.key(0), example[0])
            self.step, self.apply = jax.jit(jax.value_and_grad(objective)), jax.jit(outputs)
            return
        keys = jax.random.split(jax.random.key(0), workload.members)
        self.params = jax.jit(jax.vmap(layer.init))(keys, example[0])
        together = jax.vmap(objective)
        self.step = jax.jit(jax.value_and_grad(lambda params, batch: together(params, batch).sum()))
        self.apply = jax.jit(jax.vmap(outputs))

    def make(self, workload: Workload) -> Any:
        """A Linen module."""
        raise NotImplementedError

    def outputs(self, layer: Any, params: Any, x: Any, lengths: Any, mask: Any) -> Any:
        """x [B, T, F], its real steps [B] or None, the same as a mask [B, T] or None -> [B, T, U or 2U]."""
        raise NotImplementedError

    def train(self, steps: int) -> None:
        """Waits for the last step only."""
        for k in range(steps):
            found = self.step(self.params, self.batches[k % len(self.batches)])
        jax.block_until_ready(found)

    def infer(self, steps: int) -> None:
        """Waits for the last step only."""
        for k in range(steps):
            outputs = self.apply(self.params, self.batches[k % len(self.batches)])
        jax.block_until_ready(outputs)


def valid(lengths: np.ndarray, steps: int) -> np.ndarray:
    """[..., B] -> [..., B, T] bool: the real steps come first."""
    return np.arange(steps) < lengths[..., None]


def mean_square(outputs: Any, mask: Any) -> Any:
    """[B, T, U] -> of all elements, or of those of the real steps."""
    if mask is None:
        return (outputs**2).mean()
    return jnp.where(mask[..., None], outputs**2, 0).sum() / (mask.sum() * outputs.shape[-1])


class JittedStream:
    """See `worker.Implementation`; every step is waited for: somebody wants its output before the next input comes."""

    def __init__(self, workload: Workload, dataset: Dataset, threads: int):
        """The state's memory is donated to the next state."""
        del threads
        self.device = jax.devices()[0].device_kind
        self.inputs = [jax.device_put(x) for x, _ in workload.host_batches(dataset)]
        self.steps_at_once = len(self.inputs)
        self.params, step = self.make(workload, self.inputs[0])
        self.step = jax.jit(step, donate_argnums=1)
        self.state: Any = tuple(jnp.zeros((1, workload.units)) for _ in range(2))

    def make(self, workload: Workload, example: Any) -> Any:
        """-> parameters, step: (parameters, state of two [1, U], x [1, 1, F]) -> state."""
        raise NotImplementedError

    def infer(self, steps: int) -> None:
        """The state is handed on from block to block."""
        step, params, state = self.step, self.params, self.state
        for _ in range(steps // self.steps_at_once):
            for x in self.inputs:
                state = step(params, state, x)
                state[0].block_until_ready()
        self.state = state
