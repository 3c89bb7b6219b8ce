"""The program compiled from the train step and the evaluate step: the only place with jit, donation, devices.

Legend: B batch, K steps in one dispatch.
"""

import contextlib
import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from seqjax import peers
from seqjax.data.dataset import Answers, Arrays, Dataset, Requests, cut
from seqjax.data.pipeline import Batches, batches, steps_per_epoch
from seqjax.errors import UserError
from seqjax.experiment import Experiment
from seqjax.layers.sharding import DATA, split_rows
from seqjax.training.settings import Settings, shared_by, steps_per_dispatch
from seqjax.training.state import (
    Stack,
    Tally,
    TrainState,
    apply,
    create_state,
    float_means,
    make_evaluate_step,
    make_train_step,
    means,
)

Tree = TypeVar("Tree")


def answer(experiment: Experiment, params: Any, inputs: Any) -> Any:
    """What the experiment answers to inputs [B, ...]: a tree of [B, ...]."""
    if experiment.answer is not None:
        return experiment.answer(experiment.model, params, inputs)
    return experiment.model.apply({"params": params}, inputs)


def outputs(experiment: Experiment, params: Any, requests: Requests) -> Iterator[Any]:
    """The answer to every example, a tree of NumPy arrays, in order."""
    arrays = jax.device_put(dict(requests.arrays))

    @functools.partial(jax.jit, static_argnums=3)
    def answers(params: Any, arrays: Arrays, ids: jax.Array, length: int | None) -> Any:
        return answer(experiment, params, cut(requests.gather, length)(arrays, ids))

    lengths = requests.lengths
    size = min(experiment.batch_size, len(requests.ids))
    for batch in batches(requests.ids, batch_size=size, start=0, stop=steps_per_epoch(len(requests.ids), size)):
        length = None if lengths is None else int(lengths[batch.ids[0]].max())
        found = jax.device_get(answers(params, arrays, batch.ids[0], length))
        for row in np.flatnonzero(batch.weights[0]):
            yield jax.tree.map(lambda leaf, row=row: leaf[row], found)


def _gathered(trees: Sequence[Any]) -> Any:
    """Trees of [B, ...] one below the other, axis 1 padded with zeros to the longest."""

    def gather(*leaves: np.ndarray) -> np.ndarray:
        if leaves[0].ndim == 1:
            return np.concatenate(leaves)
        longest = max(leaf.shape[1] for leaf in leaves)
        rest = [(0, 0)] * (leaves[0].ndim - 2)
        return np.concatenate([np.pad(leaf, [(0, 0), (0, longest - leaf.shape[1]), *rest]) for leaf in leaves])

    return jax.tree.map(gather, *trees)


def _same(tree: Tree) -> Tree:
    return tree


class Program:
    """The pure functions compiled for the devices at hand, which share the work of a batch as `shared_by` says.

    `seqjax.runs.many_program.ManyProgram` is the same of many runs: it vmaps `train_steps` and `evaluate_steps`.
    """

    def __init__(self, experiment: Experiment, dataset: Dataset, settings: Settings):
        """Puts the arrays on every device; compiles at first use."""
        self.experiment, self.dataset, self.settings = experiment, dataset, settings
        self.mesh = mesh = shared_by(experiment, settings.devices, settings.deterministic)
        self.steps_per_dispatch = steps_per_dispatch(experiment, dataset, settings.steps_per_dispatch)
        self._whole = NamedSharding(mesh, PartitionSpec())
        self._split = NamedSharding(mesh, PartitionSpec(None, DATA))
        self._everywhere = jax.jit(_same, out_shardings=self._whole)
        self.arrays = self._put(dict(dataset.arrays), self._whole)
        self._before: Any = None
        stack, whole = (self._split, self._split), self._whole
        as_it_lies = None if settings.shard_rows else whole

        state = self._lies(jax.eval_shape(lambda: self._create(experiment))) if settings.shard_rows else whole
        options = {"in_shardings": (None, stack, whole), "out_shardings": (state, whole)}
        self._train = jax.jit(self.train_steps, donate_argnums=0, static_argnums=3, **options)
        shardings = {"in_shardings": (whole, stack, None, whole), "out_shardings": whole}
        self._evaluate = jax.jit(self.evaluate_steps, static_argnums=4, **shardings)
        shardings = {"in_shardings": (as_it_lies, stack, whole, None), "out_shardings": whole}
        self._answers = jax.jit(self.answer_steps, static_argnums=3, **shardings)

    def train_steps(
        self, state: TrainState, stack: Stack, arrays: Arrays, length: int | None, experiment: Experiment | None = None
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        """K steps, pure: -> (state, means of the epoch so far and `bad_step`). experiment: if not the program's own."""
        train_step = make_train_step(experiment or self.experiment, self.dataset.cut(length))
        state, _ = jax.lax.scan(lambda carry, batch: train_step(carry, batch, arrays), state, stack)
        return state, means(state.sums) | {"bad_step": state.bad_step}

    def evaluate_steps(
        self,
        tally: Tally,
        stack: Stack,
        params: Any,
        arrays: Arrays,
        length: int | None,
        experiment: Experiment | None = None,
    ) -> Tally:
        """K batches, pure: -> the tally with them added. experiment: if not the program's own."""
        evaluate_step = make_evaluate_step(experiment or self.experiment, self.dataset.cut(length))
        add = lambda carry, batch: (evaluate_step(carry, batch, params, arrays), None)
        return jax.lax.scan(add, tally, stack)[0]

    def answer_steps(
        self, params: Any, stack: Stack, arrays: Arrays, length: int | None, carry: Any = None
    ) -> tuple[Any, Any]:
        """K batches, pure: -> (the model's carry after them, (answers, targets, ids, weights): trees of [K, B, ...]).

        carry: that before them, if the answers are the model's own outputs and it has one.
        """

        return jax.lax.scan(lambda carry, batch: self.answered(params, batch, arrays, length, carry), carry, stack)

    def answered(self, params: Any, batch: Stack, arrays: Arrays, length: int | None, carry: Any) -> tuple[Any, Any]:
        """One batch, or some of its rows, of `answer_steps`."""
        inputs, targets = self.dataset.cut(length)(arrays, batch[0])
        if self.experiment.answer is None:
            found, carry = apply(self.experiment.model, params, carry, inputs)
        else:
            found = answer(self.experiment, params, inputs)
        return carry, (found, targets, *batch)

    def place(self, tree: Tree) -> Tree:
        """A tree of arrays, whole on every device but for what `Settings.shard_rows` splits; each process gives all."""
        return self._put(tree, self._lies(tree) if self.settings.shard_rows else self._whole)

    def initial(self, experiment: Experiment) -> TrainState:
        """The state before the first step, in its place; a split table is never whole anywhere."""
        if not self.settings.shard_rows:
            return self.place(self._create(experiment))
        create = lambda: self._create(experiment)
        return jax.jit(create, out_shardings=self._lies(jax.eval_shape(create)))()

    def _create(self, experiment: Experiment) -> TrainState:
        dataset = self.dataset
        return create_state(experiment, dataset.example(), dataset.initial, dataset.target())

    def _put(self, tree: Tree, shardings: Any) -> Tree:
        if peers.count() == 1:
            return jax.device_put(tree, shardings)
        return self._everywhere(tree) if shardings is self._whole else jax.jit(_same, out_shardings=shardings)(tree)

    def _lies(self, tree: Any) -> Any:
        """Where each array of a tree lies.

        Raises:
          UserError: one that is to be split does not divide over the devices.
        """

        def lies(leaf: Any) -> NamedSharding:
            axis = next((k for k, size in enumerate(leaf.shape) if size >= (self.settings.shard_rows or 0)), None)
            if axis is None:
                return self._whole
            if leaf.shape[axis] % self.mesh.size:
                raise UserError(
                    f"--shard_rows={self.settings.shard_rows}: {leaf.shape[axis]:,} rows do not divide over "
                    f"{self.mesh.size} devices; choose a vocabulary_size that does"
                )
            return NamedSharding(self.mesh, PartitionSpec(*[None] * axis, DATA))

        return jax.tree.map(lies, tree)

    def batches(self, part: str, start: int, stop: int, seed: int | None = None):
        """Batches of a part, `steps_per_dispatch` of them together."""
        ids, lengths = self.dataset.parts[part], self.dataset.lengths
        return batches(
            ids,
            batch_size=self.experiment.batch_size,
            start=start,
            stop=stop,
            seed=None if self.dataset.ordered else seed,
            stack=self.steps_per_dispatch,
            lengths=None if lengths is None else lengths[ids],
            read_ahead=self.settings.read_ahead,
        )

    def train(self, state: Tree, batch: Batches) -> tuple[Tree, Any]:
        """`train_steps` in one dispatch; the state's buffers are donated."""
        with self._context():
            state, report = self._train(state, self._stack(batch), self.arrays, batch.length)
        self._follow(report)
        return state, report

    def evaluate(self, params: Any, part: str, tally: Tally | None = None) -> dict[str, float]:
        """Means of the loss and the metrics over a part, every example once. tally: `TrainState.tally`, if at hand."""
        return float_means(self.tally(params, part, self.no_tally() if tally is None else tally).sums)

    def answers(self, params: Any, part: str) -> Answers:
        """The answers to all examples of a part."""
        params, carry = self.place((params, self.no_tally().carry if self.experiment.answer is None else None))
        found = []
        for batch in self.batches(part, 0, steps_per_epoch(len(self.dataset.parts[part]), self.experiment.batch_size)):
            with self._context():
                carry, stack = self._answers(params, self._stack(batch), self.arrays, batch.length, carry)
            flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), jax.device_get(stack))
            found.append(jax.tree.map(lambda leaf, flat=flat: leaf[flat[3] > 0], flat))
        outputs, targets, ids, _ = _gathered(found)
        order = np.argsort(ids)
        outputs, targets, ids = jax.tree.map(lambda leaf: leaf[order], (outputs, targets, ids))
        return Answers(outputs, targets, ids, self.dataset)

    def no_tally(self) -> Tally:
        """Nothing counted yet."""
        dataset = self.dataset
        create = lambda inputs, targets: create_state(self.experiment, inputs, None, targets).tally()
        shapes = jax.eval_shape(create, dataset.example(), dataset.target())
        return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)

    def tally(self, params: Any, part: str, tally: Tree) -> Tree:
        """`evaluate_steps` over a part, added to `tally`; on the host."""
        steps = steps_per_epoch(len(self.dataset.parts[part]), self.experiment.batch_size)
        return self.tally_of(params, self.batches(part, 0, steps), tally)

    def tally_of(self, params: Any, batches: Iterable[Batches], tally: Tree) -> Tree:
        """`tally` over any batches."""
        tally, params = self.place((tally, params))
        for batch in batches:
            with self._context():
                tally = self._evaluate(tally, self._stack(batch), params, self.arrays, batch.length)
            self._follow(tally)
        return jax.device_get(tally)

    def _context(self) -> Any:
        """In which a program is called: its layers share out their work over the mesh."""
        context = contextlib.ExitStack()
        context.enter_context(jax.set_mesh(self.mesh))
        context.enter_context(split_rows(self.settings.shard_rows))
        return context

    def _follow(self, result: Any) -> None:
        """Wait for the dispatch before, while the device is busy with that of `result`.

        With 40 dispatches on their way two CPU devices were seen to wait for each other for ever (jaxlib 0.10).
        """
        jax.block_until_ready(self._before)
        self._before = result

    def _stack(self, batch: Batches) -> Stack:
        """Of every process the columns of its devices: all know the whole batch."""
        if peers.count() == 1:
            return batch.ids, batch.weights
        share = lambda array: jax.make_array_from_callback(array.shape, self._split, array.__getitem__)
        return share(batch.ids), share(batch.weights)
