"""The copying problem (Hochreiter, Schmidhuber 1997; Arjovsky et al. 2016): ten symbols, silence, the symbols again.

    symbols (10), blanks (T - 1), the sign to speak, blanks (10)    is read,
    blanks (T + 10), symbols (10)                                   is to be said.

Who remembers nothing knows when to speak, and loses 10 ln 8 / (T + 20) nats a step. The optimum is 0.

Legend: B batch, N examples, T steps of silence.
"""

import dataclasses
import math
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from seqjax.data.dataset import Arrays, Dataset, Requests
from seqjax.data.memory import drawn
from seqjax.errors import UserError

SYMBOLS, COUNT = 8, 10
BLANK, SPEAK = SYMBOLS + 1, SYMBOLS + 2
TOKENS = SPEAK + 1
"""Token 0 is padding and never stands here."""


def guess(length: int) -> float:
    """Nats a step of who remembers nothing.

    >>> round(guess(100), 4)
    0.1733
    """
    return COUNT * math.log(SYMBOLS) / (length + 2 * COUNT)


@dataclasses.dataclass(frozen=True)
class Copying:
    """A `Source` of tokens [T + 20], 1 to 10, and of what is to be said, 1 to 9. Generated in both data modes."""

    length: int = 100
    """T."""
    examples: int = 20_000
    held_out: int = 1_000
    """As in `Adding`."""
    data_seed: int = 1

    def __post_init__(self):
        drawn.check(self)

    def load(self, data: str, data_dir: Path) -> Dataset:
        """See `Source.load`; nothing is read from `data_dir`."""
        del data_dir
        drawn.check(self, data)
        rng = np.random.default_rng([self.data_seed, self.length])
        symbols = rng.integers(1, SYMBOLS + 1, (self.examples + 2 * self.held_out, COUNT), np.int32)
        return Dataset(
            arrays={"symbols": symbols},
            gather=self._gather,
            parts=drawn.parts(self),
            description=f"ten symbols over {self.length} steps of silence: {drawn.sizes(self)}",
            fingerprint=drawn.fingerprint(self),
            optimum={"nats": 0.0, "recalled": 1.0},
            baselines={"no_memory": {"test": {"nats": guess(self.length), "recalled": 1 / SYMBOLS}}},
        )

    def requests(self, assets: Path, text: TextIO, name: str) -> Requests:
        """See `Source.requests`: a line is ten digits from 1 to 8, and so is what is said after the silence."""
        del assets
        rows = []
        for number, line in enumerate(text, 1):
            digits = [int(digit) if digit in "12345678" else 0 for digit in "".join(line.split())]
            if digits and (len(digits) != COUNT or not all(digits)):
                raise UserError(f"{name}: row {number}: {line.strip()[:40]!r} is not ten digits from 1 to {SYMBOLS}")
            rows += [digits] if digits else []
        return Requests(
            arrays={"symbols": np.array(rows, np.int32).reshape(-1, COUNT)},
            gather=lambda arrays, ids: self._gather(arrays, ids)[0],
            ids=np.arange(len(rows), dtype=np.int32),
            line=lambda position, output: "".join(map(str, np.asarray(output)[-COUNT:, 1 : SYMBOLS + 1].argmax(1) + 1)),
        )

    def _gather(self, arrays: Arrays, ids: Any) -> tuple[Any, Any]:
        symbols = arrays["symbols"][ids]  # [B, 10]
        steps = np.arange(self.length + 2 * COUNT)[None, :]
        speak, last = COUNT + self.length - 1, COUNT + self.length
        silent = np.where(steps == speak, SPEAK, BLANK)
        read = _where(steps < COUNT, symbols[:, np.minimum(steps[0], COUNT - 1)], silent)
        said = _where(steps >= last, symbols[:, np.maximum(steps[0] - last, 0)], np.full_like(silent, BLANK))
        return read, said


def _where(condition: np.ndarray, yes: Any, no: np.ndarray) -> Any:
    """As np.where, of integers of NumPy or of JAX."""
    return yes * condition + (no * ~condition).astype(yes.dtype)
