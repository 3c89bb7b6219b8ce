"""Sums of two numbers, written out: `12+395` -> `407`. Generated in both data modes: any model's optimum is 1.

As Keras's example (addition_rnn), but that the pair of numbers in a test sum is in no training sum, in either order.
"""

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np

from seqjax.data.text import sentences
from seqjax.data.text.pairs import Pairs, Read
from seqjax.errors import UserError, check_least

SHARES = {"validation": 0.05, "test": 0.05}


@dataclasses.dataclass(frozen=True)
class Addition(Pairs):
    """A `Source` of sums."""

    tokens: sentences.Way = "characters"
    digits: int = 3
    """Of each number, at most."""
    examples: int = 50_000
    """Sums in all the parts together."""
    data_seed: int = 1

    baseline_score: ClassVar[str] = "exact"

    def __post_init__(self):
        super().__post_init__()
        for knob, value, least in (
            ("digits", self.digits, 1),
            ("examples", self.examples, 20),
            ("data_seed", self.data_seed, 0),
        ):
            check_least(knob, value, least)
        if self.digits > 9:
            raise UserError(f"digits={self.digits}: at most 9")
        pairs = 10**self.digits * (10**self.digits + 1) // 2
        if self.examples > pairs // 2:
            raise UserError(f"examples={self.examples:,}: there are {pairs:,} pairs of numbers; at most half of them")

    def read(self, data: str, data_dir: Path) -> tuple[str, Read]:
        """See `Pairs.read`."""
        rng = np.random.default_rng(self.data_seed)
        drawn: dict[tuple[int, int], tuple[int, int]] = {}
        while len(drawn) < self.examples:
            # As many numbers of one digit as of three: otherwise nine in ten would have three.
            bounds = 10 ** rng.integers(1, self.digits + 1, (self.examples, 2))
            for a, b in rng.integers(0, bounds).tolist():
                drawn.setdefault((min(a, b), max(a, b)), (a, b))
        sums = [(f"{a}+{b}", f"{a + b}") for a, b in list(drawn.values())[: self.examples]]
        order = rng.permutation(len(sums))  # what is drawn early has fewer digits
        held = [int(share * len(sums)) for share in SHARES.values()]
        cuts = np.cumsum([*held, len(sums) - sum(held)])
        found = (order[end - size : end] for end, size in zip(cuts, [*held, len(sums) - sum(held)], strict=True))
        parts = {part: [sums[k] for k in ids] for part, ids in zip((*SHARES, "train"), found, strict=True)}
        return f"sums of numbers of up to {self.digits} digits", parts
