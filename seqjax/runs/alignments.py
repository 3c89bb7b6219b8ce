"""The picture of an attention: which words of the source a translator looked at for each word that it wrote.

Legend: S tokens of a source, T tokens of its translation.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MOST = 4
"""Pairs in one picture."""

Alignment = tuple[Sequence[str], Sequence[str], Any]
"""Tokens of the source [S], of the translation [T], and the weights [T, S]."""


def draw(alignments: Sequence[Alignment], path: Path) -> None:
    """Draw the alignments of up to `MOST` pairs side by side, as a PNG: dark is where it looked."""
    from matplotlib.figure import Figure

    sizes = [max(2.0, 0.3 * len(source) + 1.2) for source, _, _ in alignments] or [2.0]
    height = max([0.3 * len(target) + 1.2 for _, target, _ in alignments] + [2.0])
    figure = Figure(figsize=(sum(sizes), height), layout="constrained")
    axes = figure.subplots(1, len(sizes), squeeze=False, width_ratios=sizes)[0]
    for place, (source, target, weights) in zip(axes, alignments, strict=bool(alignments)):
        place.imshow(weights, cmap="Greys", vmin=0, vmax=1, aspect="auto")
        place.set_xticks(range(len(source)), [plain(token) for token in source], rotation=60, ha="left")
        place.set_yticks(range(len(target)), [plain(token) for token in target])
        place.xaxis.tick_top()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # Chinese, say: boxes
        figure.savefig(path, dpi=130)


def plain(token: str) -> str:
    """A token for matplotlib: a dollar begins no formula, and a joiner, which few fonts have, is an underscore."""
    return token.replace("$", r"\$").replace("\uffed", "_")
