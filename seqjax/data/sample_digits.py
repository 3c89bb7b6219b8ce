"""Sample v1, the digits: drawn by a font, with pixels flipped at random.

These are not scikit-learn's. Each of the 8 x 8 pixels of a glyph is black (16) or white (0), and is the other one with
the probability FLIPPED, each for itself. All ten digits are equally frequent, so that of an image at Hamming distance
d_k from glyph k

    p(k | image) = r^d_k / sum_j r^d_j,    r = FLIPPED / (1 - FLIPPED)

and whoever knows the glyphs is right with the probability max_k p(k | image). Its mean over the test part is the best
`word_accuracy` that any model can expect on these very images.
"""

from typing import NamedTuple

import numpy as np

COUNT = 3000
FLIPPED = 0.12
FONT = """
.####.. ...#... .####.. .####.. ....##. ######. ..###.. ######. .####.. .####..
#....#. ..##... #....#. #....#. ...#.#. #...... .#..... .....#. #....#. #....#.
#...##. .#.#... .....#. .....#. ..#..#. #...... #...... ....#.. #....#. #....#.
#..#.#. ...#... ....#.. ..###.. .#...#. #####.. #####.. ...#... .####.. .#####.
#.#..#. ...#... ..##... .....#. ######. .....#. #....#. ..#.... #....#. .....#.
##...#. ...#... .#..... .....#. .....#. .....#. #....#. ..#.... #....#. .....#.
#....#. ...#... #...... #....#. .....#. #....#. #....#. ..#.... #....#. ....#..
.####.. .#####. ######. .####.. .....#. .####.. .####.. ..#.... .####.. .###...
"""


class Generated(NamedTuple):
    """Images and what is known of them."""

    images: np.ndarray
    """[N, 64] float32, 0 or 16."""
    digits: np.ndarray
    """[N] int32."""
    certainty: np.ndarray
    """[N] the probability that the likeliest digit of an image is the one that was drawn."""


def glyphs() -> np.ndarray:
    """[10, 64] bool: where the font is black."""
    lines = [line.split() for line in FONT.split("\n")[1:-1]]
    return np.array([[mark == "#" for line in lines for mark in f"{line[k]:.<8}"] for k in range(10)])


def digits(seed: int = 0) -> Generated:
    """COUNT images, as many of each digit."""
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(np.arange(COUNT) % 10).astype(np.int32)
    black = glyphs()[drawn] ^ (rng.random((COUNT, 64)) < FLIPPED)
    distances = (black[:, None] != glyphs()[None]).sum(axis=2)  # [N, 10]
    weights = (FLIPPED / (1 - FLIPPED)) ** (distances - distances.min(axis=1, keepdims=True))
    return Generated(black.astype(np.float32) * 16, drawn, 1 / weights.sum(axis=1))
