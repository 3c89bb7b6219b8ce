"""The report's figures, each as an SVG text. Matplotlib is imported when the first one is drawn.

Legend: N points in time, S seeds.
"""

import dataclasses
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from seqjax import analogies
from seqjax.data.series.weather import Weather
from seqjax.data.text.vectors import Vectors
from seqjax.report.forecasts import Forecasts
from seqjax.report.runs import Group

PARTS = ("train", "validation")
SEASONS = ("winter", "spring", "summer", "autumn")
"""Northern: December to February, ..."""
DAY = np.timedelta64(1, "D")
STRETCH = 5 * DAY
NAIVE = "0.35"
"""A grey: rows without parameters are drawn in it."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """A picture with the sentence below it."""

    title: str
    caption: str
    svg: str


def drawn(height: float, draw: Callable[[Any], object]) -> str:
    """The SVG of a figure `height` inches high, in the house's style. draw: paints on a Matplotlib figure."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Canvas

    style: Any = {"font.size": 10, "axes.grid": True, "grid.alpha": 0.3, "axes.spines.top": False}
    style |= {"axes.spines.right": False, "legend.frameon": False, "svg.hashsalt": "seqjax", "figure.dpi": 110}
    style |= {"date.converter": "concise"}
    with rc_context(style):
        canvas = Canvas(figsize=(10, height), layout="constrained")
        draw(canvas)
        text = io.StringIO()
        canvas.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def curves(row: Group) -> Figure | None:
    """Learning curves of a row: mean over seeds, and a band from the lowest to the highest; None without epochs."""
    epochs = min((len(run.rows) for run in row.runs), default=0)
    if not epochs:
        return None
    x = np.arange(1, epochs + 1)
    metric = next(name for name in row.runs[0].rows[0]["train"] if name != "loss")  # a score is not one of an epoch

    def draw(canvas: Any) -> None:
        for axes, name in zip(canvas.subplots(1, 2), ("loss", metric), strict=True):
            for part, colour in (("train", "C0"), ("validation", "C1")):
                values = np.array([[entry[part][name] for entry in run.rows[:epochs]] for run in row.runs])  # [S, N]
                axes.plot(x, values.mean(axis=0), "o-", color=colour, markersize=2, label=part)
                axes.fill_between(x, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.2, linewidth=0)
            for k, run in enumerate(row.runs):
                best = (run.results or {}).get("best_epoch", 0)
                if 0 < best <= epochs:
                    value = run.rows[best - 1]["validation"][name]
                    axes.plot([best], [value], "k*", markersize=8, label="" if k else "best epoch")
            axes.set(xlabel="epoch", ylabel=name)
            # The first epochs of a long run would flatten all the others.
            shown = [
                entry[part][name] for run in row.runs for entry in run.rows[epochs // 10 : epochs] for part in PARTS
            ]
            margin = 0.05 * (max(shown) - min(shown)) or 0.05
            axes.set_ylim(min(shown) - margin, max(shown) + margin)
            axes.legend()

    seeds = f"mean and range of {len(row.runs)} seeds" if len(row.runs) > 1 else "one seed"
    return Figure(f"Learning curves: {row.label}", f"Train and validation, {seeds}.", drawn(3.4, draw))


def relations(name: str, known: Vectors) -> Figure:
    """The lecture's three relations among word vectors. Raises UserError: the words of one are not there."""
    caption = "Words in the plane in which they differ most; a line joins a word and its counterpart."
    return Figure(f"Relations: {name}", caption, drawn(3.6, lambda canvas: analogies.relations(known, canvas)))


def overview(table: Weather, column: int) -> list[Figure]:
    """The lecture's two pictures of the data: all years, and the first ten days."""
    name, values = table.columns[column], table.values[:, column]
    days, starts = np.unique(table.times.astype("datetime64[D]"), return_index=True)
    order = np.argsort(starts)
    starts, days = starts[order], days[order]
    first = table.times < table.times[0] + 10 * DAY

    def draw_all(canvas: Any) -> None:
        axes = canvas.subplots()
        low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
        axes.fill_between(days.astype("datetime64[s]").astype(object), low, high, linewidth=0.6, color="C0")
        axes.set(ylabel=name)

    def draw_first(canvas: Any) -> None:
        axes = canvas.subplots()
        axes.plot(table.times[first].astype("datetime64[s]").astype(object), values[first])
        axes.set(ylabel=name)

    period = f"{str(days[0])[:4]}-{str(days[-1])[:4]}"
    return [
        Figure(f"Temperature between {period}", "Lowest to highest of each day.", drawn(3, draw_all)),
        Figure("Temperature in the first 10 days", f"{int(first.sum()):,} measurements.", drawn(3, draw_first)),
    ]


def stretches(found: Sequence[Forecasts], count: int = 3) -> Figure:
    """Forecasts against truth in `count` five-day stretches, evenly placed in the test part."""
    times = found[0].times
    starts = [times[0] + (times[-1] - times[0]) * (2 * k + 1) / (2 * count) for k in range(count)]

    def draw(canvas: Any) -> None:
        for axes, start in zip(np.atleast_1d(canvas.subplots(count, 1)), starts, strict=True):
            within = lambda row, start=start: (row.times >= start) & (row.times < start + STRETCH)
            here = within(found[0])
            axes.plot(found[0].times[here].astype("datetime64[s]").astype(object), found[0].truth[here], "k", lw=2.2)
            for row in found:
                here = within(row)
                style = {"color": NAIVE, "linestyle": ":"} if "naive" in row.label else {}
                axes.plot(row.times[here].astype("datetime64[s]").astype(object), row.forecast[here], lw=1.2, **style)
            axes.set(ylabel="T (degC)")
        canvas.legend(["truth", *(row.label for row in found)], loc="outside lower center", ncols=4)

    return Figure(
        "Forecasts against truth",
        "Three times five days of the test part, forecast 24 hours before. First seed of each row.",
        drawn(2.3 * count + 0.6, draw),
    )


def errors(found: Sequence[Forecasts]) -> Figure:
    """Mean absolute error by the hour of day and the season of the target."""

    def draw(canvas: Any) -> None:
        by_hour, by_season = canvas.subplots(1, 2)
        width = 0.8 / len(found)
        for k, row in enumerate(found):
            hours = (row.times - row.times.astype("datetime64[D]")) // np.timedelta64(1, "h")
            seasons = row.times.astype("datetime64[M]").astype(int) % 12  # months from January
            seasons = (seasons + 1) % 12 // 3
            style = {"color": NAIVE} if "naive" in row.label else {}
            known = np.unique(hours)
            means = [row.error[hours == hour].mean() for hour in known]
            by_hour.plot(known, means, "o-", markersize=3, label=row.label, **style)
            present = [season for season in range(4) if (seasons == season).any()]
            means = [row.error[seasons == season].mean() for season in present]
            by_season.bar(np.array(present) + (k - (len(found) - 1) / 2) * width, means, width, **style)
        by_hour.set(
            xlabel="hour of the day that is forecast", ylabel="mean absolute error (degC)", xticks=range(0, 24, 3)
        )
        by_season.set(xticks=range(4), xticklabels=SEASONS)
        by_season.grid(axis="x", visible=False)
        canvas.legend(loc="outside lower center", ncols=4)

    return Figure("Error by hour of day and by season", "Test part, first seed of each row.", drawn(4, draw))


def comparison(rows: Sequence[dict[str, Any]], metric: str, part: str) -> Figure:
    """Every seed's score and the mean's 95 % interval, beside the lecture's and Keras's."""

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for k, row in enumerate(rows):
            _scores(axes, k, row["ours"][part], "C0", "ours")
            if row["keras"]:
                _scores(axes, k + 0.22, row["keras"][part], "C1", "Keras here")
            lecture = row["lecture"].get(part, {}).get(metric)
            if lecture is not None:
                axes.plot([lecture], [k], "kx", markersize=8, label="lecture")
        axes.set(yticks=range(len(rows)), yticklabels=[row["label"] for row in rows], xlabel=f"{part} {metric}")
        axes.set_ylim(len(rows) - 0.4, -0.6)
        handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        canvas.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)

    caption = "Ticks are seeds, bars the 95 % intervals of their means."
    return Figure(f"{part.capitalize()} {metric}", caption, drawn(1.3 + 0.45 * len(rows), draw))


def _scores(axes: Any, height: float, found: dict[str, Any], colour: str, label: str) -> None:
    axes.plot(found["values"], [height] * len(found["values"]), "|", color=colour, alpha=0.6, markersize=9)
    axes.errorbar(
        [found["mean"]], [height], xerr=found["half"], fmt="D", color=colour, markersize=4, capsize=3, label=label
    )
