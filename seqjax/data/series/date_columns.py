"""Dates, a column at once: those of cells that look alike, by the places of their digits.

Agrees with `dates.read` cell by cell, and leaves to it what it does not know.

Legend: N cells, L characters in each of those of one shape.
"""

import functools
import re
from typing import Any, NamedTuple

import numpy as np

from seqjax.data.series import arrays
from seqjax.data.series.dates import UNIX

CLOCK = r"(?P<H>\d\d?):(?P<M>\d\d?)(?::(?P<S>\d\d?))?"
ISO = (
    r"(?P<Y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)"
    r"(?:[T ](?P<H>\d\d):(?P<M>\d\d)(?::(?P<S>\d\d)(?:[.,](?P<f>\d+))?)?(?P<z>Z|[+-]\d\d:\d\d)?)?"
)
KNOWN = (
    ISO,
    rf"(?P<d>\d\d?)\.(?P<m>\d\d?)\.(?P<Y>\d{{4}})(?: {CLOCK})?",
    rf"(?P<Y>\d{{4}})/(?P<m>\d\d?)/(?P<d>\d\d?)(?: {CLOCK})?",
)
"""What is read a column at once, as regular expressions; the rest goes cell by cell."""
DIRECTIVES = {"Y": r"\d{4}", "f": r"\d{1,6}"} | dict.fromkeys("mdHMS", r"\d\d?")
LAYOUTS = 40
"""How many different shapes of cells are tried in a column."""
FIRST, LAST = (int(np.datetime64(date, "us").astype(np.int64)) for date in ("0001-01-01", "9999-12-31T23:59:59.999999"))


class Moments(NamedTuple):
    """A column of dates, read."""

    times: np.ndarray
    """[N] datetime64[us]."""
    zoned: bool = False
    cut: bool = False


def read(column: Any, form: str | None) -> Moments | None:
    """All cells of a pyarrow array of text, or None if any needs a second look."""
    if column.null_count:
        return None
    return _unix(column, UNIX[form]) if form in UNIX else _chunk(*_bytes(column), form)


def _bytes(chunk: Any) -> tuple[np.ndarray, np.ndarray]:
    """-> (where each cell begins, and the last ends [N + 1]; the bytes of all cells)."""
    _, offsets, content = chunk.buffers()
    places = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
    return places, np.frombuffer(content or b"", np.uint8)


def _unix(chunk: Any, power: int) -> Moments | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    compute: Any = pc  # its functions are made when it is imported: pyright sees none
    digits = max(power, 0)
    pattern = rf"^-?[0-9]{{1,{18 - digits}}}(\.[0-9]{{1,{digits}}})?$" if digits else r"^-?[0-9]{1,18}$|^1[0-9]{18}$"
    if not compute.all(compute.match_substring_regex(chunk, pattern)).as_py():
        return None
    if digits:  # a decimal number of 128 bits, of which the lower 64 are the microseconds
        exact = compute.cast(chunk, pa.decimal128(38, digits))
        whole = np.frombuffer(exact.buffers()[1], "<i8").reshape(-1, 2)[exact.offset : exact.offset + len(exact), 0]
    else:
        whole = arrays.numbers(compute.cast(chunk, pa.int64()))
    cut = False
    if power < 0:
        cut = bool((whole % 10**-power).any())
        whole = whole // 10**-power
    times = whole.astype("datetime64[us]")
    inside = (times >= np.datetime64("0001-01-01")) & (times < np.datetime64("10000-01-01"))
    return Moments(times, cut=cut) if inside.all() else None


def _chunk(places: np.ndarray, content: np.ndarray, form: str | None) -> Moments | None:
    lengths = np.diff(places)
    times = np.empty(len(lengths), "datetime64[us]")
    zoned, cut = set(), False
    left = np.arange(len(lengths))
    for _ in range(LAYOUTS):
        if not len(left):
            return Moments(times, zoned.pop(), cut) if len(zoned) == 1 else None
        start, length = places[left[0]], int(lengths[left[0]])
        layout = _layout(content[start : start + length].tobytes(), form)
        if layout is None:
            return None
        alike = left if (lengths[left] == length).all() else left[lengths[left] == length]
        if len(alike) == len(lengths):
            cells = content[start : start + length * len(alike)].reshape(-1, length).T.copy()
        else:
            cells = content[places[alike][None, :] + np.arange(length)[:, None]]
        fits = layout.fits(cells)
        if not fits.all():
            alike, cells = alike[fits], cells[:, fits]
        moments = layout.read(cells)
        if moments is None:
            return None
        times[alike] = moments.times
        zoned.add(moments.zoned)
        cut |= moments.cut
        left = left[:0] if len(alike) == len(left) else np.setdiff1d(left, alike, assume_unique=True)
    return None


class _Layout:
    """Where the digits stand in cells of one shape."""

    def __init__(self, cell: bytes, fields: dict[str, tuple[int, int]]):
        self.cell, self.fields = np.frombuffer(cell, np.uint8), fields
        zone = fields.get("z")
        self.sign = zone[0] if zone and zone[1] - zone[0] > 1 else None
        self.digits = (self.cell >= ord("0")) & (self.cell <= ord("9"))

    def fits(self, cells: np.ndarray) -> np.ndarray:
        """Which of the cells [L, N] are of this shape."""
        good = np.ones(cells.shape[1], bool)
        for place, (mine, is_digit) in enumerate(zip(self.cell, self.digits, strict=True)):
            if is_digit:
                good &= (cells[place] - np.uint8(ord("0"))) <= 9
            elif place == self.sign:
                good &= (cells[place] == ord("+")) | (cells[place] == ord("-"))
            else:
                good &= cells[place] == mine
        return good

    def read(self, cells: np.ndarray) -> Moments | None:
        """The dates in cells [L, N] of this shape, or None if one is no date."""
        year, month = _whole(cells, *self.fields["Y"]), self._number(cells, "m", 1)
        day, hour = self._number(cells, "d", 1), self._number(cells, "H")
        minute, second = self._number(cells, "M"), self._number(cells, "S")
        if not (year.min() >= 1 and month.min() >= 1 and month.max() <= 12 and day.min() >= 1):
            return None
        if hour.max() > 23 or minute.max() > 59 or second.max() > 59:
            return None
        months = year.astype(np.int32) * 12 + month
        first = _months()[months]
        if (day > 28).any() and (first + day > _months()[months + 1]).any():
            return None
        seconds = (hour.astype(np.int32) * 60 + minute) * 60 + second
        microseconds = (first + day).astype(np.int64) * 86_400_000_000 + seconds.astype(np.int64) * 1_000_000
        fraction, cut = self._fraction(cells)
        microseconds += fraction
        if "z" in self.fields:
            offset = self._offset(cells)
            if offset is None:
                return None
            microseconds -= offset
            if not (microseconds.min() >= FIRST and microseconds.max() <= LAST):
                return None
        return Moments(microseconds.view("datetime64[us]"), "z" in self.fields, cut)

    def _number(self, cells: np.ndarray, field: str, default: int = 0) -> np.ndarray:
        """[N], or the default [1]."""
        if field not in self.fields:
            return np.full(1, default, np.int32)
        return _whole(cells, *self.fields[field])

    def _fraction(self, cells: np.ndarray) -> tuple[np.ndarray | int, bool]:
        """-> (microseconds [N], whether there were finer parts)."""
        if "f" not in self.fields:
            return 0, False
        start, end = self.fields["f"]
        stop = min(end, start + 6)
        return _whole(cells, start, stop).astype(np.int64) * 10 ** (6 - (stop - start)), bool(
            (cells[stop:end] != ord("0")).any()
        )

    def _offset(self, cells: np.ndarray) -> np.ndarray | int | None:
        """Microseconds before UTC [N]; None for no such zone."""
        if self.sign is None:
            return 0
        hours, minutes = _whole(cells, self.sign + 1, self.sign + 3), _whole(cells, self.sign + 4, self.sign + 6)
        if hours.max() > 23 or minutes.max() > 59:
            return None
        return np.where(cells[self.sign] == ord("+"), 1, -1) * (hours.astype(np.int64) * 60 + minutes) * 60_000_000


def _whole(cells: np.ndarray, start: int, end: int) -> np.ndarray:
    """The number [N] that stands there, of up to six digits: uint8, which is quick, if two are enough."""
    digits = cells[start:end] - np.uint8(ord("0"))
    total = digits[0]
    for place, digit in enumerate(digits[1:], 1):
        total = total * (np.uint8(10) if place == 1 else np.int32(10)) + digit
    return total


@functools.cache
def _months() -> np.ndarray:
    """The day before each month, from 1970 on: of month m in year y at 12 y + m; and of the one behind the last."""
    first = np.arange(np.datetime64("0000-01"), np.datetime64("10000-02")).astype("datetime64[D]").astype(np.int32)
    return np.concatenate([np.zeros(1, np.int32), first - 1])


def _layout(cell: bytes, form: str | None) -> _Layout | None:
    for pattern in _patterns(form):
        found = re.fullmatch(pattern, cell)
        if found:
            return _Layout(cell, {name: found.span(name) for name, text in found.groupdict().items() if text})
    return None


@functools.cache
def _patterns(form: str | None) -> tuple[bytes, ...]:
    """Of a `strptime` form of numbers that have something between them; nothing for others."""
    if form is None:
        return tuple(pattern.encode() for pattern in KNOWN)
    made, place = "", 0
    for found in re.finditer(r"%(.)", form):
        between, letter = form[place : found.start()], found[1]
        if letter not in DIRECTIVES or f"<{letter}>" in made or (place and not between):
            return ()
        made += re.escape(between) + f"(?P<{letter}>{DIRECTIVES[letter]})"
        place = found.end()
    made += re.escape(form[place:])
    blank = any(character.isspace() and character != " " for character in form)
    return () if blank or "<Y>" not in made else (made.encode(),)
