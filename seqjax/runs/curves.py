"""The picture of one run: its curves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def draw(rows: Sequence[dict[str, Any]], best_epoch: int, metric: str, path: Path) -> None:
    """Draw train and validation loss and metric per epoch, the best epoch marked, as a PNG.

    Args:
      rows: of metrics.jsonl; none gives an empty pair of axes.
      best_epoch: counted from 1; 0 for none.
      metric: name of the metric to draw beside the loss.
      path: of the PNG.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    epochs = [row["epoch"] for row in rows]
    for axes, name in zip(figure.subplots(1, 2), ("loss", metric), strict=True):
        for part, style in (("train", "o--"), ("validation", "o-")):
            axes.plot(epochs, [row[part][name] for row in rows], style, markersize=3, label=part)
        if best_epoch:
            value = rows[best_epoch - 1]["validation"][name]
            axes.plot([best_epoch], [value], "*", markersize=14, label=f"best epoch {best_epoch}: {value:.4g}")
        axes.set(xlabel="epoch", ylabel=name, title=name)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=110)
