"""Frames that a model has predicted, beside those that came: a strip from what a row's results hold.

Legend: E examples, T frames, H height, W width.
"""

from typing import Any

import numpy as np
from absl import logging

from seqjax.report.plots import Figure, drawn
from seqjax.report.runs import Group
from seqjax.training import frames


def picture(row: Group, part: str = "test") -> Figure | None:
    """Of the first seed: the frames that came above those predicted, and their errors; None where there are none."""
    details = row.first.get("details", {}).get(part, {})
    try:
        found = frames.unpacked(details["strip"]) if "strip" in details else None
    except ValueError as error:
        logging.warning("%s: %s: no picture", row.runs[0].path, error)
        return None
    if found is None:
        return None
    true, predicted = found  # [E, T, H, W]
    errors = details.get("mse_after", {})

    def draw(canvas: Any) -> None:
        grid = np.atleast_2d(canvas.subplots(2 * len(true), true.shape[1]))
        for (row_number, k), axes in np.ndenumerate(grid):
            shown = (true, predicted)[row_number % 2][row_number // 2, k]
            axes.imshow(shown, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)
            axes.spines[:].set_visible(True)
            if row_number == 0:
                error = errors.get(str(k + 1))
                axes.set_title(f"after {k + 1}" + ("" if error is None else f"\nMSE {error:.4f}"), fontsize=7)
            if k == 0:
                axes.set_ylabel(("came", "predicted")[row_number % 2], fontsize=8)

    caption = (
        f"{part.capitalize()} part, first seed: the frame that came after 1, 2, ... frames, and below it what was "
    )
    caption += "predicted from those alone. MSE: of all examples of the part."
    return Figure(f"Next frames: {row.label}", caption, drawn(0.3 + 1.05 * 2 * len(true), draw))
