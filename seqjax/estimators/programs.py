"""Programs that are compiled once for every shape, not once for every fit.

A search over folds and settings fits hundreds of times; XLA's seconds would be most of it, and what is compiled would
pile up in memory. So programs are kept by what they depend on, the experiment's row and knobs (not the seed), and what
they compile by the shapes of the data, which are rounded up. The newest `KEPT` stay.

Legend: B batch, N examples.
"""

import collections
import copy
import dataclasses
import functools
import threading
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import jax
import numpy as np

from seqjax.data.dataset import Arrays, Dataset, cut
from seqjax.data.pipeline import batches, steps_per_epoch
from seqjax.experiment import Experiment
from seqjax.runs.commands import check_model
from seqjax.training.program import Program, Settings, answer
from seqjax.training.state import TrainState, first_state

KEPT = 16
FEW, TOGETHER = 32, 8
"""Up to so many steps an epoch one is dispatched at a time, beyond so many: each number of them is compiled anew."""
_programs: collections.OrderedDict[Hashable, "Reusable"] = collections.OrderedDict()
_lock = threading.Lock()


class Reusable(Program):
    """A program that other experiments and data of the same key can use; it holds no data itself."""

    def __init__(self, experiment: Experiment, dataset: Dataset, inputs: Callable[[Arrays, Any], Any]):
        """Args: experiment, dataset: for the functions and shapes. inputs: the first half of `Dataset.gather`."""
        super().__init__(experiment, dataset, Settings(1, devices=1, read_ahead=False))
        self.inputs = inputs
        self._initial = jax.jit(functools.partial(first_state, experiment))
        self._found = jax.jit(self._found_by, static_argnums=3)
        self.dataset, self.arrays = dataclasses.replace(dataset, arrays={}, kept={}), {}

    def of(self, experiment: Experiment, dataset: Dataset) -> "Reusable":
        """The same functions for these; they share what is compiled."""
        other = copy.copy(self)
        other.experiment, other.dataset = experiment, dataset
        steps = steps_per_epoch(len(dataset.parts["train"]), experiment.batch_size)
        other.steps_per_dispatch = 1 if steps <= FEW or dataset.lengths is not None else TOGETHER
        other.arrays = jax.device_put(dict(dataset.arrays), other._whole)
        return other

    def initial(self, experiment: Experiment) -> TrainState:
        """As `Program.initial`."""
        keys = jax.random.split(jax.random.key(experiment.seed))
        dataset = self.dataset
        return self.place(self._initial((keys[0], keys[1]), dataset.example(), dict(dataset.initial), dataset.target()))

    def _found_by(self, params: Any, arrays: Arrays, ids: Any, length: int | None) -> Any:
        return answer(self.experiment, params, cut(self.inputs, length)(arrays, ids))

    def outputs(self, params: Any, arrays: Arrays, ids: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        """The answers to examples, [N, ...], in batches that are always full.

        Args:
          params: of the model.
          arrays: that `inputs` gathers from.
          ids: [N] which examples.
          lengths: of all examples, as `Dataset.lengths`.
        """
        arrays, params = jax.device_put((dict(arrays), params))
        size, found = self.experiment.batch_size, []
        order = np.arange(len(ids)) if lengths is None else np.argsort(lengths[ids], kind="stable")
        stop = steps_per_epoch(len(ids), size)
        for batch in batches(ids[order], batch_size=size, start=0, stop=stop, read_ahead=False):
            length = None if lengths is None else int(lengths[batch.ids[0]].max())
            rows = jax.device_get(self._found(params, arrays, batch.ids[0], length))
            found.append(rows[batch.weights[0] > 0])
        whole = np.concatenate(found)
        return whole[np.argsort(order, kind="stable")]


def reusable(key: Hashable, experiment: Experiment, dataset: Dataset, inputs: Callable[[Arrays, Any], Any]) -> Reusable:
    """The program kept under a key, made if need be; see `Reusable`."""
    with _lock:
        found = _programs.pop(key, None)
        if found is None:
            if dataset.parts:  # of a fit: refused before anything is compiled
                check_model(experiment, dataset)
            found = Reusable(experiment, dataset, inputs)
        _programs[key] = found
        while len(_programs) > KEPT:
            _programs.popitem(last=False)
    return found


def rounded_up(count: int) -> int:
    """The least of 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, ... that is not below: a quarter more at most."""
    step = 1 << max(0, max(count - 1, 1).bit_length() - 3)
    return -(-max(count, 1) // step) * step


def few_lengths(lengths: np.ndarray) -> np.ndarray:
    """[N] int32: the powers of two, from 16 on, that hold sequences of these lengths: each is compiled once."""
    return (1 << np.ceil(np.log2(np.maximum(lengths, 16))).astype(np.int32)).astype(np.int32)


def padded(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays with their last row repeated to `rounded_up` rows: no id points there."""
    more = lambda array: np.repeat(array[-1:], rounded_up(len(array)) - len(array), axis=0)
    return {
        name: np.concatenate([array, more(array)]) if np.ndim(array) and len(array) else array
        for name, array in arrays.items()
    }
