"""How forecasts get worse: errors and coverage by step of the horizon, from what a row's results hold."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.report.plots import NAIVE, Figure, drawn
from seqjax.report.runs import Group
from seqjax.training.forecast_details import NAME

STYLES = {
    "forecast": {"color": "C0"},
    "naive": {"color": NAIVE, "linestyle": ":"},
    "seasonal_naive": {"color": NAIVE, "linestyle": "--"},
}


def of_seeds(row: Group, name: str, part: str = "test") -> Sequence[Mapping[str, Any]]:
    """One of the breakdowns, of every seed; empty where a run has none."""
    each = [((run.results or {}).get("details", {}).get(part, {}).get(NAME) or {}) for run in row.runs]
    return [own[name] for own in each] if all(name in own for own in each) else []


def plot(axes: Any, x: Sequence[float], each: Sequence[Mapping[str, Any]], name: str, label: str) -> None:
    """Mean over seeds, and a band from the lowest to the highest."""
    values = np.array([own[name] for own in each], float)
    style = STYLES.get(name, {"color": "C0"})
    marker = {"marker": "o", "markersize": 3} if len(x) <= 24 else {}
    axes.plot(x, values.mean(axis=0), label=label, **style, **marker)
    if len(values) > 1:
        axes.fill_between(x, values.min(axis=0), values.max(axis=0), color=style["color"], alpha=0.2, linewidth=0)


def unit(row: Group, part: str = "test") -> str:
    """The name of the errors."""
    each = (row.first.get("details", {}).get(part, {}).get(NAME) or {}).get("scaled")
    return "mean absolute scaled error" if each else "mean absolute error"


def seeds(row: Group) -> str:
    """For a caption."""
    return f", mean and range of {len(row.runs)} seeds" if len(row.runs) > 1 else ""


def picture(row: Group, part: str = "test") -> Figure | None:
    """Errors beside the naive ones, and coverage beside what it should be; None where there are no such details."""
    each = of_seeds(row, "by_step", part)
    if not each:
        return None
    step, share = row.first["details"][part][NAME]["step"], each[0]["share"]
    covers = "covered" in each[0]

    def draw(canvas: Any) -> None:
        panels = np.atleast_1d(canvas.subplots(1, 1 + covers))
        for name in STYLES:
            plot(panels[0], step, each, name, name.replace("_", " "))
        panels[0].set(xlabel="step of the horizon", ylabel=unit(row, part), ylim=(0, None))
        panels[0].legend()
        if covers:
            plot(panels[1], step, each, "covered", f"covered by the {share:.0%} interval")
            panels[1].axhline(share, color="grey", linestyle="--", linewidth=1)
            panels[1].set(xlabel="step of the horizon", ylabel="share of what came")
            panels[1].legend()

    caption = f"{part.capitalize()} part{seeds(row)}.{_coverage(row, part)}"
    return Figure(f"By step of the horizon: {row.label}", caption, drawn(3.6, draw))


def _coverage(row: Group, part: str) -> str:
    """What every interval covers, over all steps, the mean of the seeds."""
    each = [(run.results or {}).get("details", {}).get(part, {}).get("coverage") or {} for run in row.runs]
    common = [name for name in each[0] if all(own.get(name, {}).get("share") is not None for own in each)]
    said = [f"{name} % covers {np.mean([own[name]['share'] for own in each]):.1%}" for name in common]
    return f" Intervals: {', '.join(said)}." if said else ""
