"""Clicks as they come: a verdict after each, for as many visitors as there are."""

import collections
import csv
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from seqjax.data.clicks import visits
from seqjax.data.dataset import Step
from seqjax.errors import UserError

if TYPE_CHECKING:
    from seqjax.data.clicks.labelled_visits import Known

MOST_VISITORS = 10_000
"""Whose last click is remembered; of the others the next one is a first one. The engine forgets as many."""


class ClickStream:
    """See `dataset.Stream`: rows of a CSV with the columns visitor, time and page, in order of a visitor's time."""

    carried = True
    header = "visitor,click,verdict,probability"
    example = (np.int32(1), np.float32(0))

    def __init__(self, known: "Known", verdict: Callable[[float], str], name: str):
        """Args: verdict: of a logit. name: of the stream, for messages."""
        self.known, self.verdict, self.name = known, verdict, name
        self.numbers = known.numbers
        self.rest, self.number = b"", 0
        self.places: list[int] = []
        self.names: list[str] = []
        self.last: collections.OrderedDict[str, tuple[float, int]] = collections.OrderedDict()
        """Of a visitor: when the last click was, and how many there were."""

    def read(self, data: bytes) -> Iterator[Step]:
        """See `dataset.Stream`."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            yield from self._line(line)

    def end(self) -> Iterator[Step]:
        """See `dataset.Stream`."""
        line, self.rest = self.rest, b""
        yield from self._line(line)

    def _line(self, line: bytes) -> Iterator[Step]:
        self.number += 1
        try:
            text = line.decode().strip("\r").removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            raise self._fault(f"is not UTF-8 text (byte 0x{line[error.start]:02x})") from error
        if not text.strip():
            return
        cells = [cell.strip() for cell in next(csv.reader([text], skipinitialspace=True))]
        if not self.places:
            absent = [column for column in visits.COLUMNS if column not in cells]
            if absent:
                raise self._fault(f"there is no column {absent[0]!r}; columns: {', '.join(cells)}", ": ")
            self.names, self.places = cells, [cells.index(column) for column in visits.COLUMNS]
        elif cells != self.names:  # of files one behind the other
            yield self._step(cells)

    def _step(self, cells: list[str]) -> Step:
        if len(cells) != len(self.names):
            raise self._fault(f"has {len(cells)} cells instead of {len(self.names)}: {str(cells)[:60]}")
        visitor, time, page = (cells[place] for place in self.places)
        for column, cell in zip(visits.COLUMNS, (visitor, time, page), strict=True):
            if not cell:
                raise self._fault(f"column {column!r} is empty", ", ")
        try:
            at = visits.moment(time)
        except UserError as error:
            raise self._fault(f"column 'time': {time[:60]!r} {error}", ", ") from error
        before, count = self.last.get(visitor, (None, 0))
        if before is not None and at < before:
            raise self._fault(f"a click of {visitor!r} is before its last one", ": ")
        waited = np.float32(0) if before is None else self.known.times(at - before)
        self.last[visitor] = (at, count + 1)
        self.last.move_to_end(visitor)
        if len(self.last) > MOST_VISITORS:
            self.last.popitem(last=False)
        inputs = (np.int32(self.numbers.get(page, 1)), np.float32(waited))
        return Step(inputs, (visitor, count + 1), visitor)

    def _fault(self, said: str, joint: str = " ") -> UserError:
        return UserError(f"{self.name}: row {self.number}{joint}{said}")

    def line(self, step: Step, output: np.ndarray) -> str:
        """See `dataset.Stream`."""
        visitor, count = step.note
        shown = '"' + visitor.replace('"', '""') + '"' if {",", '"'} & set(visitor) else visitor
        return f"{shown},{count},{self.verdict(float(output))}"

    def state(self) -> dict[str, Any]:
        """See `dataset.Stream`: the header, and each visitor's last click."""
        return {"names": self.names, "places": self.places, "last": [[*pair, k] for k, pair in self.last.items()]}

    def restore(self, state: dict[str, Any]) -> None:
        """See `dataset.Stream`."""
        self.names, self.places = list(state["names"]), [int(place) for place in state["places"]]
        self.last.update({str(visitor): (float(at), int(count)) for at, count, visitor in state["last"]})
