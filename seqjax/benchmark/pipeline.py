"""Examples per second of the input pipeline alone, of the train step alone, of both together, and of evaluation.

Legend: B batch, K steps in one dispatch, N rows of the arrays.
"""

import dataclasses
import functools
import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from seqjax import experiment as experiments
from seqjax.data.dataset import Arrays, Dataset
from seqjax.data.lengths import GROUPS
from seqjax.data.pipeline import Batches, import_tensorflow, order, steps_per_epoch
from seqjax.data.text import rows
from seqjax.training.program import Program, Settings
from seqjax.training.state import create_state

PASS = 5 * GROUPS
"""Batches that stand for an epoch where they are grouped by length: as many of each group."""


def measure(
    names: Sequence[str], data: str, data_dir: Path, *, blocks: int, block_seconds: float
) -> list[dict[str, Any]]:
    """Medians over blocks in examples per second; a block of every part of every experiment is run in turn.

    Args:
      names: of experiments, with knobs behind them if there are any: `jena_recurrent:cell=gru`. All their data and
        states are in memory at the same time.
      data: `real` or `sample`.
      data_dir: where real data are.
      blocks: how many of each.
      block_seconds: about how long each is.

    Returns:
      of each experiment `ids` of tf.data's batches of ids, `gather` of making whole batches from them on the device,
      `step` of the train step on ids that are there already (its gathering included), `infer` of evaluating the same
      ids, `together` of training as `fit` does; in `blocks` those of every block; and `share`, see there.

    Raises:
      UserError: no such experiment or knob, or no data.
    """
    asked = [parse(name) for name in names]
    import_tensorflow()  # so that all batches are tf.data's, as those of a long run are
    loaded = [function(**options) for _, function, options, _ in asked]
    datasets = [experiment.source.load(data, data_dir) for experiment in loaded]
    timed = [
        Timed(Program(experiment, representative(dataset, experiment.batch_size), Settings()))
        for experiment, dataset in zip(loaded, datasets, strict=True)
    ]
    runs = [(each, part) for each in timed for part in each.parts]
    passes = {}
    for each, part in runs:
        each.seconds(part, 1)  # compiles
        passes[each, part] = max(1, math.ceil(2 * block_seconds / each.seconds(part, 2)))
    rates: dict[Any, list[float]] = {run: [] for run in runs}
    for _, (each, part) in itertools.product(range(blocks), runs):
        count = passes[each, part]
        rates[each, part].append(count * each.examples / each.seconds(part, count))
    return [
        {
            "experiment": name,
            "changed": changed,
            "data": dataset.description,
            "batch": experiment.batch_size,
            "share": share(experiment.source, dataset),
            **{part: round(statistics.median(rates[each, part]), 1) for part in each.parts},
            "blocks": {part: [round(rate, 1) for rate in rates[each, part]] for part in each.parts},
        }
        for (name, _, _, changed), experiment, dataset, each in zip(asked, loaded, datasets, timed, strict=True)
    ]


def parse(text: str) -> tuple[str, Any, dict[str, Any], dict[str, Any]]:
    """`NAME` or `NAME:KNOB=VALUE:...` -> (name, the experiment's function, all knobs, those given that name no file).

    Raises:
      UserError: no such experiment or knob, or a wrong value.
    """
    name, *settings = text.split(":")
    function = experiments.load(experiments.find(name))
    options = experiments.options(function, settings)
    given = [setting.partition("=")[0] for setting in settings]
    return name, function, options, {knob: options[knob] for knob in given if knob not in experiments.FILE_KNOBS}


class Timed:
    """What is timed, each a function of how many times to pass over as many batches as `ready` holds."""

    def __init__(self, program: Program):
        """Reads the first batches: a stack of K, or, of like length, an epoch one by one."""
        self.program = program
        dataset, batch_size = program.dataset, program.experiment.batch_size
        self.state = program.place(create_state(program.experiment, dataset.example(), None, dataset.target()))
        self.stream = full_stacks(program)
        stacks = 1 if dataset.lengths is None else steps_per_epoch(len(dataset.parts["train"]), batch_size)
        self.ready = list(itertools.islice(self.stream, stacks))
        self.examples = sum(batch.ids.size for batch in self.ready)
        self.parts: dict[str, Callable[[int], None]] = {
            "ids": self.ids,
            "gather": self.gather,
            "step": self.step,
            "infer": self.infer,
            "together": self.together,
        }

        @functools.partial(jax.jit, static_argnums=2)
        def gather(arrays: Arrays, ids: jax.Array, length: int | None) -> Any:
            return jax.lax.map(lambda batch: dataset.cut(length)(arrays, batch), ids)

        self._gather = gather

    def seconds(self, part: str, passes: int) -> float:
        """How long they take."""
        began = time.perf_counter()
        self.parts[part](passes)
        return time.perf_counter() - began

    def ids(self, passes: int) -> None:
        """tf.data alone."""
        for _ in range(passes * len(self.ready)):
            next(self.stream)

    def gather(self, passes: int) -> None:
        """All inputs and targets of the ready batches [K, B, ...], written out."""
        for batch in self._again(passes):
            jax.block_until_ready(self._gather(self.program.arrays, batch.ids, batch.length))

    def step(self, passes: int) -> None:
        """Train on the ready batches."""
        self._train(self._again(passes))

    def infer(self, passes: int) -> None:
        """Evaluate the ready batches as `fit` does: the loss and the metrics, on the host at the end."""
        self.program.tally_of(self.state.params, self._again(passes), self.state.tally())

    def together(self, passes: int) -> None:
        """Train on the batches as they come."""
        self._train(itertools.islice(self.stream, passes * len(self.ready)))

    def _again(self, passes: int) -> Iterator[Batches]:
        return itertools.chain.from_iterable(itertools.repeat(self.ready, passes))

    def _train(self, batches: Iterable[Batches]) -> None:
        for batch in batches:
            self.state, report = self.program.train(self.state, batch)
        jax.block_until_ready((self.state.params, report))


def representative(dataset: Dataset, batch_size: int) -> Dataset:
    """Where batches hold examples of like length, the dataset with `PASS` of an epoch's batches in its training part.

    They are evenly spaced in the order of length, and are the batches of every epoch, in another order: so a pass
    over them has the epoch's mixture of lengths, while a second's worth of its batches would have one by chance.
    """
    ids, lengths = dataset.parts["train"], dataset.lengths
    count = min(PASS, len(ids) // batch_size)
    if lengths is None or count == 0:
        return dataset
    places = order(None, 0, batch_size, len(ids), lengths[ids])[: len(ids) // batch_size * batch_size]
    rows = ids[places].reshape(-1, batch_size)  # ascending
    middles = (2 * np.arange(count) + 1) * len(rows) // (2 * count)
    return dataclasses.replace(dataset, parts={**dataset.parts, "train": rows[middles].reshape(-1)})


def full_stacks(program: Program) -> Iterator[Batches]:
    """Epoch after epoch, without the short stack at an epoch's end, for which another program would be compiled."""
    steps = steps_per_epoch(len(program.dataset.parts["train"]), program.experiment.batch_size)
    full = min(steps, program.steps_per_dispatch)
    for epoch in itertools.count():
        for batch in program.batches("train", epoch * steps, (epoch + 1) * steps, program.experiment.seed):
            if len(batch.ids) == full:
                yield batch


def share(source: Any, dataset: Dataset) -> float | None:
    """The share of numbers that are not zero in what a training review is given as; None for what is no review.

    Of a bag the mean number of different columns over the vocabulary, of one-hot vectors one in the vocabulary; the
    vectors that ids stand for are dense.
    """
    encoding = getattr(source, "encoding", None)
    if encoding is None:
        return None
    size = source.vocabulary_size
    if encoding == "int":
        return 1.0
    if encoding == "one_hot":
        return 1 / size
    distinct = rows.flat(dataset.arrays, "tokens", size)[1]
    return float(distinct[dataset.parts["train"]].mean() / size)
