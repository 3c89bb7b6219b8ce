"""How the derivative of a state by an earlier one fades with the distance."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from seqjax.lecture.drawing import drawn
from seqjax.lecture.section import Picture


def fading(found: Mapping[str, np.ndarray]) -> Picture:
    """A line for each cell."""
    return Picture(
        "What is left of a gradient after n steps",
        "Untrained cells, random inputs, logarithmic scale: a straight line downwards is a power. Flat lines remember.",
        drawn(4.4, lambda canvas: paint(canvas, found)),
    )


def paint(canvas: Any, found: Mapping[str, np.ndarray]) -> None:
    """On any Matplotlib figure."""
    axes = canvas.subplots()
    styles = ("-", "--", "-.", ":", "-", "--", "-")
    for k, (name, values) in enumerate(found.items()):
        axes.plot(np.arange(1, len(values) + 1), values, styles[k % len(styles)], color=f"C{k}", label=name)
    axes.set(yscale="log", xlabel="steps back, n", ylabel="largest singular value of\nthe state by that n steps ago")
    canvas.legend(loc="outside lower center", ncols=2)
