"""A memory that is taken on, carried and let go."""

from typing import Any

import numpy as np

from seqjax.lecture.drawing import drawn
from seqjax.lecture.section import Picture


def belt(steps: int = 120) -> Picture:
    """Goods that come by, and belts with three forget gates."""
    goods = np.random.default_rng(0).normal(size=steps)
    goods[20] = 2.5
    taken = np.zeros(steps)
    taken[20] = 1.0

    def draw(canvas: Any) -> None:
        above, below = canvas.subplots(2, 1, sharex=True, height_ratios=(1, 2))
        above.bar(range(steps), goods, color="C7")
        above.plot([20], [goods[20]], "o", color="C1")
        above.set(ylabel="input g")
        for k, f in enumerate((1.0, 0.98, 0.9)):
            c, found = 0.0, []
            for t in range(steps):
                c = (0.0 if t == 100 else f) * c + taken[t] * goods[t]
                found.append(c)
            below.plot(found, color=f"C{k}", label=f"f = {f:g}")
        below.set(xlabel="step", ylabel="memory c")
        canvas.legend(loc="outside lower center", ncols=3)

    caption = (
        "The orange input is let on; all others pass by. At the end the forget gate closes, and the belt is empty."
    )
    return Picture("On the belt, along, and off", caption, drawn(3.6, draw))
