"""Activations and their derivatives, the scale of U, and what clipping does."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from seqjax.lecture.drawing import drawn
from seqjax.lecture.section import Picture


def activations() -> Picture:
    """Three activations, and their derivatives."""
    x = np.linspace(-5, 5, 401)
    sigmoid = 1 / (1 + np.exp(-x))
    values = {"sigmoid": (sigmoid, sigmoid * (1 - sigmoid)), "tanh": (np.tanh(x), 1 - np.tanh(x) ** 2)}
    values["ReLU"] = (np.maximum(x, 0), (x > 0).astype(float))

    def draw(canvas: Any) -> None:
        own, slope = canvas.subplots(1, 2)
        for k, (name, (value, derivative)) in enumerate(values.items()):
            own.plot(x, value, color=f"C{k}", label=name)
            slope.plot(x, derivative, color=f"C{k}")
        own.set(title="activation", xlabel="input", ylabel="output", ylim=(-1.2, 2))
        slope.set(title="derivative", xlabel="input")
        canvas.legend(loc="outside lower center", ncols=3)

    return Picture("Activations", "What a gradient is multiplied by at each step is on the right.", drawn(3, draw))


def scales(found: Mapping[float, np.ndarray]) -> Picture:
    """The norms by the scale of U."""

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for k, (scale, values) in enumerate(found.items()):
            axes.plot(np.arange(1, len(values) + 1), values, color=f"C{k}", label=f"{scale:g}")
        axes.set(yscale="log", xlabel="steps back, n", ylabel="what is left of the gradient")
        canvas.legend(title="U is a rotation times", loc="outside lower center", ncols=5)

    caption = "tanh, untrained, random inputs. Small U fades as a power; a large one is held back by tanh's flat ends."
    return Picture("The scale of U", caption, drawn(3.4, draw))


def clipping() -> Picture:
    """A gradient's length before and after."""
    before = np.logspace(-4, 3, 200)

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        axes.plot(before, before, "--", color="C7", label="as it was")
        axes.plot(before, np.minimum(before, 1), color="C0", label="clipped at one")
        axes.set(xscale="log", yscale="log", xlabel="length of a gradient", ylabel="after clipping")
        canvas.legend(loc="outside lower center", ncols=2)

    return Picture("Clipping", "Only the right half changes: what is too small stays too small.", drawn(2.8, draw))
