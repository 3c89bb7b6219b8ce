"""The adding problem (Hochreiter and Schmidhuber 1997): two of T numbers are marked, what is their sum?

Numbers are even in [0, 1), one mark stands in each half. Who remembers nothing says 1 and is wrong by 1/6 on average,
squared: the variance of the sum. Any sum can be had exactly: the optimum is 0.

Legend: B batch, N examples, T steps.
"""

import dataclasses
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from seqjax.data.dataset import Arrays, Dataset, Requests
from seqjax.data.memory import drawn
from seqjax.errors import UserError

CONSTANT = 1 / 6


def linear(length: int) -> float:
    """The least squared error of what is linear in the numbers and the marks: it cannot multiply the two.

    A number's covariance with the sum is its variance, 1/12, times 2/T; a mark's is 0. So 1/6 - 1/(3T) is left.
    """
    return CONSTANT - 1 / (3 * length)


def moments(length: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Means and variances of numbers and of marks, over T steps."""
    marked = 2 / length
    return (0.5, marked), (1 / 12, marked * (1 - marked))


@dataclasses.dataclass(frozen=True)
class Adding:
    """A `Source` of rows of numbers and marks [T, 2], and of their sums. Generated in both data modes."""

    length: int = 100
    """T."""
    examples: int = 20_000
    """Of the training part."""
    held_out: int = 2_000
    """Of the validation part, and of the test part."""
    data_seed: int = 1

    def __post_init__(self):
        drawn.check(self)

    def load(self, data: str, data_dir: Path) -> Dataset:
        """See `Source.load`; nothing is read from `data_dir`."""
        del data_dir
        drawn.check(self, data)
        count = self.examples + 2 * self.held_out
        rng = np.random.default_rng([self.data_seed, self.length])
        numbers = rng.random((count, self.length), np.float32)
        half = self.length // 2
        marks = np.stack([rng.integers(half, size=count), half + rng.integers(self.length - half, size=count)], 1)
        test = np.take_along_axis(numbers, marks, 1)[-self.held_out :].sum(1)
        return Dataset(
            arrays={"numbers": numbers, "marks": marks.astype(np.int32)},
            gather=gather,
            parts=drawn.parts(self),
            description=f"sums of two of {self.length} numbers: {drawn.sizes(self)}",
            fingerprint=drawn.fingerprint(self),
            optimum={"mse": 0.0},
            baselines={"always_1": {"test": {"mse": float(np.square(test - 1).mean())}}},
        )

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """See `Source.requests`: a line is numbers with spaces between, two of them with a `*`: `0.3* 0.5 0.1*`.

        All lines are of one length, which need not be that of training.
        """
        del assets
        rows = {k: _row(line, f"{name}: row {k}") for k, line in enumerate(text, 1) if line.strip()}
        sizes = {k: len(numbers) for k, (numbers, _) in rows.items()}
        other = next((k for k, size in sizes.items() if size != next(iter(sizes.values()))), None)
        if other is not None:
            raise UserError(f"{name}: row {other} has {sizes[other]} numbers, the first {next(iter(sizes.values()))}")
        return Requests(
            arrays={
                "numbers": np.array([numbers for numbers, _ in rows.values()], np.float32).reshape(len(rows), -1),
                "marks": np.array([places for _, places in rows.values()], np.int32).reshape(-1, 2),
            },
            gather=lambda arrays, ids: gather(arrays, ids)[0],
            ids=np.arange(len(rows), dtype=np.int32),
            line=lambda position, output: f"{float(np.asarray(output)):.4f}",
        )


def gather(arrays: Arrays, ids: Any) -> tuple[Any, Any]:
    """Ids [B] -> ([numbers, whether marked] [B, T, 2], sums [B])."""
    numbers, marks = arrays["numbers"][ids], arrays["marks"][ids]
    places = np.arange(numbers.shape[1])[None, :, None]
    marked = (places == marks[:, None, :]).any(2).astype(numbers.dtype)  # [B, T]
    side = np.arange(2)[None, None, :]
    return numbers[:, :, None] * (side == 0) + marked[:, :, None] * (side == 1), (numbers * marked).sum(1)


def _row(line: str, place: str) -> tuple[list[float], list[int]]:
    """Numbers and the places of the two marks. Raises UserError."""
    cells = line.split()
    try:
        numbers = [float(cell.removesuffix("*")) for cell in cells]
    except ValueError:
        wrong = next(cell for cell in cells if not _is_number(cell.removesuffix("*")))
        raise UserError(f"{place}: {wrong!r} is no number; a line looks like 0.3* 0.5 0.1*") from None
    marked = [k for k, cell in enumerate(cells) if cell.endswith("*")]
    if len(marked) != 2 or not np.isfinite(numbers).all():
        raise UserError(f"{place}: {len(marked)} finite numbers have a *, and it takes two: 0.3* 0.5 0.1*")
    return numbers, marked


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
