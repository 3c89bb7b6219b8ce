"""A knock that rings on in a cell, and a recurrent network unrolled."""

from typing import Any

import numpy as np

from seqjax.lecture.drawing import drawn, themed
from seqjax.lecture.known import Known
from seqjax.lecture.section import Picture
from seqjax.report import architectures, unrolled


def knock(steps: int = 24, units: int = 6) -> Picture:
    """The states of a perceptron and of a cell after one input."""
    rng = np.random.default_rng(3)
    kernel, rotation = rng.normal(size=units), np.linalg.qr(rng.normal(size=(units, units)))[0]
    states = {"perceptron (without U)": 0.0 * rotation, "recurrent cell": 0.92 * rotation}

    def draw(canvas: Any) -> None:
        for axes, (title, U) in zip(canvas.subplots(1, 2, sharey=True), states.items(), strict=True):
            state, found = np.zeros(units), []
            for t in range(steps):
                state = np.tanh(kernel * (t == 2) + state @ U)
                found.append(state)
            axes.plot(found)
            axes.set(title=title, xlabel="step")
        canvas.axes[0].set(ylabel="state")

    caption = "A line is a unit. The input is a single knock; what comes after it is memory."
    return Picture("A knock, and what is left of it", caption, drawn(2.6, draw))


def network(known: Known) -> Picture:
    """The temperature's recurrent network, found by tracing it."""
    given, found = architectures.parts_of("jena_simple_rnn", {}, known.data_dir)
    caption = "Green is the state, handed from step to step; only the last one reaches the output."
    return Picture("`jena_simple_rnn`, unrolled", caption, themed(unrolled.draw(given, found)), wide=True)
