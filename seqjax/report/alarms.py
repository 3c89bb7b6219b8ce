"""Every alarm that a row's results hold: what there was around it, what was expected, and the score."""

from typing import Any

import numpy as np

from seqjax.report.plots import Figure, drawn
from seqjax.report.runs import Group

SCORE = "alarms"
COLUMNS = 3


def picture(row: Group, part: str = "test") -> Figure | None:
    """Of the first seed, the highest score first; None where there is none."""
    details = row.first.get("details", {}).get(part, {})
    found = list((details.get(SCORE) or {}).values())
    if not found:
        return None
    height = -(-len(found) // COLUMNS)

    def draw(canvas: Any) -> None:
        grid = np.atleast_1d(canvas.subplots(height, COLUMNS)).ravel()
        for axes in grid[len(found) :]:
            axes.set_visible(False)
        for axes, alarm in zip(grid, found, strict=False):
            _draw(axes, alarm)
        grid[0].legend(fontsize=6)

    table = details.get("by_series") or {}
    windows, hit, false = (sum(own[k] for own in table.values()) for k in range(3))
    counts = f"Of {windows} windows of anomalies {hit} have an alarm, and {false} alarms are outside. "
    caption = (
        f"{part.capitalize()} part, first seed: the {len(found)} alarms of the highest scores, with the rows around "
        "each, in the column that differs most from what was expected; shaded: labelled as an anomaly. "
        f"{counts if windows else ''}No score is point-adjusted (an anomaly counted as found as a whole once one of "
        "its rows is): that makes random scores look good."
    )
    return Figure(f"Alarms: {row.label}", caption, drawn(0.4 + 2.0 * height, draw))


def _draw(axes: Any, alarm: dict[str, Any]) -> None:
    values, expected, labelled = (np.array(alarm[key].split(), float) for key in ("values", "expected", "labelled"))
    rows = np.arange(len(values)) - alarm["row"]
    axes.plot(rows, values, color="C0", linewidth=1, label="was")
    axes.plot(rows, expected, color="C1", linewidth=1, label="expected")
    marked = np.isin(np.arange(len(rows)), labelled)
    behind = {"transform": axes.get_xaxis_transform(), "color": "C3", "alpha": 0.12, "linewidth": 0}
    axes.fill_between(rows, 0, 1, where=marked, **behind)
    axes.axvline(0, color="C3", linewidth=0.8, linestyle=":")
    name = alarm["series"].rpartition("/")[2].removesuffix(".csv")
    axes.set_title(f"{name}\n{alarm['date']}, score {alarm['score']:.1f}", fontsize=6)
    axes.tick_params(labelsize=6)
