"""The cost model on the one machine at hand: a core's peaks measured, a step predicted from them and measured.

On one core, and in seconds of its own time: what else runs on the machine adds nothing to them but for the caches and
the memory that all share. Times are the least of many.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.runs import chips
from seqjax.runs.lowered import Steps, compiled_here
from seqjax.runs.program_cost import Cost
from seqjax.training.state import create_state

SIDES, LOOPS, MIXED = (16, 32, 64, 128, 256, 512), 2000, 16
"""Of square matrices whose products are timed; of the loops of kernels; of the operations in one, three each time."""
EFFICIENCY = 0.5
"""Of the measured peaks, what the kernels of a step reach: fitted to jena_lstm (0.62), imdb_conv1d (0.41) and
imdb_transformer (0.48), one EPYC core. Of rows that it was not fitted to, predicted/measured was 0.57 to 1.46
(jena_dense, shakespeare_lstm), outside 30 % for three of five; nothing of the sort is known of accelerators."""
ENTRIES = (1 << 16, 1 << 19, 1 << 22, 1 << 25)
"""Of arrays that are read and written: within the nearer cache, the farther, neither."""


def least(function: Callable[[], Any], seconds: float = 1.0) -> float:
    """The least time that a call has taken, of those that fit into so many seconds; of three at least."""
    jax.block_until_ready(function())
    found, until = [], time.perf_counter() + seconds
    while len(found) < 3 or time.perf_counter() < until:
        start = time.process_time()
        jax.block_until_ready(function())
        found.append(time.process_time() - start)
    return min(found)


def peaks() -> chips.Rates:
    """Measured now, in some fifteen seconds."""

    def looped(function: Callable[[Any], Any], count: int, like: Any = 1.0, work: int = 0) -> float:
        loops = max(4, min(LOOPS, (1 << 27) // max(count, work)))
        loop = jax.jit(lambda x: jax.lax.fori_loop(0, loops, lambda _, y: function(y), x))
        return least(lambda: loop(jnp.full(count, like))) / loops

    def product(x: jax.Array) -> jax.Array:
        square = x.reshape(int(len(x) ** 0.5), -1)
        return (square @ square * 1e-3).reshape(-1)

    launch = looped(lambda x: x * 1.01, 64)
    near = ENTRIES[0]
    rates = [8 * count / (looped(lambda x: x * 1.01, count) - launch) for count in ENTRIES]
    curves = near / (looped(jnp.tanh, near) - launch)
    vector = 3 * MIXED * near / (looped(mixed, near, np.uint32(7)) - launch)
    flops = [2 * side**3 / (looped(product, side**2, work=side**3 // 8) - launch) for side in SIDES]
    return chips.Rates(
        _between([2 * side**3 for side in SIDES], flops),
        vector,
        curves,
        _between([8 * n for n in ENTRIES], rates),
        launch,
    )


def _between(sizes: Sequence[int], rates: Sequence[float]) -> Callable[[float], float]:
    """The rate of a kernel of any size, by the logarithm of the sizes that were measured."""
    return lambda size: float(np.interp(np.log(max(size, 1.0)), np.log(sizes), rates))


def mixed(x: jax.Array) -> jax.Array:
    """Shifts, sums and exclusive ors, as random bits are made of."""
    for _ in range(MIXED):
        x = (x << 3) ^ (x + np.uint32(5))
    return x


def compared(steps: Steps, costs: Sequence[Cost]) -> str:
    """The step predicted and measured here, one device, in a line for people."""
    rates = peaks()
    predicted, measured = chips.seconds(costs, rates) / EFFICIENCY, measure(steps)
    memory = ", ".join(f"{rates.memory(8 * count) / 1e9:.3g}" for count in ENTRIES)
    products = ", ".join(f"{rates.flops(2 * side**3) / 1e9:.3g}" for side in SIDES)
    return (
        f"\none core of this CPU (measured: {products} GFLOP/s of products from small to large, "
        f"{rates.vector / 1e9:.3g} of others, {rates.curves / 1e9:.2g} billion tanh/s; {memory} GB/s from near to far; "
        f"{rates.launch * 1e6:.2g} us a kernel; half of these reached): "
        f"predicted {predicted * 1e3:.4g} ms a step, measured {measured * 1e3:.4g} ms (the same program), "
        f"predicted/measured {predicted / measured:.2f}"
    )


def measure(steps: Steps) -> float:
    """Seconds of the train step, the program of `costs_of(steps, 1)`, on this CPU."""
    program = compiled_here(steps.train(), 1)
    experiment, dataset = steps.experiment, steps.dataset
    state = create_state(experiment, dataset.example(), dataset.initial, dataset.target())
    ids = np.resize(dataset.parts["train"], steps.batch_size).astype(np.int32)
    batch = ids, np.ones(len(ids), np.float32)
    arrays = {name: np.asarray(array) for name, array in dataset.arrays.items()}
    put = lambda tree, sharding: jax.tree.map(lambda leaf, where: jax.device_put(leaf, where), tree, sharding)
    arguments = [
        put(tree, where) for tree, where in zip((state, batch, arrays), program.input_shardings[0], strict=True)
    ]
    return least(lambda: program(*arguments))
