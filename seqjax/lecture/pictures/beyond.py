"""Eigenvalues in their ring, and how fast each fades."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from seqjax.lecture.drawing import drawn
from seqjax.lecture.section import Picture


def rings(found: Mapping[tuple[float, float], np.ndarray], steps: int) -> Picture:
    """The eigenvalues of each start, and their powers."""
    n = np.arange(steps + 1)

    def draw(canvas: Any) -> None:
        plane, powers = canvas.subplots(1, 2)
        turn = np.exp(2j * np.pi * np.linspace(0, 1, 200))
        plane.plot(np.real(turn), np.imag(turn), color="C7", linewidth=0.8)
        for k, ((least, most), values) in enumerate(found.items()):
            label = f"from {least:g} to {most:g}"
            plane.plot(np.real(values), np.imag(values), ".", color=f"C{k}", label=label)
            sizes = np.sort(np.abs(values))[[0, len(values) // 2, -1]]
            powers.plot(n, np.power.outer(sizes, n).T, color=f"C{k}")
        plane.set(xlabel="real part", ylabel="imaginary part", aspect="equal")
        powers.set(yscale="log", xlabel="steps back, n", ylabel="what is left", ylim=(1e-12, 2))
        canvas.legend(loc="outside lower center", ncols=2)

    caption = (
        "Left the eigenvalues as they start; right the powers of the smallest, the middle and the largest of each."
    )
    return Picture("Rings of eigenvalues", caption, drawn(3.4, draw))
