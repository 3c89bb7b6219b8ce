"""Our side of the benchmark: the product's own compiled program, fed with batches made in advance; layers alone.

Legend: B batch, K steps in one dispatch, T time, V vocabulary.
"""

from collections.abc import Iterator
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from seqjax.benchmark.jitted import JittedLayer, JittedStream
from seqjax.benchmark.workloads import Workload
from seqjax.data.dataset import Dataset
from seqjax.data.pipeline import Batches, order
from seqjax.experiment import Experiment
from seqjax.layers.composite import Bidirectional, Stacked
from seqjax.layers.dense import Dense, Dropout
from seqjax.layers.recurrent import GRU, LSTM
from seqjax.layers.tokens import Tokens
from seqjax.models.classifiers import BagOfWordsClassifier, RecurrentClassifier
from seqjax.models.forecasters import ConvForecaster, RecurrentForecaster
from seqjax.training import metrics
from seqjax.training.optimizers import rmsprop
from seqjax.training.program import Program, Settings
from seqjax.training.state import create_state


class OneHotClassifier(nn.Module):
    """A recurrent layer on one-hot tokens, dropout, Dense 1."""

    vocabulary_size: int
    layer: nn.Module

    @nn.compact
    def __call__(self, tokens: jax.Array, *, train: bool = False) -> jax.Array:
        """Token ids [B, T] -> logits [B]."""
        x = self.layer(Tokens(tokens, vocabulary_size=self.vocabulary_size), train=train)
        return Dense(1)(Dropout(0.5)(x, deterministic=not train))[:, 0]


def model(workload: Workload, backend: str = "auto") -> nn.Module:
    """As the experiments build it."""
    units = workload.units
    if workload.kind == "lstm":
        return RecurrentForecaster(LSTM(units, backend=backend))
    if workload.kind == "stacked_gru":
        layers = [GRU(units, recurrent_dropout=0.5, return_sequences=k == 0, backend=backend) for k in range(2)]
        return RecurrentForecaster(Stacked(layers), dropout=0.5)
    if workload.kind == "conv":
        return ConvForecaster(units)
    if workload.kind == "bag":
        return BagOfWordsClassifier(workload.features, units, 0.5)
    both = Bidirectional(LSTM(units, backend=backend))
    if workload.embedding:
        return RecurrentClassifier(workload.features, workload.embedding, both, 0.5, mask_padding=workload.masked)
    return OneHotClassifier(workload.features, both)


def experiment(workload: Workload, backend: str = "auto") -> Experiment:
    """The lecture's loss, metric and optimizer."""
    loss, metric = metrics.squared_error, {"mae": metrics.absolute_error}
    if workload.text:
        loss, metric = metrics.binary_cross_entropy, {"accuracy": metrics.binary_accuracy}
    made = model(workload, backend)
    return Experiment(None, made, loss, metric, rmsprop(1e-3), epochs=1, batch_size=workload.batch, seed=0)


class PreparedProgram(Program):
    """The product's program; its batches are there already, however many are asked for."""

    def __init__(self, experiment: Experiment, dataset: Dataset, settings: Settings):
        """Stacks that together hold every batch of the part equally often."""
        super().__init__(experiment, dataset, settings)
        ids, lengths = dataset.parts["train"], dataset.lengths
        rows = ids[order(None, 0, experiment.batch_size, len(ids), lengths)].reshape(-1, experiment.batch_size)
        self.dispatches, self.round = 0, self.steps_per_dispatch if lengths is None else len(rows)
        stacks = np.tile(rows, (self.steps_per_dispatch, 1)).reshape(-1, self.steps_per_dispatch, experiment.batch_size)
        longest = [None if lengths is None else int(lengths[stack].max()) for stack in stacks]
        self.stacks = [
            Batches(0, stack, np.ones(stack.shape, np.float32), length)
            for stack, length in zip(stacks, longest, strict=True)
        ]

    def batches(self, part: str, start: int, stop: int, seed: int | None = None) -> Iterator[Batches]:
        """`dispatches` stacks."""
        return (self.stacks[k % len(self.stacks)] for k in range(self.dispatches))


class Ours:
    """See `worker.Implementation`."""

    backend = "auto"

    def __init__(self, workload: Workload, dataset: Dataset, threads: int):
        """JAX finds the threads by itself: the cores that this process may use."""
        del threads
        self.device = jax.devices()[0].device_kind
        self.program = PreparedProgram(self.experiment(workload), dataset, Settings())
        self.steps_at_once = self.program.round
        self.state = self.program.place(
            create_state(self.program.experiment, dataset.example(), None, dataset.target())
        )

    def experiment(self, workload: Workload) -> Experiment:
        """What is trained."""
        return experiment(workload, self.backend)

    def train(self, steps: int) -> None:
        """As `seqjax.training.fit` trains."""
        self.program.dispatches = steps // self.program.steps_per_dispatch
        for batch in self.program.batches("train", 0, steps):
            self.state, report = self.program.train(self.state, batch)
        jax.block_until_ready((self.state.params, report))

    def infer(self, steps: int) -> None:
        """As `seqjax.training.fit` evaluates: it returns numbers on the host."""
        self.program.dispatches = steps // self.program.steps_per_dispatch
        self.program.evaluate(self.state.params, "train", self.state.tally())


class Pallas(Ours):
    """The recurrent layers by the backend that `auto` takes nowhere; on NVIDIA GPUs only."""

    backend = "pallas"


class OursLayer(JittedLayer):
    """A layer as a library, from `seqjax.layers`."""

    def make(self, workload: Workload) -> Any:
        """All outputs."""
        layer = {"lstm": LSTM, "gru": GRU}[workload.cell](workload.units, return_sequences=True)
        return Bidirectional(layer) if workload.both else layer

    def outputs(self, layer: Any, params: Any, x: Any, lengths: Any, mask: Any) -> Any:
        """At a masked step the held one."""
        return layer.apply(params, x, mask)


class OursStream(JittedStream):
    """A step is the layer's call on a sequence of one step."""

    def make(self, workload: Workload, example: Any) -> Any:
        """The output is the state's h: it is not returned twice."""
        layer = LSTM(workload.units, return_state=True)
        params = layer.init(jax.random.key(0), example)
        return params, lambda params, state, x: layer.apply(params, x, initial_state=state)[1]
