"""Rows of a table as they come, one after the other, and for each the window that ends there.

A window model reads every window from nothing, so what is handed on are the last rows. A row answers as it does in a
whole file, but nothing comes back from rows that are not there yet: where a column has had no value so far, a window is
waited for (of Jena's weather a whole file is filled backwards there).

Legend: N rows of a piece, F features, W rows from a window's first to its last.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from absl import logging

from seqjax.data.dataset import Step
from seqjax.data.series import sources
from seqjax.errors import UserError

MARK = b"\xef\xbb\xbf"
"""A byte order mark."""


class Read(NamedTuple):
    """Rows in the order in which they came."""

    times: np.ndarray
    """[N] datetime64."""
    values: np.ndarray
    """[N, F] float64, NaN where missing."""
    series: Sequence[str] = ()
    """[N] names, where there are several series."""


class Note(NamedTuple):
    """What is known of a window's last row, for its line."""

    time: np.datetime64
    series: str
    values: np.ndarray
    """[F] filled."""
    missing: np.ndarray
    """[F] bool, what was filled."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """What a source knows of its rows."""

    parse: Callable[[bytes], Read]
    """A header with rows below it -> the rows. Raises UserError, with the row."""
    rows: int
    """W."""
    inputs: Callable[[np.ndarray, np.ndarray, str], Any]
    """(times [W] datetime64[us], values [W, F] without missing ones, series) -> the window's inputs, without an axis of
    batch. Raises UserError: the rows are not as far apart as the model's. Where there is a `least`, of fewer rows too,
    at the beginning."""
    line: Callable[[np.datetime64, str, float, Any], str]
    """(time of the window's last row, series, the target's value there, output) -> a line."""
    lacking: Callable[[np.ndarray], int]
    """Times [2] datetime64[us] -> how many rows lack between them."""
    example: Any
    """Inputs of any window."""
    header: str
    """Of the lines."""
    target: int = 0
    """Its column."""
    comment: bytes = b""
    """What begins a line that is skipped."""
    doubled: str = ""
    """As `form.Form`'s, but for `mean`."""
    ordered: bool = True
    """Rows that go back in time are refused."""
    several: bool = False
    """Rows belong to series."""
    least: int = 0
    """Rows from which on there is an answer; by default W."""
    before: Callable[[str], np.ndarray] | None = None
    """A series -> [F] what stands in a column that has had no value yet; None: its first one is waited for."""


@dataclasses.dataclass
class Last:
    """The last rows of a series, W at most."""

    times: list[np.datetime64] = dataclasses.field(default_factory=list)
    """datetime64[us]."""
    values: list[np.ndarray] = dataclasses.field(default_factory=list)
    """[F] each: filled, or NaN in a column that has had no value yet."""
    raw: list[float] = dataclasses.field(default_factory=list)
    """[F] the last row as it came."""
    again: int | None = None
    """Rows passed over that the state had seen already; None: no longer."""


class RowStream:
    """See `dataset.Stream`. A row is a line; the first line is the header, unless a state is gone on from.

    The header may come again (of files one behind the other). After a restart so may rows up to the last one that was
    seen: they are passed over.
    """

    carried = False

    def __init__(self, kind: Kind, name: str):
        """Args: name: of the stream, for messages."""
        self.kind, self.name, self.header, self.example = kind, name, kind.header, kind.example
        self.rest, self.head, self.number, self.begun = b"", b"", 0, False
        self.last: dict[str, Last] = {}

    def read(self, data: bytes) -> Iterator[Step]:
        """See `dataset.Stream`."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        yield from self._steps(self._rows(lines))

    def end(self) -> Iterator[Step]:
        """See `dataset.Stream`."""
        line, self.rest = self.rest, b""
        yield from self._steps(self._rows([line] if line else []))
        if self.head and not self.last:
            self.kind.parse(self.head)  # which says what is wrong with a header that no row came after

    def line(self, step: Step, output: Any) -> str:
        """See `dataset.Stream`."""
        note: Note = step.note
        return self.kind.line(note.time, note.series, float(note.values[self.kind.target]), output)

    def state(self) -> dict[str, Any]:
        """See `dataset.Stream`: the header and the last rows. A line that has not ended is no row."""
        last = {
            name: {"times": np.array(own.times, "datetime64[us]").astype(np.int64).tolist()}
            | {"values": [values.tolist() for values in own.values], "raw": own.raw}
            for name, own in self.last.items()
        }
        return {"head": self.head.decode("latin-1"), "last": last}

    def restore(self, state: dict[str, Any]) -> None:
        """See `dataset.Stream`."""
        self.head, self.begun = state["head"].encode("latin-1"), bool(state["head"])
        for name, own in state["last"].items():
            values = [np.array(row, np.float64) for row in own["values"]]
            if any(row.shape != (len(own["raw"]),) for row in values):
                raise ValueError(f"rows of {name!r} have not as many values as there are columns")
            self.last[name] = Last(list(np.array(own["times"], "datetime64[us]")), values, own["raw"], 0)

    def _rows(self, lines: list[bytes]) -> list[tuple[int, bytes]]:
        """(its number, the line) of each line that is a row; the header is kept."""
        rows = []
        for line in lines:
            self.number += 1
            line = line.removesuffix(b"\r")
            line = line.removeprefix(MARK) if self.number == 1 else line
            comment = self.kind.comment and line.lstrip().startswith(self.kind.comment)
            if comment or not line.strip(b' \t,;|"'):
                continue
            if not self.begun:
                self.head += line + b"\n"
                self.begun = not line.startswith(b"sep=")
            elif line != self.head.splitlines()[-1]:
                rows.append((self.number, line))
        return rows

    def _steps(self, rows: list[tuple[int, bytes]]) -> Iterator[Step]:
        found = self._together(rows)
        for k, (number, line) in enumerate(rows):
            if found is None:
                read, place = self._alone(number, line), 0
            else:
                read, place = found, k
            name = read.series[place] if self.kind.several else ""
            yield from self._step(number, read.times[place], read.values[place], name)

    def _together(self, rows: list[tuple[int, bytes]]) -> Read | None:
        """All rows read by one call; None: they are to be read one by one."""
        if len(rows) < 2 or self.kind.several:
            return None
        try:
            found = self.kind.parse(self.head + b"\n".join(line for _, line in rows))
        except UserError:
            return None
        return found if len(found.times) == len(rows) else None

    def _alone(self, number: int, line: bytes) -> Read:
        try:
            return self.kind.parse(self.head + line)
        except UserError as error:
            there = 1 + len(self.head.splitlines())
            raise UserError(str(error).replace(f"row {there}", f"row {number}", 1)) from error

    def _step(self, number: int, time: np.datetime64, values: np.ndarray, name: str) -> Iterator[Step]:
        """The window that ends in a row, if it is whole."""
        own, time = self.last.setdefault(name, Last()), time.astype("datetime64[us]")
        if own.times and self._is_passed_over(own, number, time, values):
            return
        if own.times and (lacking := self.kind.lacking(np.array([own.times[-1], time]))) > 0:
            said = sources.counted(lacking, "row", f"missing before row {number}, and passed over")
            logging.warning("%s: %s", self.name, said[0])
        last = own.values[-1] if own.values else np.full(len(values), np.nan)
        if not own.values and self.kind.before is not None:
            last = self.kind.before(name)
        filled = np.where(np.isnan(values), last, values)
        for before in own.values:
            np.copyto(before, filled, where=np.isnan(before))
        own.times, own.values = [*own.times, time][-self.kind.rows :], [*own.values, filled][-self.kind.rows :]
        own.raw = values.tolist()
        window = np.array(own.values)
        if len(window) < (self.kind.least or self.kind.rows) or np.isnan(window).any():
            return
        inputs = self.kind.inputs(np.array(own.times), window, name)
        yield Step(inputs, Note(time, name, filled, np.isnan(values)))

    def _is_passed_over(self, own: Last, number: int, time: np.datetime64, values: np.ndarray) -> bool:
        """Whether a row is one that has been there already. Makes room for one that takes another's place.

        Raises:
          UserError: it goes back in time.
        """
        if own.again is not None:
            if time <= own.times[-1]:
                own.again += 1
                return True
            if own.again:
                said = sources.counted(own.again, "row", "that the state has seen already, passed over")
                logging.warning("%s: %s", self.name, said[0])
            own.again = None
        if not self.kind.ordered or time > own.times[-1]:
            return False
        if time < own.times[-1]:
            before, after = (str(one).replace("T", " ").removesuffix(".000000") for one in (own.times[-1], time))
            raise UserError(f"{self.name}: row {number}: {after} comes after {before}: a stream goes forward in time")
        same = all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(own.raw, values.tolist(), strict=True))
        if self.kind.doubled == "last":
            own.times.pop()
            own.values.pop()
            return False
        if same or self.kind.doubled == "first":
            logging.warning("%s: row %d has the time of the one before, and is passed over", self.name, number)
            return True
        return False
