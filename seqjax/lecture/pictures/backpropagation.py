"""The terms of the sum over t and k, and what cutting it short costs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.lecture.drawing import drawn
from seqjax.lecture.section import Picture


def terms(sizes: Mapping[tuple[int, int], float], steps: int) -> Picture:
    """The size of each term."""
    grid = np.full((steps, steps), np.nan)
    for (t, k), size in sizes.items():
        grid[t, k] = np.log10(size)

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        image = axes.imshow(grid, cmap="viridis", origin="lower")
        axes.set(xlabel="k: the step at which the weight was used", ylabel="t: the step of the loss")
        axes.grid(visible=False)
        canvas.colorbar(image, label="size of the term, powers of ten")

    caption = "On the diagonal the loss meets the weight in its own step; to the left it looks back, and hears less."
    return Picture("Every term of the gradient (SimpleRNN)", caption, drawn(3.6, draw))


def truncated(errors: Sequence[float]) -> Picture:
    """The gradient's relative error by horizon."""

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        axes.plot(range(1, len(errors)), errors[:-1], "o-", color="C0")
        axes.set(xlabel="horizon h (steps)", ylabel="relative error of the gradient", yscale="log")

    caption = "The longer the horizon, the less is left out; at the whole length (beyond the right edge) it is nothing."
    return Picture("Truncated backpropagation", caption, drawn(2.6, draw))
