"""Examples per second of the input pipeline alone, of the train step alone, and of both together.

Legend: B batch, K steps in one dispatch.
"""

import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax

from seqjax import experiment as experiments
from seqjax.data.dataset import Arrays
from seqjax.data.pipeline import Batches, steps_per_epoch
from seqjax.train import Program, Settings, create_state


def measure(name: str, data: str, data_dir: Path, *, blocks: int, block_seconds: float) -> dict[str, Any]:
    """Medians over blocks, run in turn, in examples per second.

    Args:
      name: of an experiment.
      data: `real` or `sample`.
      data_dir: where real data are.
      blocks: how many of each.
      block_seconds: about how long each is.

    Returns:
      `ids` of tf.data's batches of ids, `gather` of making whole batches from them on the device, `step` of the
      train step on ids that are there already (its gathering included), `together` of training as `fit` does.

    Raises:
      UserError: no such experiment, or no data.
    """
    experiment = experiments.load(experiments.find(name))()
    dataset = experiment.source.load(data, data_dir)
    timed = Timed(Program(experiment, dataset, Settings()))
    dispatches = {}
    for part, run in timed.parts.items():
        run(1)  # compiles
        began = time.perf_counter()
        run(2)
        dispatches[part] = max(1, math.ceil(2 * block_seconds / (time.perf_counter() - began)))
    rates: dict[str, list[float]] = {part: [] for part in timed.parts}
    for _ in range(blocks):
        for part, run in timed.parts.items():
            began = time.perf_counter()
            run(dispatches[part])
            rates[part].append(dispatches[part] * timed.examples / (time.perf_counter() - began))
    medians = {part: round(statistics.median(values), 1) for part, values in rates.items()}
    return {"experiment": name, "data": dataset.description, "batch": experiment.batch_size, **medians}


class Timed:
    """The four things that are timed, each a function of how many dispatches to run."""

    def __init__(self, program: Program):
        """Reads the first batches."""
        self.program = program
        self.state = program.place(create_state(program.experiment, program.dataset.example()))
        self.stream = full_stacks(program)
        self.ready = next(self.stream)
        self.examples = self.ready.ids.size
        self.parts: dict[str, Callable[[int], None]] = {
            "ids": self.ids,
            "gather": self.gather,
            "step": self.step,
            "together": self.together,
        }

        def gather(arrays: Arrays, ids: jax.Array) -> Any:
            return jax.lax.map(lambda batch: program.dataset.gather(arrays, batch), ids)

        self._gather = jax.jit(gather)

    def ids(self, dispatches: int) -> None:
        """tf.data alone."""
        for _ in range(dispatches):
            next(self.stream)

    def gather(self, dispatches: int) -> None:
        """All inputs and targets of the same K batches [K, B, ...], written out."""
        for _ in range(dispatches):
            jax.block_until_ready(self._gather(self.program.arrays, self.ready.ids))

    def step(self, dispatches: int) -> None:
        """Train on the same K batches."""
        self._train(itertools.repeat(self.ready, dispatches))

    def together(self, dispatches: int) -> None:
        """Train on the batches as they come."""
        self._train(itertools.islice(self.stream, dispatches))

    def _train(self, batches: Iterator[Batches]) -> None:
        for batch in batches:
            self.state, report = self.program.train(self.state, batch)
        jax.block_until_ready((self.state.params, report))


def full_stacks(program: Program) -> Iterator[Batches]:
    """Epoch after epoch, without the short stack at an epoch's end, for which another program would be compiled."""
    steps = steps_per_epoch(len(program.dataset.parts["train"]), program.experiment.batch_size)
    full = min(steps, program.settings.steps_per_dispatch)
    for epoch in itertools.count():
        for batch in program.batches("train", epoch * steps, (epoch + 1) * steps, program.experiment.seed):
            if len(batch.ids) == full:
                yield batch
