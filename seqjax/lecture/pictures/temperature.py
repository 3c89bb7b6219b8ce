"""The temperature example drawn: all years, ten days, windows over rows, and the naive forecast."""

from typing import Any

import numpy as np

from seqjax.data.series.weather import Weather
from seqjax.data.series.windows import Span
from seqjax.lecture.drawing import drawn
from seqjax.lecture.section import Picture

DAY = np.timedelta64(1, "D")


def overview(table: Weather, column: int, said: str) -> Picture:
    """All years, and the first ten days."""
    name, values = table.columns[column], table.values[:, column]
    days, starts = np.unique(table.times.astype("datetime64[D]"), return_index=True)
    first = table.times < table.times[0] + 10 * DAY

    def draw(canvas: Any) -> None:
        whole, part = canvas.subplots(2, 1)
        low, high = np.minimum.reduceat(values, np.sort(starts)), np.maximum.reduceat(values, np.sort(starts))
        whole.fill_between(days.astype("datetime64[s]").astype(object), low, high, linewidth=0.4, color="C0")
        whole.set(ylabel=name, title="lowest to highest of each day")
        part.plot(table.times[first].astype("datetime64[s]").astype(object), values[first], color="C1")
        part.set(ylabel=name, title="the first ten days")

    caption = (
        f"{said}. The year is the large swing; within ten days ({int(first.sum()):,} rows) days can be seen, and "
        f"weather "
        "that is as large as they are."
    )
    return Picture("The temperature: all years, and ten days", caption, drawn(4.6, draw))


def windows(span: Span) -> Picture:
    """Three windows and their targets, over rows."""

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for k in range(3):
            axes.plot([k + 1, k + 1 + span.reach], [k, k], color="C0", linewidth=9, solid_capstyle="butt")
            axes.plot([k + 1 + span.delay], [k], "s", color="C1", markersize=9)
        axes.set(xlabel="row (one an hour)", yticks=range(3), yticklabels=[f"window {k + 1}" for k in range(3)])
        axes.set_ylim(2.6, -0.6)
        axes.annotate("a day", (span.reach + (span.delay - span.reach) / 2 + 1, -0.3), ha="center", fontsize=9)

    caption = (
        "Blue is what a model sees, orange what it is asked: a day lies between. The next window begins a row later."
    )
    return Picture("Windows over the rows", caption, drawn(2.2, draw))


def naive(table: Weather, column: int, ahead: int, said: str) -> Picture:
    """Ten days, and their naive forecast."""
    rows = slice(4000, 4240)
    values = table.values[:, column]

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        hours = np.arange(rows.stop - rows.start) / 24
        axes.plot(hours, values[rows], color="C0", label="what came")
        before = values[rows.start - ahead : rows.stop - ahead]
        axes.plot(hours, before, color="C1", linestyle="--", label="naive: the day before")
        axes.set(xlabel="days", ylabel=table.columns[column])
        canvas.legend(loc="outside lower center", ncols=2)

    caption = f"{said}. The forecast is the curve itself, a day late: good in settled weather, wrong when it turns."
    return Picture("The naive forecast", caption, drawn(3, draw))
