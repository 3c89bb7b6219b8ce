"""The critical-difference diagram: methods at their mean ranks, a bar over those that are not found to differ.

Legend: K methods.
"""

from typing import Any

import numpy as np

from seqjax.report.plots import Figure, drawn
from seqjax.report.ranks import Ranking

STEP = 0.36
"""Height of a method's line."""
GAP = 0.22
"""Height of a bar."""


def picture(ranking: Ranking) -> Figure:
    """The diagram; the better half of the methods stands on the left, rank 1 too."""
    count = len(ranking.methods)
    left = (count + 1) // 2
    bars = GAP * (len(ranking.cliques) + 1)
    depth = bars + STEP * left

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        margin = 0.45 * max(count - 1, 1)
        axes.set(xlim=(1 - margin, count + margin), ylim=(-depth - 0.3, 0.75))
        axes.set_axis_off()
        axes.plot([1, count], [0, 0], color="black", lw=1.2)
        for tick in range(1, count + 1):
            axes.plot([tick, tick], [0, 0.12], color="black", lw=1.2)
            axes.text(tick, 0.18, str(tick), ha="center", va="bottom", fontsize=9)
        for k, (name, place) in enumerate(zip(ranking.methods, ranking.ranks, strict=True)):
            better = k < left
            height = -bars - STEP * ((k if better else count - 1 - k) + 0.5)
            edge = 1 - 0.05 * margin if better else count + 0.05 * margin
            axes.plot([place, place, edge], [0, height, height], color="0.25", lw=1)
            said = f"{name}  {place:.2f}" if better else f"{place:.2f}  {name}"
            axes.text(edge, height, f" {said} ", ha="right" if better else "left", va="center", fontsize=9)
        for k, (first, last) in enumerate(ranking.cliques):
            ends = np.array([ranking.ranks[first], ranking.ranks[last]]) + np.array([-0.03, 0.03])
            axes.plot(ends, [-GAP * (k + 1)] * 2, color="C3", lw=4, solid_capstyle="butt")
        if ranking.difference is not None:
            ends = [1, min(1 + ranking.difference, count)]
            axes.plot(ends, [0.6, 0.6], "k|-", lw=1.2)
            axes.text(np.mean(ends), 0.63, f"CD {ranking.difference:.2f}", ha="center", va="bottom", fontsize=8)

    return Figure("Mean ranks", caption(ranking), drawn(1.1 + 0.9 * depth, draw))


def caption(ranking: Ranking) -> str:
    """What is to be seen, in words."""
    tests = {
        "wilcoxon": f"Wilcoxon's signed-rank test at {ranking.level:g} / (K - 1), as aeon",
        "nemenyi": f"Nemenyi's critical difference at {ranking.level:g}",
    }
    said = (
        f"{len(ranking.data_sets)} data sets; a bar joins methods that are not found to differ ({tests[ranking.test]})."
    )
    if ranking.friedman == ranking.friedman:
        verdict = "not found to differ at all" if ranking.friedman >= ranking.level else "they differ"
        said += f" Friedman's test: p = {ranking.friedman:.2g}, {verdict}."
    return said
