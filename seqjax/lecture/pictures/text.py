"""How much of a text the most frequent words are."""

from typing import Any

import numpy as np

from seqjax.data.text.tokens import Corpus
from seqjax.lecture.drawing import drawn
from seqjax.lecture.section import Picture


def coverage(corpus: Corpus) -> Picture:
    """Frequencies by rank, and the share of tokens that so many words cover."""
    counts = np.sort(np.bincount(corpus.ids))[::-1]
    ranks = np.arange(1, len(counts) + 1)

    def draw(canvas: Any) -> None:
        left, right = canvas.subplots(1, 2)
        left.plot(ranks, counts, color="C0")
        left.set(xscale="log", yscale="log", xlabel="rank of the word", ylabel="times")
        right.plot(ranks, 100 * counts.cumsum() / counts.sum(), color="C1")
        right.set(xlabel="words known", ylabel="tokens covered (%)", ylim=(0, 103))

    caption = (
        f"{int(counts.sum()):,} tokens of the generated reviews (sample data), {len(counts):,} different words: a few "
        "words are most of any text."
    )
    return Picture("A vocabulary's reach", caption, drawn(2.8, draw))
