"""Examples per second of the input pipeline alone, of the train step alone, and of both together.

Legend: B batch, K steps in one dispatch.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax

from seqjax import experiment as experiments
from seqjax.data.dataset import Arrays
from seqjax.data.pipeline import Batches
from seqjax.train import Program, Settings, create_state

LONG = 1_000_000_000  # more steps than are ever taken


def measure(name: str, data: str, data_dir: Path, *, blocks: int, block_seconds: float) -> dict[str, Any]:
    """Medians over blocks, run in turn, in examples per second.

    Returns:
      `ids` of tf.data's batches of ids, `gather` of making whole batches from them on the device, `step` of the
      train step on ids that are there already (its gathering included), `together` of training as `fit` does.

    Raises:
      UserError: no such experiment, or no data.
    """
    experiment = experiments.load(experiments.find(name))()
    dataset = experiment.source.load(data, data_dir)
    program = Program(experiment, dataset, Settings())
    rates = Rates(program)
    for run in rates.parts.values():
        run(1)
    dispatches = {part: _dispatches(run, block_seconds) for part, run in rates.parts.items()}
    measured: dict[str, list[float]] = {part: [] for part in rates.parts}
    for _ in range(blocks):
        for part, run in rates.parts.items():
            began = time.perf_counter()
            run(dispatches[part])
            examples = dispatches[part] * program.settings.steps_per_dispatch * experiment.batch_size
            measured[part].append(examples / (time.perf_counter() - began))
    medians = {part: round(statistics.median(values), 1) for part, values in measured.items()}
    return {"experiment": name, "data": dataset.description, "batch": experiment.batch_size, **medians}


class Rates:
    """The four things to be timed, each a function of how many dispatches to run."""

    def __init__(self, program: Program):
        """Compiles the gathering."""
        self.program = program
        self.state: Any = program.place(create_state(program.experiment, program.dataset.example()))
        self.trains = bool(jax.tree.leaves(self.state.params))
        self.parts: dict[str, Callable[[int], None]] = {
            "ids": self.ids,
            "gather": self.gather,
            "step": self.step,
            "together": self.together,
        }
        self._stream = self._full(program.batches("train", 0, LONG_EPOCHS(program), program.experiment.seed))
        self._ready = next(self._stream)

        def gather(arrays: Arrays, ids: jax.Array) -> Any:
            return jax.lax.map(lambda batch: program.dataset.gather(arrays, batch), ids)  # materialised: it is returned

        self._gather = jax.jit(gather)
