"""The picture of `--growth`, a panel for each axis, both scales logarithmic; Matplotlib is imported when drawing."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from seqjax.benchmark.growth import BASE
from seqjax.benchmark.worker import OURS

COLOURS = {OURS: "C0", "torch": "C1", "flax": "C2"}
LABELS = {
    "torch": "PyTorch (seeds: one after the other)",
    "flax": "Flax's nn.RNN (seeds: vmap)",
    OURS: "seqjax (seeds: vmap)",
}
COLUMNS = 3
GUIDE = "0.6"
"""A grey."""


def draw(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of `growth.Row` -> SVG."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    axes = list(dict.fromkeys(row["axis"] for row in rows))
    style: Any = {"font.size": 10, "axes.grid": True, "grid.alpha": 0.3, "axes.spines.top": False}
    style |= {"axes.spines.right": False, "legend.frameon": False, "svg.hashsalt": "seqjax"}
    with rc_context(style):
        lines = -(-(len(axes) + 1) // COLUMNS)
        canvas = Figure(figsize=(10, 3.1 * lines), layout="constrained")
        panels = list(canvas.subplots(lines, COLUMNS, squeeze=False).flat)
        for panel, axis in zip(panels, axes, strict=False):
            _panel(panel, axis, [row for row in rows if row["axis"] == axis])
        for panel in panels[len(axes) :]:
            panel.axis("off")
        if axes:
            handles, labels = panels[0].get_legend_handles_labels()
            panels[len(axes)].legend(handles, labels, loc="center", title=_said(rows[0]))
        text = io.StringIO()
        canvas.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def _said(row: Mapping[str, Any]) -> str:
    sizes = f"LSTM {BASE.units}, batch {BASE.batch},\n{BASE.steps} steps, {BASE.features} features, float32"
    return f"Gradient of a layer by its parameters.\nWhat does not grow: {sizes}"


def _panel(panel: Any, axis: str, rows: Sequence[Mapping[str, Any]]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    for name in dict.fromkeys(row["implementation"] for row in rows):
        line = [(row["value"], row["milliseconds"]) for row in rows if row["implementation"] == name]
        panel.plot(*zip(*line, strict=True), "o-", markersize=3, color=COLOURS.get(name), label=LABELS.get(name, name))
    ours = [(row["value"], row["milliseconds"]) for row in rows if row["implementation"] == OURS]
    values = sorted({row["value"] for row in rows})
    if ours:
        fixed, time = ours[0] if axis == "threads" else ours[-1]
        guide = [time * work(axis, value) / work(axis, fixed) for value in values]
        panel.plot(values, guide, ":", color=GUIDE, label="in proportion to the work", zorder=0)
    panel.set(xscale="log", yscale="log", xlabel=axis, ylabel="milliseconds")
    panel.set_xticks(values, [f"{value:,}" for value in values], rotation=45 if len(values) > 5 else 0)
    panel.xaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    panel.yaxis.set_minor_formatter(NullFormatter())


def work(axis: str, value: int) -> float:
    """Multiplications of a thread, but for a factor."""
    if axis == "units":
        return value * (value + BASE.features)
    return 1 / value if axis == "threads" else value
