"""From one row to the next: so many microseconds, months or business days, and dates so many steps ahead.

A month is no number of days: steps of a calendar are told from the dates themselves. Months, quarters and years fall on
one day of the month (or its last), business days pass over Saturdays and Sundays. Clocks that jitter by a little still
tick one step.

Legend: N rows.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqjax.errors import UserError

MICROSECONDS, MONTHS, BUSINESS_DAYS = "microseconds", "months", "business days"
UNITS = {"day": 86_400_000_000, "h": 3_600_000_000, "min": 60_000_000, "s": 1_000_000, "ms": 1_000, "us": 1}
"""In microseconds."""
ROUND = (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1)
"""What the true step of a jittering clock is expected to be a multiple of, the coarsest first."""
JITTER = 0.1
"""Of a step: how far from it a clock may tick."""
SOME = 0.05
"""Of the steps of a series that leaves steps out: so many are single ones at least, or it has another step."""
MOSTLY = 0.9
"""Of the dates of a calendar's steps: so many are on their day."""
FEW = 3
"""Steps of a series that tell nothing by themselves."""


@dataclasses.dataclass(frozen=True)
class Step:
    """How far it is from one row to the next."""

    count: int
    """Of the unit."""
    unit: str = MICROSECONDS
    day: int = 0
    """Months: of the month, or the last where there is none; 31 is always the last."""
    shift: int = 0
    """Months and business days: hours after which a date counts as the next day. A midnight of Tokyo, in UTC, is in the
    afternoon before."""

    @property
    def seconds(self) -> float:
        """Of a fixed step; of one of the calendar the mean."""
        microseconds = {MICROSECONDS: 1, MONTHS: 30.436875 * UNITS["day"], BUSINESS_DAYS: 7 / 5 * UNITS["day"]}
        return self.count * microseconds[self.unit] / 1e6

    def __str__(self) -> str:
        """`60 min`, `5 ms`, `1 month`, `1 business day`."""
        if self.unit != MICROSECONDS:
            return f"{self.count} {self.unit[:-1] if self.count == 1 else self.unit}"
        minutes = self.count % UNITS["min"] == 0
        unit = "min" if minutes else next(u for u, size in UNITS.items() if size <= UNITS["s"] and self.count >= size)
        return f"{self.count / UNITS[unit]:g} {unit}"

    def ahead(self, times: np.ndarray, steps: int | np.ndarray) -> np.ndarray:
        """The dates [N] so many steps (or [N] of them) after `times` [N] datetime64[us]."""
        if self.unit == MICROSECONDS:
            return times + np.asarray(self.count * steps).astype("timedelta64[us]")
        days = _days(times, self.shift)
        clock = times - days
        if self.unit == BUSINESS_DAYS:
            return np.busday_offset(days, self.count * steps, roll="backward").astype("datetime64[us]") + clock
        months = days.astype("datetime64[M]") + self.count * steps
        first = months.astype("datetime64[D]")
        return (first + np.minimum(self.day, _length(months)) - 1).astype("datetime64[us]") + clock

    def between(self, times: np.ndarray) -> np.ndarray:
        """[N - 1] float64: steps from each of the dates [N] to the next."""
        if self.unit == MICROSECONDS:
            return np.diff(times) / np.timedelta64(self.count, "us")
        days = _days(times, self.shift)
        if self.unit == BUSINESS_DAYS:
            return np.busday_count(days[:-1], days[1:]) / self.count
        return (np.diff(days.astype("datetime64[M]")).astype(np.int64) + np.diff(self._off(days))) / self.count

    def _off(self, days: np.ndarray) -> np.ndarray:
        """Months, about: how far dates [N] are behind their day of the month."""
        months = days.astype("datetime64[M]")
        return (_of_month(days) - np.minimum(self.day, _length(months))) / 30

    def missing(self, times: np.ndarray) -> int:
        """How many rows lack between dates [N] of one series."""
        apart = self.between(times)
        return int(np.maximum(np.rint(apart) - 1, 0).sum())

    def uneven(self, times: np.ndarray) -> int:
        """How many of the steps between dates [N] of one series are no whole number of these."""
        apart = self.between(times)
        return int((np.abs(apart - np.rint(apart)) > JITTER).sum())

    def check(
        self,
        times: Sequence[np.ndarray],
        name: str,
        names: Sequence[str] = (),
        whose: str = "the model's",
        *,
        gaps: bool = False,
        slack: float = JITTER,
    ) -> None:
        """Whether rows are such a step apart.

        Args:
          times: [N] of each series.
          name: of the data, for messages.
          names: of the series, if there are several.
          whose: this step is.
          gaps: most steps may be left out, if some are there: of a product that is not sold every day.
          slack: by which share the median may be another one.

        Raises:
          UserError: most rows of a series are not, or are on another day of the month or on a weekend.
        """
        apart = [self.between(own) for own in times]
        every = np.concatenate([np.zeros(0), *apart])
        for k, own in enumerate(times):
            where = f"{name}: the series {names[k]!r}" if names else name
            if self.unit != MICROSECONDS:
                days = _days(own, self.shift)
                wrong = ~np.is_busday(days) if self.unit == BUSINESS_DAYS else np.abs(self._off(days)) > JITTER
                if wrong.mean() > 0.5 or (wrong.any() and self.unit == BUSINESS_DAYS):
                    on = "a Saturday or Sunday" if self.unit == BUSINESS_DAYS else "another day of the month"
                    raise UserError(f"{where}: {str(own[wrong][0])[:10]} is on {on}, but {whose} rows are not")
            few = gaps and len(apart[k]) < FEW and self._is_of(every, gaps, slack)
            if len(apart[k]) and not few and not self._is_of(apart[k], gaps, slack):
                raise UserError(f"{where}: rows are {find([own])} apart, but {whose} are {self} apart")

    def _is_of(self, apart: np.ndarray, gaps: bool, slack: float) -> bool:
        """Whether dates so many steps apart [N] are those of this one; gaps, slack: see `check`."""
        if not gaps:
            return bool(abs(np.median(apart) - 1) <= slack)
        one, whole = np.abs(apart - 1) <= JITTER, np.abs(apart - np.rint(apart)) <= JITTER
        return bool(one.mean() >= SOME and whole.mean() > 0.5)

    def facts(self) -> float | list[int | str]:
        """For JSON, as `of_facts` reads it: seconds, or a list."""
        return self.seconds if self.unit == MICROSECONDS else [self.count, self.unit, self.day, self.shift]


def of_facts(facts: float | list) -> Step:
    """The reverse of `Step.facts`."""
    return Step(*facts) if isinstance(facts, list) else Step(round(facts * 1e6))


def _days(times: np.ndarray, shift: int) -> np.ndarray:
    return (times + np.timedelta64(shift, "h")).astype("datetime64[D]")


def _length(months: np.ndarray) -> np.ndarray:
    """In days."""
    return ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)


def _of_month(days: np.ndarray) -> np.ndarray:
    """From 1."""
    return (days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1


def find(times: Sequence[np.ndarray]) -> Step | None:
    """The step from one row to the next, told from the dates.

    Args:
      times: [N] datetime64[us] of each series, ascending.

    Returns:
      the step; None where no series has two rows.
    """
    apart = np.concatenate([np.diff(own) for own in times]).astype(np.int64)
    if not len(apart):
        return None
    longer = [own for own in times if len(own) > 1]
    for shift in (0, 12):
        days = [_days(own, shift) for own in longer]
        clocks = np.concatenate(longer) - np.concatenate(days)
        if clocks.max() - clocks.min() <= np.timedelta64(1, "h"):  # which summer time may move
            found = _months(days, shift) or _business_days(days, shift)
            if found is not None:
                return found
    return _fixed(apart)


def _months(days: Sequence[np.ndarray], shift: int) -> Step | None:
    """A step of months, if dates are on one day of their months, or on the last where there is none.

    Of a year and more a tenth may be elsewhere: a wrong one does not make steps of 31 days of them.
    """
    every = np.concatenate(days)
    of_month, length = _of_month(every), _length(every.astype("datetime64[M]"))
    day = 31 if (of_month == length).all() else int(of_month.max())
    apart = np.concatenate([np.diff(own.astype("datetime64[M]")) for own in days]).astype(np.int64)
    count = int(np.median(apart))
    if count < 1 or not (apart >= 1).all():
        return None
    share = MOSTLY if len(every) >= 12 else 1.0
    for own, least in ((day, 1.0), (31, share), (int(np.bincount(of_month).argmax()), share)):
        if (of_month == np.minimum(own, length)).mean() >= least:
            return Step(count, MONTHS, own, shift)
    return None


def _business_days(days: Sequence[np.ndarray], shift: int) -> Step | None:
    """Steps of a day that pass over weekends, if there is one to pass over."""
    if not np.is_busday(np.concatenate(days)).all():
        return None
    apart = np.concatenate([np.busday_count(own[:-1], own[1:]) for own in days])
    calendar = np.concatenate([np.diff(own) for own in days]).astype(np.int64)
    over_weekends = (apart == 1) & (calendar == 3)
    return Step(1, BUSINESS_DAYS, shift=shift) if np.median(apart) == 1 and over_weekends.any() else None


def _fixed(apart: np.ndarray) -> Step:
    """The median, rounded where the clock jitters."""
    median = float(np.percentile(apart, 50, method="lower"))  # one that is there
    if (apart == median).mean() > 0.5:
        return Step(int(median))
    near = apart[np.abs(apart - median) <= JITTER * median]
    tolerance = max(0.01 * median, 3 * float(np.std(near)) / max(len(near), 1) ** 0.5)
    rounded = (unit * round(median / unit) for unit in ROUND)
    return Step(next(int(step) for step in rounded if step > 0 and abs(step - median) <= max(tolerance, 0.5)))


def finest(step: Step, times: Sequence[np.ndarray]) -> Step:
    """The step of which those of series that leave out most rows are whole numbers; else the `step` found for them.

    Args:
      step: as `find` has it, by the median.
      times: [N] datetime64[us] of each series, ascending.
    """
    if step.unit != MICROSECONDS:
        return step
    apart = np.concatenate([np.diff(own) for own in times]).astype(np.int64)
    sizes, counts = np.unique(apart[apart > 0], return_counts=True)
    for size in sizes[(counts >= SOME * len(apart)) & (sizes < step.count)]:
        shares = apart / size
        if (np.abs(shares - np.rint(shares)) <= JITTER).mean() >= 1 - SOME:
            return Step(int(size))
    return step


def season_lengths(step: Step) -> list[int]:
    """In steps, those that series of such a step are expected to have: a day and a week, a week, or a year."""
    if step.unit == MONTHS:
        return [12 // step.count] if step.count < 12 and 12 % step.count == 0 else []
    if step.unit == BUSINESS_DAYS:
        return [5]
    periods = [UNITS["day"], 7 * UNITS["day"]]
    if step.count == 7 * UNITS["day"]:
        return [52]
    return [period // step.count for period in periods if period % step.count == 0 and period > step.count]


def texts(times: np.ndarray, zone: str = "") -> list[str]:
    """Dates as people write them, with the digits of a second that any of them needs: `2009-12-31 23:10:00`.

    zone: what is written behind each.
    """
    unit: Any = next(unit for unit in ("s", "ms", "us") if (times == times.astype(f"datetime64[{unit}]")).all())
    return [text.replace("T", " ") + zone for text in np.datetime_as_string(times, unit=unit)]
