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


@dataclasses.dataclass(frozen=True)
class Step:
    """How far it is from one row to the next."""

    count: int
    """Of the unit."""
    unit: str = MICROSECONDS
    at_end: bool = False
    """Months: on the last day of each."""

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

    def ahead(self, times: np.ndarray, steps: int) -> np.ndarray:
        """The dates [N] so many steps after `times` [N] datetime64[us]."""
        if self.unit == MICROSECONDS:
            return times + np.timedelta64(self.count * steps, "us")
        days = times.astype("datetime64[D]")
        clock = times - days
        if self.unit == BUSINESS_DAYS:
            return np.busday_offset(days, self.count * steps, roll="backward").astype("datetime64[us]") + clock
        months = days.astype("datetime64[M]") + self.count * steps
        last = (months + 1).astype("datetime64[D]") - 1
        same = months.astype("datetime64[D]") + (days - days.astype("datetime64[M]"))
        return (last if self.at_end else np.minimum(same, last)).astype("datetime64[us]") + clock

    def between(self, times: np.ndarray) -> np.ndarray:
        """[N - 1] float64: steps from each of the dates [N] to the next."""
        if self.unit == MICROSECONDS:
            return np.diff(times) / np.timedelta64(self.count, "us")
        days = times.astype("datetime64[D]")
        if self.unit == BUSINESS_DAYS:
            return np.busday_count(days[:-1], days[1:]) / self.count
        months = days.astype("datetime64[M]")
        length = (months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")
        within = (days - months.astype("datetime64[D]")) / length  # of the month, 0 to 1
        if self.at_end or (days + 1 == (months + 1).astype("datetime64[D]")).all():
            within = 0 * within
        return (np.diff(months).astype(np.int64) + np.diff(within)) / self.count

    def missing(self, times: np.ndarray) -> int:
        """How many rows lack between dates [N] of one series."""
        apart = self.between(times)
        return int(np.maximum(np.rint(apart) - 1, 0).sum())

    def check(self, times: Sequence[np.ndarray], name: str) -> None:
        """Args: times: [N] of each series.

        Raises:
          UserError: most of their rows are not one step apart, or there is a weekend among business days.
        """
        weekends = ~np.is_busday(np.concatenate(times).astype("datetime64[D]"))
        if self.unit == BUSINESS_DAYS and weekends.any():
            day = str(np.concatenate(times)[weekends][0])[:10]
            raise UserError(f"{name}: {day} is on a Saturday or Sunday, but the model's rows are business days")
        apart = np.concatenate([self.between(own) for own in times])
        if len(apart) and abs(np.median(apart) - 1) > JITTER:
            raise UserError(f"{name}: rows are {find(times)} apart, but the model's are {self} apart")

    def facts(self) -> float | list[int | str | bool]:
        """For JSON, as `of_facts` reads it: seconds, or a list."""
        return self.seconds if self.unit == MICROSECONDS else [self.count, self.unit, self.at_end]


def of_facts(facts: float | list) -> Step:
    """The reverse of `Step.facts`."""
    return Step(*facts) if isinstance(facts, list) else Step(round(facts * 1e6))


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
    every = np.concatenate([own for own in times if len(own) > 1])
    return _months(every, times) or _business_days(every, times) or _fixed(apart)


def _months(every: np.ndarray, times: Sequence[np.ndarray]) -> Step | None:
    """A step of months, if the dates are at one time of one day of their months."""
    days = every.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    if len(np.unique(every - days)) > 1:
        return None
    at_end = bool((days + 1 == (months + 1).astype("datetime64[D]")).all())
    of_month = np.unique((days - months.astype("datetime64[D]")).astype(np.int64))
    if not at_end and (len(of_month) > 4 or (of_month[0] != of_month[-1] and of_month[-1] < 28)):
        return None  # the 31st is the 28th, 29th or 30th where a month is shorter
    if not at_end and len(of_month) > 1 and not _cut_short(days, months, of_month[-1]):
        return None
    apart = np.concatenate([np.diff(own.astype("datetime64[M]")) for own in times]).astype(np.int64)
    count = int(np.median(apart))
    return Step(count, MONTHS, at_end) if count >= 1 and (apart >= 1).all() else None


def _cut_short(days: np.ndarray, months: np.ndarray, most: int) -> bool:
    """Whether every date is on the day `most` (from 0) of its month, or on the last where there is none."""
    last = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64) - 1
    return bool(((days - months.astype("datetime64[D]")).astype(np.int64) == np.minimum(most, last)).all())


def _business_days(every: np.ndarray, times: Sequence[np.ndarray]) -> Step | None:
    """Steps of a day that pass over weekends, if there is one to pass over."""
    days = every.astype("datetime64[D]")
    if len(np.unique(every - days)) > 1 or not np.is_busday(days).all():
        return None
    step = Step(1, BUSINESS_DAYS)
    apart = np.concatenate([step.between(own) for own in times])
    calendar = np.concatenate([np.diff(own.astype("datetime64[D]")) for own in times]).astype(np.int64)
    over_weekends = (apart == 1) & (calendar == 3)
    return step if np.median(apart) == 1 and over_weekends.any() else None


def _fixed(apart: np.ndarray) -> Step:
    """The median, rounded where the clock jitters."""
    median = float(np.median(apart))
    if (apart == median).mean() > 0.5:
        return Step(int(median))
    near = apart[np.abs(apart - median) <= JITTER * median]
    tolerance = max(0.01 * median, 3 * float(np.std(near)) / max(len(near), 1) ** 0.5)
    rounded = (unit * round(median / unit) for unit in ROUND)
    return Step(next(int(step) for step in rounded if step > 0 and abs(step - median) <= max(tolerance, 0.5)))


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


def texts(times: np.ndarray) -> list[str]:
    """Dates as people write them, with the digits of a second that any of them needs: `2009-12-31 23:10:00`."""
    unit: Any = next(unit for unit in ("s", "ms", "us") if (times == times.astype(f"datetime64[{unit}]")).all())
    return [text.replace("T", " ") for text in np.datetime_as_string(times, unit=unit)]
