"""A text as it comes: how surprising each character was, and which one is expected next.

Legend: V symbols, 0 being padding.
"""

import codecs
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from seqjax.data.dataset import Step
from seqjax.errors import UserError

MARK = "\ufeff"
"""Of the order of bytes."""
HEADER = "character\tnats\tnext\tprobability"


class CharacterStream:
    """See `dataset.Stream`: a line for every character, as JSON writes it, its nats (`-`: it is the first one), the
    likeliest next one and how probable that is.

    Neither a byte order mark nor the \\r of a line's end counts, where the run has seen none.
    """

    carried = True
    header = HEADER
    example = np.int32(1)

    def __init__(self, alphabet: str, name: str):
        """Args: alphabet: of the run, in the order of ids. name: of the stream, for messages."""
        self.alphabet, self.name = alphabet, name
        self.ids = {character: k for k, character in enumerate(alphabet, 1)}
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.row, self.column, self.begun = 1, 0, False
        self.nats: list[float] | None = None

    def read(self, data: bytes) -> Iterator[Step]:
        """See `dataset.Stream`."""
        yield from self._steps(data, False)

    def end(self) -> Iterator[Step]:
        """See `dataset.Stream`."""
        yield from self._steps(b"", True)

    def _steps(self, data: bytes, last: bool) -> Iterator[Step]:
        before = self.decoder.getstate()[0]
        fault = None
        try:
            text = self.decoder.decode(data, last)
        except UnicodeDecodeError as error:
            self.decoder.reset()
            text, fault = (before + data)[: error.start].decode(), error.object[error.start]
        for character in text:
            if character not in self.ids and (character == "\r" or (character == MARK and not self.begun)):
                continue
            self.begun = True
            if character not in self.ids:
                known = f"none of the {len(self.alphabet)} characters that the run has seen"
                raise UserError(f"{self._place()}: {character!r} is {known}")
            self.row, self.column = (self.row + 1, 0) if character == "\n" else (self.row, self.column + 1)
            yield Step(np.int32(self.ids[character]), character)
        if fault is not None:
            raise UserError(f"{self._place()}: byte 0x{fault:02x} is not UTF-8")

    def _place(self) -> str:
        return f"{self.name}, line {self.row}, character {self.column + 1}"

    def line(self, step: Step, output: np.ndarray) -> str:
        """See `dataset.Stream`; output are the logits [V] of the next symbol."""
        nats = "-" if self.nats is None else f"{self.nats[int(step.inputs)]:.4f}"
        logits = output.astype(np.float64)
        logits -= logits.max()
        cost = np.log(np.exp(logits).sum()) - logits
        self.nats = cost.tolist()
        best = int(cost[1:].argmin()) + 1
        expected = json.dumps(self.alphabet[best - 1], ensure_ascii=False)
        return f"{json.dumps(step.note, ensure_ascii=False)}\t{nats}\t{expected}\t{np.exp(-cost[best]):.4f}"

    def state(self) -> dict[str, Any]:
        """See `dataset.Stream`: what the next character costs, and the bytes of one that has not ended."""
        return {"nats": self.nats, "rest": self.decoder.getstate()[0].hex()}

    def restore(self, state: dict[str, Any]) -> None:
        """See `dataset.Stream`."""
        nats = state["nats"]
        if nats is not None and len(nats) != len(self.alphabet) + 1:
            raise ValueError(f"{len(nats)} symbols")
        self.nats = nats
        self.decoder.setstate((bytes.fromhex(state["rest"]), 0))
