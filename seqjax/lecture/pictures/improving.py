"""Two patterns of dropout along time."""

from collections.abc import Callable
from typing import Any

import numpy as np

from seqjax.lecture.drawing import drawn
from seqjax.lecture.section import Picture


def patterns(masks: Callable[..., np.ndarray]) -> Picture:
    """One pattern for all steps, and a fresh one at each."""

    def draw(canvas: Any) -> None:
        for axes, same in zip(canvas.subplots(1, 2), (True, False), strict=True):
            axes.imshow(masks(0.25, 20, 16, same).T > 0, cmap="Blues", vmin=-0.4, vmax=1.6, aspect="auto")
            axes.set(title="one pattern" if same else "a fresh one at each step", xlabel="step", ylabel="unit")
            axes.grid(visible=False)

    caption = "Dark units pass their state on. Left, most units reach the end of the row; right, none does."
    return Picture("Dropout along time", caption, drawn(2.8, draw))
