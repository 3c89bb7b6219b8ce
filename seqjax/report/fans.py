"""Fan charts: some forecasts of the test part with their intervals, from what a row's results hold.

Legend: P points in time, Q levels.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from seqjax.report.plots import Figure, drawn
from seqjax.report.runs import Group
from seqjax.training.forecast_details import NAME


def found(row: Group, part: str = "test") -> Mapping[str, Any]:
    """The details of the first seed; empty where it has none."""
    return row.first.get("details", {}).get(part, {}).get(NAME) or {}


def picture(row: Group, part: str = "test") -> Figure | None:
    """A panel for each forecast that is kept; None where there are none."""
    details = found(row, part)
    windows = details.get("windows")
    if not windows:
        return None

    def draw(canvas: Any) -> None:
        for axes, window in zip(np.atleast_1d(canvas.subplots(len(windows), 1)), windows, strict=True):
            _draw(axes, window, details)
        axes.set_xlabel("steps after the origin")
        canvas.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)

    caption = f"{part.capitalize()} part, first seed: {len(windows)} forecasts, evenly among all."
    caption += " Steps after the origin; what came is black."
    return Figure(f"Forecasts: {row.label}", caption, drawn(2.3 * len(windows) + 0.6, draw))


def _draw(axes: Any, window: Mapping[str, Any], details: Mapping[str, Any]) -> None:
    step, levels = details["step"], details["levels"]
    before = np.array(window["before"], float)
    quantiles = np.array(window["quantiles"], float)  # [Q, P]; None, which was not finite, becomes NaN
    middle = len(levels) // 2
    axes.plot(np.arange(1 - len(before), 1) * details["stride"], before, color="k", linewidth=1.2)
    axes.plot(step, np.array(window["actual"], float), color="k", linewidth=1.2, label="what came")
    for k in range(middle):
        share = levels[-1 - k] - levels[k]
        label = f"{share:.0%} interval"
        shade = 0.15 + 0.25 * k / middle  # as the legend shows them: the innermost is the darkest
        axes.fill_between(step, quantiles[k], quantiles[-1 - k], color="C0", alpha=shade, linewidth=0, label=label)
    axes.plot(step, quantiles[middle], color="C0", linewidth=1.4, label="median")
    axes.axvline(0, color="grey", linewidth=0.8, linestyle=":")
    said = [window["name"], f"from {window['origin']}" if window["origin"] else ""]
    axes.set_title(" ".join(filter(None, said)), fontsize=9, loc="left")
