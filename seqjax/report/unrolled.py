"""A model drawn as a network unrolled in time: a box for each layer at each step, the state from step to step.

Layers stand in stages side by side, as the data run through them: one box above the other where there is no time, and
the steps 1, 2, ..., T where there is. What a stage hands on is the state, to the right.

Legend: T (S, T where there are two) steps.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from seqjax.report.anatomy import Part
from seqjax.report.plots import drawn

STEPS = ("1", "2", "...", "T")
WIDTH, HEIGHT, LABEL = 0.7, 0.5, 2.3
UNITS = 16.0
"""Across a figure: of the widest, so that all have one scale."""
COLOURS = {"input": "#ededed", "layer": "#dbe9f6", "state": "#c9e7cf", "looks": "#f5e4bd"}
LINE, HANDED = "0.45", "C2"


@dataclasses.dataclass(frozen=True)
class Row:
    """A part in the drawing."""

    part: Part
    columns: tuple[float, ...]
    """Where its boxes stand: one, or one for each of STEPS."""
    level: int
    """Counted from 0, the inputs'."""


def stages(given: Sequence[Part], found: Sequence[Part]) -> list[list[Row]]:
    """Every part at its place.

    Args:
      given: the inputs, from `anatomy.parts`; each stands below the first layers that run along its axis.
      found: the layers.
    """
    inputs, made = list(given), list[list[Row]]()
    for part in found:
        if not made or made[-1][-1].part.read != part.read:
            left = LABEL + (made[-1][-1].columns[-1] + WIDTH if made else 0)
            columns = tuple(left + k for k in range(1 if part.read is None else len(STEPS)))
            own = next((one for one in inputs if one.given == part.read), None)
            if own is not None:
                inputs.remove(own)
            level = made[-1][-1].level if made else 0
            # Without an input of its own it begins at the height of what it is handed.
            made.append([Row(own, columns, 0) if own else Row(part, columns, level)])
            if own is None:
                continue
        made[-1].append(Row(part, made[-1][0].columns, made[-1][-1].level + 1))
    return made


def draw(given: Sequence[Part], found: Sequence[Part]) -> str:
    """The SVG of a model's inputs and layers, from `anatomy.parts`."""
    placed = stages(given, found)
    top = max(stage[-1].level for stage in placed)
    letters = "ST" if len({part.given for part in given} - {None}) > 1 else "T"

    def paint(canvas: Any) -> None:
        axes = canvas.subplots()
        axes.set(xlim=(0, UNITS), ylim=(-0.45, top + 0.85))
        axes.set_axis_off()
        for before, stage in zip([None, *placed], placed, strict=False):
            for below, row in zip([None, *stage], stage, strict=False):
                _boxes(axes, row, letters)
                _up(axes, below, row)
                if row.part.recurrent:
                    _along(axes, row)
                if row.part.looks:
                    _look(axes, row, placed)
            if before:
                _hand_on(axes, before[-1], stage)
        _out(axes, placed[-1][-1])

    return drawn(0.62 * (top + 1.3), paint)


def _boxes(axes: Any, row: Row, letters: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    part = row.part
    kind = "input" if not part.path else "state" if part.recurrent else "looks" if part.looks else "layer"
    steps = ("",) if len(row.columns) == 1 else STEPS
    for column, step in zip(row.columns, steps, strict=True):
        if step != "...":
            corner = (column - WIDTH / 2, row.level - HEIGHT / 2)
            box = FancyBboxPatch(corner, WIDTH, HEIGHT, boxstyle="round,pad=0,rounding_size=0.08")
            box.set(facecolor=COLOURS[kind], edgecolor=LINE, linewidth=0.8)
            axes.add_patch(box)
        last = letters[part.read if part.read is not None else 0] if step == "T" else step
        axes.text(column, row.level, last, ha="center", va="center", fontsize=8, color="0.3")
    said = f"{part.title}\n{part.shape}"
    axes.text(row.columns[0] - WIDTH / 2 - 0.1, row.level - 0.08, said, ha="right", va="bottom", fontsize=7.5)


def _up(axes: Any, below: Row | None, row: Row) -> None:
    for column in row.columns if below else ():
        _arrow(axes, (column, row.level - 1 + HEIGHT / 2), (column, row.level - HEIGHT / 2))


def _out(axes: Any, row: Row) -> None:
    """The outputs: of all steps, or of the last."""
    for column in row.columns if row.part.given is not None else row.columns[-1:]:
        _arrow(axes, (column, row.level + HEIGHT / 2), (column, row.level + 0.7))


def _along(axes: Any, row: Row) -> None:
    """The state, from step to step, in both directions if it runs in both."""
    apart = 0.1 if row.part.both else 0.0
    for left, right in zip(row.columns, row.columns[1:], strict=False):
        ends = (left + WIDTH / 2, right - WIDTH / 2)
        _arrow(axes, (ends[0], row.level + apart), (ends[1], row.level + apart), HANDED)
        if row.part.both:
            _arrow(axes, (ends[1], row.level - apart), (ends[0], row.level - apart), HANDED)


def _look(axes: Any, row: Row, placed: Sequence[Sequence[Row]]) -> None:
    """From every step that an attention looks at, to each of its own."""
    for stage in placed:
        sources = [one for one in stage if one.part.given is not None and one.part.given != row.part.read]
        if sources:
            for column in row.columns:
                for source in sources[-1].columns:
                    ends = ((source, sources[-1].level + HEIGHT / 2), (column, row.level - HEIGHT / 2))
                    axes.plot(*zip(*ends, strict=True), color="C1", linewidth=0.5, alpha=0.6, zorder=0)


def _hand_on(axes: Any, last: Row, stage: Sequence[Row]) -> None:
    """From the last layer of a stage to the next one's state, or to its first layer; below the labels."""
    first = next((row for row in stage if row.part.recurrent), stage[0])
    start = (last.columns[-1] + WIDTH / 2, last.level - 0.16)
    _arrow(axes, start, (first.columns[0] - WIDTH / 2, first.level - 0.16), HANDED)


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float], colour: str = LINE) -> None:
    style = {"arrowstyle": "-|>,head_width=0.15,head_length=0.3", "color": colour, "linewidth": 1.0}
    axes.annotate("", end, start, arrowprops={**style, "shrinkA": 0, "shrinkB": 0})
