"""The program of a training whose bits do not depend on the devices: the batch in blocks, added in a fixed order.

A sum over a batch that devices share is the sum of their sums, in an order that depends on how many there are; and XLA
computes a product of another number of rows, or the same product in another program, in another order too. So here
every block of the batch is one call of one program of one device, whichever that is; the results are sent to all
devices, and each adds them from the first block to the last and makes the step, by one more program of one device.

The price: a call for every block and step (small models wait for the host), products of few rows, N times the
parameters sent and held by every device, and on CPUs no operation that is cut over the cores. Each block draws its own
random numbers, so that the run is another one than without blocks. Kinds of devices are not made alike: a GPU's bits
are not a CPU's.

Legend: N blocks, B batch, b = B / N.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from seqjax.data.dataset import Arrays, Dataset
from seqjax.data.pipeline import Batches
from seqjax.experiment import Experiment
from seqjax.layers.sharding import DATA
from seqjax.training.program import Program
from seqjax.training.settings import BLOCKS, Settings
from seqjax.training.state import Stack, Tally, TrainState, apply, count, differentiated, means, sums_of, updated

OPTIONS: dict[str, dict[str, Any]] = {
    "cpu": {"xla_cpu_multi_thread_eigen": False},
    "gpu": {"xla_gpu_deterministic_ops": True},
}
"""By platform: what XLA is told, so that an operation's bits depend on its operands alone."""


class BlockProgram(Program):
    """As `Program`, its three programs made of calls for each block."""

    def __init__(self, experiment: Experiment, dataset: Dataset, settings: Settings):
        """Raises UserError: a batch cannot be cut into the blocks, or these not be dealt out to the devices."""
        super().__init__(experiment, dataset, settings)
        self._mine = [device for device in self.mesh.devices.flat if device.process_index == jax.process_index()]
        jit = lambda function, **more: jax.jit(function, compiler_options=OPTIONS.get(jax.default_backend()), **more)
        self._block_of_train = jit(self._train_block, static_argnums=3)
        self._block_of_evaluate = jit(self._evaluate_block, static_argnums=4)
        self._block_of_answers = jit(self._answer_block, static_argnums=4)
        self._step, self._add, self._join = jit(self._stepped), jit(_added), jit(_joined)
        self._report = jit(lambda state: means(state.sums) | {"bad_step": state.bad_step})
        self._train, self._evaluate, self._answers = self._train_in_blocks, self._evaluate_in_blocks, self._answer_all

    def _stack(self, batch: Batches) -> Stack:
        return batch.ids, batch.weights

    def _context(self) -> Any:
        return contextlib.nullcontext()  # of one device

    def _train_in_blocks(self, state: TrainState, stack: Stack, arrays: Arrays, length: int | None) -> Any:
        states, everywhere = self._apart(state), self._apart(arrays)
        for batch in zip(*stack, strict=True):
            found = self._over_blocks(self._block_of_train, list(zip(states, everywhere, strict=True)), batch, length)
            states = [self._step(*pair) for pair in zip(states, found, strict=True)]
        return self._together(states, self._whole), self._together(map(self._report, states), self._whole)

    def _evaluate_in_blocks(self, tally: Tally, stack: Stack, params: Any, arrays: Arrays, length: int | None) -> Any:
        tallies, others = self._apart(tally), list(zip(self._apart(params), self._apart(arrays), strict=True))
        for batch in zip(*stack, strict=True):
            operands = [(mine, *rest) for mine, rest in zip(tallies, others, strict=True)]
            found = self._over_blocks(self._block_of_evaluate, operands, batch, length)
            tallies = [self._add(*pair) for pair in zip(tallies, found, strict=True)]
        return self._together(tallies, self._whole)

    def _answer_all(self, params: Any, stack: Stack, arrays: Arrays, length: int | None, carry: Any) -> Any:
        others, carries = list(zip(self._apart(params), self._apart(arrays), strict=True)), self._apart(carry)
        answers = []
        for batch in zip(*stack, strict=True):
            operands = [(mine, *rest) for mine, rest in zip(carries, others, strict=True)]
            found = map(self._join, self._over_blocks(self._block_of_answers, operands, batch, length))
            carries, rows = zip(*found, strict=True)
            answers.append(jax.device_get(rows[0]))
        whole = jax.tree.map(lambda *leaves: np.stack(leaves), *answers)
        return self._together(carries, self._whole), whole

    def _over_blocks(self, program: Callable, operands: Any, batch: Stack, length: int | None) -> list[Any]:
        """The results of every block [N, ...], on each of this process's devices; operands: theirs, by device."""
        each = BLOCKS // self.mesh.size
        places = [place for place, device in enumerate(self.mesh.devices.flat) if device in self._mine]
        found = []
        for place, device, mine in zip(places, self._mine, operands, strict=True):
            rows = jax.device_put(batch, device)
            numbers = range(place * each, (place + 1) * each)
            parts = [program(*mine[:-1], (rows, np.int32(number)), mine[-1], length) for number in numbers]
            found.append(jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts))
        return self._apart(self._everywhere(self._together(found, NamedSharding(self.mesh, PartitionSpec(DATA)))))

    def _apart(self, tree: Any) -> list[Any]:
        """A tree that every device has, as each of this process's devices has it."""
        shares = lambda leaf: {share.device: share.data for share in leaf.addressable_shards}
        leaves, shape = jax.tree.flatten(tree)
        by_device = [shares(leaf) for leaf in leaves]
        return [jax.tree.unflatten(shape, [each[device] for each in by_device]) for device in self._mine]

    def _together(self, trees: Any, sharding: NamedSharding) -> Any:
        """The reverse of `_apart`; or, where the first axis is split, all devices' rows."""

        def join(*leaves: jax.Array) -> jax.Array:
            first = leaves[0].shape
            shape = first if sharding == self._whole else (first[0] * self.mesh.size, *first[1:])
            return jax.make_array_from_single_device_arrays(shape, sharding, list(leaves))

        return jax.tree.map(join, *trees)

    def _train_block(self, state: TrainState, block: Any, arrays: Arrays, length: int | None) -> Any:
        """-> the sums of a block's rows, the carry after them, the gradient of the sum of their losses."""
        gather, rows, number = self.dataset.cut(length), *block
        batch, carry = _rows((rows, getattr(state, "carry", None)), number)
        key = jax.random.fold_in(jax.random.fold_in(state.key, state.step), number)
        objective = lambda sums: sums["loss"]
        return differentiated(self.experiment, gather, objective, state.params, key, batch, carry, arrays)

    def _evaluate_block(self, tally: Tally, params: Any, block: Any, arrays: Arrays, length: int | None) -> Any:
        """-> the sums of a block's rows, the carry after them."""
        rows, number = block
        (ids, weights), carry = _rows((rows, tally.carry), number)
        inputs, targets = self.dataset.cut(length)(arrays, ids)
        outputs, carry = apply(self.experiment.model, params, carry, inputs)
        return sums_of(self.experiment, outputs, targets, weights), carry

    def _answer_block(self, carry: Any, params: Any, block: Any, arrays: Arrays, length: int | None) -> Any:
        """-> the carry after a block's rows, (answers, targets, ids, weights)."""
        rows, number = block
        batch, carry = _rows((rows, carry), number)
        return self.answered(params, batch, arrays, length, carry)

    def _stepped(self, state: TrainState, found: Any) -> TrainState:
        """The state after the step of which `found` is what the blocks say, [N, ...]."""
        sums, carry, gradients = found
        sums = _total(sums)
        gradients = jax.tree.map(lambda leaf: leaf / count(sums, "loss"), _total(gradients))
        return updated(self.experiment, state, sums, _joined(carry), gradients)[0]


def _added(tally: Tally, found: Any) -> Tally:
    sums, carry = found
    return Tally(jax.tree.map(jnp.add, tally.sums, _total(sums)), _joined(carry))


def _rows(tree: Any, number: jax.Array) -> Any:
    """A block's rows [b, ...] of a tree of [B, ...]."""

    def cut(leaf: jax.Array) -> jax.Array:
        size = len(leaf) // BLOCKS
        return jax.lax.dynamic_slice_in_dim(leaf, number * size, size)

    return jax.tree.map(cut, tree)


def _joined(tree: Any) -> Any:
    """[N, b, ...] -> [B, ...]."""
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), tree)


def _total(tree: Any) -> Any:
    """[N, ...] -> [...], added from the first block to the last."""
    return jax.tree.map(lambda leaf: jax.lax.fori_loop(1, len(leaf), lambda k, sum: sum + leaf[k], leaf[0]), tree)
