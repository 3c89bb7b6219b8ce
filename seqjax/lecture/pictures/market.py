"""A random walk, and a forecast that seems to follow it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from seqjax.data.series import walks
from seqjax.lecture.drawing import drawn
from seqjax.lecture.section import Picture


def chart(forecasts: Callable[[np.ndarray], np.ndarray]) -> Picture:
    """The last steps of a walk, and the changes that were forecast against those that came."""
    values = walks.series("gaussian", 1.0, 4000, 0)
    forecast = forecasts(values)
    came, last = values[-len(forecast) :], values[-len(forecast) - 1 : -1]

    def draw(canvas: Any) -> None:
        left, right = canvas.subplots(1, 2, width_ratios=(3, 2))
        left.plot(came[-60:], color="C0", label="what came")
        left.plot(forecast[-60:], "--", color="C1", label="forecast")
        left.set(xlabel="step", ylabel="value")
        right.plot((came - last)[-600:], (forecast - last)[-600:], ".", color="C1", markersize=3)
        right.set(xlabel="change that came", ylabel="change that was forecast", ylim=(-3, 3))
        canvas.legend(loc="outside lower center", ncols=2)

    caption = "Left the forecast seems to follow the walk; right its changes have nothing to do with the true ones."
    return Picture("A chart that looks like skill", caption, drawn(3.2, draw))
