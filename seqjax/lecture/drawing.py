"""Drawings whose colours are the page's: ink follows the text, series follow a palette for light and dark.

The palette is Okabe and Ito's, which colour-blind eyes tell apart, made lighter where the page is dark. Drawings of the
report (`seqjax.report.plots.drawn`) take the same colours.
"""

import io
import itertools
import re
from collections.abc import Callable
from typing import Any

WIDTH = 5.6
"""Inches: at a phone's width its letters can still be read."""
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f")
"""C0 to C7 as Matplotlib writes them; the page calls them --c0 to --c7."""
NUMBERS = itertools.count()
"""Of drawings, so that their names for parts stay apart on one page."""


def drawn(height: float, draw: Callable[[Any], object], width: float = WIDTH) -> str:
    """The SVG of a figure so many inches high and wide. draw: paints on a Matplotlib figure."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Canvas

    style: Any = {"font.size": 10, "axes.grid": True, "grid.alpha": 0.3, "axes.spines.top": False}
    style |= {"axes.spines.right": False, "legend.frameon": False, "svg.hashsalt": "seqjax", "svg.fonttype": "none"}
    style |= {"date.converter": "concise", "legend.fontsize": 9, "axes.titlesize": 10, "lines.linewidth": 1.8}
    with rc_context(style):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        draw(canvas)
        text = io.StringIO()
        canvas.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return themed(text.getvalue())


def themed(svg: str) -> str:
    """A Matplotlib SVG to stand in a page: black is the page's ink, white its ground, C0 and so on its palette."""
    number = next(NUMBERS)
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'\b(id="|xlink:href="#|url\(#)', rf"\g<1>f{number}-", svg)
    svg = svg.replace("#000000", "currentColor").replace("#ffffff", "var(--ground)")
    for shade, name in (("#b0b0b0", "--grid"), ("#595959", "--faint"), ("#737373", "--faint"), ("#4d4d4d", "--faint")):
        svg = svg.replace(shade, f"var({name})")
    for place, colour in enumerate(COLOURS):
        svg = svg.replace(colour, f"var(--c{place})")
    for place, colour in enumerate(("#ededed", "#dbe9f6", "#c9e7cf", "#f5e4bd")):  # the boxes of `report.unrolled`
        svg = svg.replace(colour, f"var(--box{place})")
    return svg.strip()
