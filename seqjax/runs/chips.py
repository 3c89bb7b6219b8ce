"""Accelerators by data sheets and list prices, and the time that a program would take there: computed, not measured.

Peaks are what a product of float32 matrices gets where nobody asks for more precision than JAX's default: TF32 on
NVIDIA (half of bfloat16's), one pass of bfloat16 on TPUs.

FLOP/s and bandwidths: NVIDIA's data sheets of H100 SXM and H200 SXM (dense); docs.cloud.google.com/tpu/docs/v5e and
/v6e, read on 1 December 2026. `link` is what a chip sends in one direction among its near neighbours: NVLink 450 GB/s
within a host of 8, beyond it 50 GB/s (an adapter of 400 Gbit/s for each GPU); a TPU's ICI, half of the bidirectional
figure, over 256 chips.

Dollars for a chip and an hour, on demand: 3.00 for an H100 is within what smaller clouds were said to ask in 2026 (2.49
to 3.99, pricegpu.pages.dev, read on 1 December 2026; AWS 12.29 in 2025), 3.80 for an H200 is set in proportion (E2E
Networks asks 3.37). TPUs 1.20 and 2.70: Google's list price as remembered; its page could not be read. Prices move:
give --price.

`vector` is NVIDIA's figure for float32; a TPU's, 1,024 lanes of four operations at 1.5 GHz, is assumed, as is that a
value of tanh or exp takes eight operations.

`launch` is the time from the end of one kernel to the start of the next, and `hop` that of one exchange: assumed, from
what is said of CUDA graphs and of TPU programs. A recurrent layer of few units lives by it.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence

from seqjax.runs.program_cost import Cost


@dataclasses.dataclass(frozen=True)
class Chip:
    """One kind of accelerator."""

    name: str
    flops: float
    """Of float32 products, a second."""
    vector: float
    """Other operations, a second."""
    memory: float
    """Bytes a second."""
    link: float
    """Bytes a second to near neighbours."""
    near: int
    """How many chips are near."""
    far: float
    """Bytes a second to the others."""
    launch: float
    """Seconds between kernels."""
    hop: float
    """Seconds."""
    dollars: float
    """An hour."""


CHIPS = (
    Chip("H100", 494e12, 67e12, 3.35e12, 450e9, 8, 50e9, 2.5e-6, 3e-6, 3.00),
    Chip("H200", 494e12, 67e12, 4.8e12, 450e9, 8, 50e9, 2.5e-6, 3e-6, 3.80),
    Chip("TPU v5e", 197e12, 6e12, 0.819e12, 200e9, 256, 200e9, 1e-6, 1e-6, 1.20),
    Chip("TPU v6e", 918e12, 6e12, 1.638e12, 400e9, 256, 400e9, 1e-6, 1e-6, 2.70),
)


@dataclasses.dataclass(frozen=True)
class Rates:
    """What a chip does in a second, and what it takes to start."""

    flops: Callable[[float], float]
    """Of a kernel with so many of them: multiplications and additions of products."""
    vector: float
    """Other operations."""
    curves: float
    """Values of tanh, exp and the like."""
    memory: Callable[[float], float]
    """Of a kernel that moves so many bytes: bytes."""
    launch: float = 0.0
    """Seconds between kernels."""


def seconds(costs: Sequence[Cost], rates: Rates) -> float:
    """Of a program on one chip: each kernel is started, and held up by what it computes or by its bytes."""

    def of(one: Cost) -> float:
        computed = one.flops / rates.flops(one.flops) + one.elements / rates.vector + one.curves / rates.curves
        return rates.launch + max(computed, one.bytes / rates.memory(one.bytes))

    return sum(one.times * of(one) for one in costs if not one.exchanged)


def exchange(costs: Sequence[Cost], chip: Chip, count: int) -> float:
    """Seconds of a program's exchanges over `count` chips in a ring: first among the near, then beyond."""
    if count == 1:
        return 0.0
    near, far = min(count, chip.near), math.ceil(count / chip.near)
    total = 0.0
    for one in costs:
        if one.exchanged:
            inside = 2 * (near - 1) / near * one.exchanged / chip.link + 2 * math.log2(near) * chip.hop
            outside = 0.0
            if far > 1:
                outside = 2 * (far - 1) / far * one.exchanged / near / chip.far + 2 * math.log2(far) * 2 * chip.hop
            total += one.times * (inside + outside)
    return total


@dataclasses.dataclass(frozen=True)
class Prediction:
    """Of a step on some chips."""

    chip: Chip
    count: int
    used: int
    """Chips that have rows of the batch."""
    roofline: float
    """Seconds, were kernels to start in no time."""
    likely: float
    """Seconds, with the time between kernels."""

    def dollars(self, steps: int) -> float:
        """Of a run of so many steps; chips without rows cost as much."""
        return steps * self.likely / 3600 * self.count * self.chip.dollars


def predict(one: Sequence[Cost], eight: Sequence[Cost], chip: Chip, count: int, rows: int) -> Prediction:
    """A step on `count` chips.

    Args:
      one: of the program for one chip.
      eight: of that for eight, each with an eighth of the rows.
      chip: the kind.
      count: how many.
      rows: of a batch.
    """
    used = min(count, rows)
    times = []
    for launch in (0.0, chip.launch):
        rates = Rates(lambda _: chip.flops, chip.vector, chip.vector / 8, lambda _: chip.memory, launch)
        alone, shared = (seconds(costs, rates) for costs in (one, eight))
        each = (alone - shared) * 8 / 7  # what goes with the rows; the rest is the same for any number
        times.append(max(alone - each, 0.0) + each / used + exchange(eight, chip, used))
    return Prediction(chip, count, used, *times)
