"""What a classifier takes for what: a picture of the confusion matrices that a row's results hold.

Legend: K classes.
"""

from typing import Any

import numpy as np

from seqjax.report.plots import Figure, drawn
from seqjax.report.runs import Group

WRITTEN = 12
"""Up to so many classes every cell has its number."""
SHOWN = 24
"""Characters of a class's name."""


def counts(row: Group, part: str = "test") -> tuple[list[str], np.ndarray] | None:
    """(names [K], how many of each class, the row, were taken for each, the column [K, K]), over all seeds.

    None where a run has no such matrix.
    """
    found = [(run.results or {}).get("details", {}).get(part, {}).get("confusion") for run in row.runs]
    if not found or not all(found):
        return None
    return found[0]["classes"], np.sum([np.array(each["counts"]) for each in found], axis=0)


def picture(row: Group, part: str = "test") -> Figure | None:
    """The matrix, coloured by the share of the true class; None where there is none."""
    known = counts(row, part)
    if known is None:
        return None
    names, matrix = known
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    labels = [name if len(name) <= SHOWN else name[: SHOWN - 1] + "…" for name in names]

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.grid(visible=False)
        axes.set(xlabel="taken for", ylabel="is", xticks=range(len(names)), yticks=range(len(names)))
        axes.set_xticklabels(labels, rotation=45 if len(names) > 3 else 0, ha="right" if len(names) > 3 else "center")
        axes.set_yticklabels(labels)
        for (k, m), share in np.ndenumerate(shares):
            if len(names) <= WRITTEN:
                colour = "white" if share > 0.6 else "black"
                axes.text(m, k, f"{matrix[k, m]:,}\n{share:.1%}", ha="center", va="center", color=colour, fontsize=8)
        canvas.colorbar(image, label="share of the class")

    right = np.trace(matrix) / max(matrix.sum(), 1)
    seeds = f", {len(row.runs)} seeds together" if len(row.runs) > 1 else ""
    caption = f"{part.capitalize()} part{seeds}: {matrix.sum():,} examples, {right:.2%} of them right."
    height = min(9.0, 2.4 + 0.45 * len(names))
    return Figure(f"Confusion: {row.label}", caption, drawn(height, draw))
