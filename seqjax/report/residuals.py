"""Whether errors tell the next ones: the autocorrelation of residuals that a row's results hold."""

import math
from typing import Any

import numpy as np

from seqjax.report.horizons import of_seeds
from seqjax.report.plots import Figure, drawn
from seqjax.report.runs import Group


def picture(row: Group, part: str = "test") -> Figure | None:
    """Correlations by lag, with the band in which those of white noise lie; None where there are no such details."""
    each = of_seeds(row, "autocorrelation", part)
    if not each:
        return None
    lag, band = each[0]["lag"], 1.96 / math.sqrt(each[0]["count"])
    values = np.array([own["value"] for own in each], float)

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        axes.axhspan(-band, band, color="grey", alpha=0.25, linewidth=0, label="95 % of white noise")
        axes.axhline(0, color="k", linewidth=0.8)
        axes.vlines(lag, 0, values.mean(axis=0), color="C0")
        axes.plot(lag, values.mean(axis=0), "o", color="C0", markersize=3)
        axes.set(xlabel="rows between two forecasts", ylabel="autocorrelation")
        axes.legend()

    over = f", mean of {len(each)} seeds" if len(each) > 1 else ""
    caption = (
        f"{part.capitalize()} part{over}: residuals of the first step. Outside the band there is something left to "
        "learn from the last errors."
    )
    return Figure(f"Residuals: {row.label}", caption, drawn(3.0, draw))
