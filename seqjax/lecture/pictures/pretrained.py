"""Scores with few labels; and a picture that is kept."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqjax.lecture.drawing import drawn
from seqjax.lecture.known import Known
from seqjax.lecture.section import Picture


def few(known: Known, names: Sequence[str], shares: Sequence[float]) -> Picture | None:
    """A line for each start of the vectors; None where nothing is known."""
    lines = {}
    for name in names:
        rows = [known.row(name, **({} if share == 1 else {"train_fraction": share})) for share in shares]
        found = [(share, row["ours"]["test"]) for share, row in zip(shares, rows, strict=True) if row]
        if found:
            lines[name] = found
    if not lines:
        return None

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for k, (name, found) in enumerate(lines.items()):
            x = [100 * share * (1 + 0.04 * (k - 1)) for share, _ in found]
            y, half = [100 * own["mean"] for _, own in found], [100 * (own["half"] or 0) for _, own in found]
            axes.errorbar(x, y, yerr=half, fmt="o-", color=f"C{k}", capsize=3, label=name)
        axes.set(xscale="log", xlabel="labels trained on (%)", ylabel="test accuracy (%)")
        axes.set(xticks=[100 * share for share in shares], xticklabels=[f"{100 * share:g}" for share in shares])
        axes.minorticks_off()
        canvas.legend(loc="outside lower center", ncols=3)

    caption = "Bars are intervals of the mean over seeds. To the left labels are few, and where vectors start matters."
    return Picture("Few labels", caption, drawn(3.4, draw))


def kept(path: Path | None) -> Picture | None:
    """A PNG of the checkout in an SVG of its own."""
    if not path or not path.exists():
        return None
    raw = path.read_bytes()
    width, height = (int.from_bytes(raw[place : place + 4]) for place in (16, 20))
    data = base64.b64encode(raw).decode()
    image = f'<image width="{width}" height="{height}" href="data:image/png;base64,{data}"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">{image}</svg>'
    caption = "GloVe's own vectors, as the checkout keeps the picture: a line joins a word and its counterpart."
    return Picture("Three relations", caption, svg, wide=True)
