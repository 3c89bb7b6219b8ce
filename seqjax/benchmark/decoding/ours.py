"""Our decoding, as runs of a language model and of a translator do it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.benchmark.sequences.data import BEAMS, TEMPERATURE, host_batches
from seqjax.benchmark.sequences.ours import model
from seqjax.benchmark.workloads import Workload
from seqjax.data.dataset import Dataset
from seqjax.decoding import Limits, Sampling
from seqjax.models.translate import Translate
from seqjax.runs.generation import PIECE, Writer


class Ours:
    """See `worker.Implementation`: writes characters as --mode=generate does, translates as --mode=predict does."""

    def __init__(self, workload: Workload, dataset: Dataset, threads: int):
        """JAX finds the threads by itself: the cores that this process may use."""
        del threads
        self.device, self.workload = jax.devices()[0].device_kind, workload
        self.model = model(workload)
        self.batches = host_batches(workload, dataset)
        self.params = jax.jit(self.model.init)(jax.random.key(0), self.batches[0][0])["params"]
        beams = workload.kind == "beams"
        self.steps_at_once = 1 if beams else len(self.batches)
        self.infer = self._translate if beams else self._write
        if beams:
            search = Translate(BEAMS, max_length=workload.steps)
            self.search = jax.jit(functools.partial(search, self.model))
            return
        limits = Limits(self.steps_at_once, never=(0,))
        self.writer = Writer(self.model, limits, Sampling(TEMPERATURE), PIECE)

    def _write(self, steps: int) -> list[np.ndarray]:
        """Text after text of `steps_at_once` characters; each piece comes to the host."""
        pieces = []
        for k in range(steps // self.steps_at_once):
            keys = jax.random.split(jax.random.key(k), 1)
            progress = self.writer.begin(self.params, jnp.ones((1, 1), jnp.int32), keys)
            for _ in range(self.steps_at_once // PIECE):
                progress, piece = self.writer.more(self.params, progress)
                pieces.append(np.asarray(piece))
        return pieces

    def _translate(self, steps: int) -> list[np.ndarray]:
        """Batch after batch; the best translation of each sentence comes to the host."""
        return [
            np.asarray(self.search(self.params, self.batches[k % len(self.batches)][0])["tokens"]) for k in range(steps)
        ]
