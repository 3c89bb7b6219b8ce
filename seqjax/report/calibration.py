"""Whether a classifier is right as often as it says: a picture of the calibration curves that a row's results hold.

Legend: B bins.
"""

from typing import Any

import numpy as np

from seqjax.report.plots import Figure, drawn
from seqjax.report.runs import Group


def curve(row: Group, part: str = "test") -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """(confidence [B], accuracy [B], examples [B]) over all seeds, the bins of the runs one after the other.

    None where a run has no such curve, as those that are older have none.
    """
    found = [(run.results or {}).get("details", {}).get(part, {}).get("calibration") for run in row.runs]
    if not found or not all(found):
        return None
    together = lambda key: np.concatenate([np.asarray(each[key], float) for each in found])
    return together("confidence"), together("accuracy"), together("count")


def picture(row: Group, part: str = "test") -> Figure | None:
    """Accuracy over confidence, each bin a disc as large as it has examples; None where there is no curve."""
    known = curve(row, part)
    if known is None or not known[2].sum():
        return None
    confidence, accuracy, count = known
    error = np.average(np.abs(accuracy - confidence), weights=count)

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--", label="as it says")
        axes.scatter(confidence, accuracy, s=12 + 388 * count / count.max(), alpha=0.5)
        least = 1 / max(2, _classes(row, part))
        axes.set(xlabel="probability of the likeliest class", ylabel="share of them right")
        axes.set(xlim=(min(least, confidence.min()) - 0.02, 1.02), ylim=(-0.03, 1.03))
        axes.legend(loc="upper left")

    seeds = f", {len(row.runs)} seeds together" if len(row.runs) > 1 else ""
    caption = f"{part.capitalize()} part{seeds}: {count.sum():,.0f} answers; they differ by {error:.2%} on average."
    return Figure(f"Calibration: {row.label}", caption, drawn(3.6, draw))


def _classes(row: Group, part: str) -> int:
    found = (row.runs[0].results or {}).get("details", {}).get(part, {}).get("confusion") or {}
    return len(found.get("classes", ()))
