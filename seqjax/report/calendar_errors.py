"""When forecasts err: by hour of the day and by season of the year that is forecast, from what a row's results hold."""

from typing import Any

import numpy as np

from seqjax.report.horizons import STYLES, of_seeds, plot, seeds, unit
from seqjax.report.plots import Figure, drawn
from seqjax.report.runs import Group
from seqjax.scoring.breakdowns import QUARTERS


def picture(row: Group, part: str = "test") -> Figure | None:
    """Errors beside the naive ones; None where all is of one hour and season, or there are no such details."""
    each = {name: found for name in ("by_hour", "by_season") if (found := of_seeds(row, name, part))}
    if not each:
        return None

    def draw(canvas: Any) -> None:
        panels = dict(zip(each, np.atleast_1d(canvas.subplots(1, len(each))), strict=True))
        for kind, axes in panels.items():
            x = range(24) if kind == "by_hour" else range(len(QUARTERS))
            for name in STYLES:
                plot(axes, x, each[kind], name, name.replace("_", " "))
            axes.set(ylabel=unit(row, part), ylim=(0, None))
        if "by_hour" in panels:
            panels["by_hour"].set(xlabel="hour of the day that is forecast", xticks=range(0, 24, 3))
        if "by_season" in panels:
            labels = [quarter.replace(" to ", "\nto ") for quarter in QUARTERS]
            panels["by_season"].set(xticks=range(len(QUARTERS)), xticklabels=labels)
        axes.legend()

    caption = f"{part.capitalize()} part, all steps of the horizon{seeds(row)}."
    return Figure(f"By hour and season: {row.label}", caption, drawn(3.6, draw))
