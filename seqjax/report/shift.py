"""Whether a forecast is the last value, shifted: what a price chart shows, and the test that tells.

Left the chart, on which any forecast near the last value looks right; right the correlations of `seqjax.scoring.shift`.
Of rows whose results hold both, and of `python -m seqjax.verdict`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from seqjax.report.plots import Figure, drawn
from seqjax.report.runs import Group
from seqjax.runs import statistics

BARS = {
    "of_last": "forecast and last value",
    "of_next": "forecast and next value",
    "of_changes": "change forecast and true change",
}
LINES = {"came": ("k", "-"), "forecast": ("C1", "-")}
CHART = ("last", "forecast", "came")


def picture(row: Group, part: str = "test") -> Figure | None:
    """Of a row: the first seed's chart, the seeds' correlations; None where there are none."""
    chart = row.first.get("details", {}).get(part, {}).get("chart")
    scores = [(run.results or {}).get(part, {}) for run in row.runs]
    if chart is None or not all(set(BARS) <= set(own) for own in scores):
        return None
    lines = _whole(chart)
    if lines is None:
        logging.warning("%s: its chart is damaged: no picture", row.runs[0].path)
        return None
    means = {name: statistics.mean([own[name] for own in scores]) for name in BARS}
    skills = statistics.mean([own["skill"] for own in scores]) if all("skill" in own for own in scores) else None
    said = "" if skills is None else f" Skill over the last value {_plus_minus(skills)}."
    best = row.first.get("optimum", {}).get("skill")
    said += "" if best is None or skills is None else f" Best possible, first seed: {best:.4f}."
    bars = {name: (found.mean, found.half or 0.0) for name, found in means.items()}
    caption = f"{part.capitalize()} part, chart of the first seed; bars: {len(row.runs)} seeds, 95 % intervals.{said}"
    return Figure(f"The last value, shifted? {row.label}", caption, svg(lines, bars))


def svg(lines: Mapping[str, Sequence[float]], bars: Mapping[str, tuple[float, float]], unit: str = "") -> str:
    """The picture.

    Args:
      lines: `last` known, `forecast` and `came`, of as many rows each.
      bars: each of `BARS`: a correlation and half its interval.
      unit: of the values; by default deviations.
    """

    def draw(canvas: Any) -> None:
        left, right = canvas.subplots(1, 2, width_ratios=(2, 1))
        for name, (colour, style) in LINES.items():
            left.plot(lines[name], style, color=colour, linewidth=1, label=name)
        left.set(xlabel="row", ylabel=unit or "standard deviations")
        left.legend()
        places = np.arange(len(BARS))[::-1]
        for place, name in zip(places, BARS, strict=True):
            mean, half = bars[name]
            right.barh(place, mean, xerr=half or None, color="C0" if name == "of_changes" else "0.7", capsize=3)
            right.text(
                0.02, place + 0.42, f"{BARS[name]}: {mean:.4f}", fontsize=8, transform=right.get_yaxis_transform()
            )
        right.axvline(0, color="k", linewidth=0.8)
        right.set(yticks=[], ylim=(-0.6, len(BARS) - 0.3), xlabel="correlation")

    return drawn(3.4, draw)


def _whole(chart: Any) -> dict[str, list[float]] | None:
    """The lines, if they are numbers, as many in each."""
    try:
        lines = {name: [float(value) for value in chart[name]] for name in CHART}
    except (KeyError, TypeError, ValueError):
        return None
    lengths = {len(values) for values in lines.values()}
    return lines if len(lengths) == 1 and min(lengths) > 1 else None


def _plus_minus(found: statistics.Mean) -> str:
    return f"{found.mean:.4f}" + ("" if found.half is None else f" +- {found.half:.4f}")
