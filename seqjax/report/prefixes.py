"""How soon a classifier is right: a picture of the accuracy after 1, 2, 4, ... steps that a row's results hold.

Legend: S seeds, K numbers of steps.
"""

from typing import Any

import numpy as np

from seqjax.report.plots import NAIVE, Figure, drawn
from seqjax.report.runs import Group


def found(row: Group, part: str = "test") -> list[dict[str, Any]] | None:
    """`training.prefixes.prefixes` of every seed; None where a run has none, or they are of other steps."""
    each = [(run.results or {}).get("details", {}).get(part, {}).get("prefixes") for run in row.runs]
    if not all(each) or any(one["steps"] != each[0]["steps"] for one in each):
        return None
    return each


def picture(row: Group, part: str = "test") -> Figure | None:
    """Mean over seeds, and a band from the lowest to the highest, beside the best possible; None without prefixes."""
    each = found(row, part)
    if each is None:
        return None
    steps = each[0]["steps"]
    accuracy = np.array([one["accuracy"] for one in each])  # [S, K]
    best = [one["best_possible"] for one in each if "best_possible" in one]
    largest = (row.runs[0].results or {}).get("baselines", {}).get("largest_class", {}).get(part, {}).get("accuracy")

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        axes.plot(steps, accuracy.mean(axis=0), "o-", color="C0", label=row.label)
        axes.fill_between(steps, accuracy.min(axis=0), accuracy.max(axis=0), color="C0", alpha=0.2, linewidth=0)
        if best:
            axes.plot(steps, np.mean(best, axis=0), "k--", label="best possible")
        if largest is not None:
            axes.axhline(largest, color=NAIVE, linestyle=":", label="largest class")
        axes.set_xscale("log", base=2)
        axes.set_xticks(steps, map(str, steps))
        axes.set(xlabel="steps seen", ylabel="accuracy")
        axes.legend(loc="lower right")

    return Figure(f"How soon: {row.label}", _caption(each, part), drawn(4.0, draw))


def _caption(each: list[dict[str, Any]], part: str) -> str:
    settled = [one["settled"] for one in each]
    seeds = f", mean of {len(each)} seeds" if len(each) > 1 else ""
    said = []
    for name, words in (("median", "half of the verdicts"), ("p90", "nine in ten")):
        values = [one[name] for one in settled]
        late = "never" if None in values else f"after {np.mean(values):.3g} steps"
        said.append(f"{words} {late}")
    never = np.mean([one["never"] for one in settled])
    right = f"Right, and right from then on: {', '.join(said)}; {never:.1%} never."
    return f"{part.capitalize()} part{seeds}. {right} A sequence that has ended before is judged at its end."
