"""Sample v1, labelled series: a pattern of its class somewhere in noise, in two dimensions and unlike lengths.

Series n is standard normal noise of T_n steps, T_n uniform in SHORTEST to LONGEST, to which the pattern s_k [P, 2] of
its class k is added from a step a on, uniform in 0 to T_n - P. The classes are equally frequent, so that

    p(k | x) ~ sum_a exp(sum_tj x[a + t, j] s_k[t, j] - |s_k|^2 / 2)

and whoever knows the patterns is right with the probability max_k p(k | x). Its mean over the test part is the best
`accuracy` that any model can expect on these very series.

Legend: N series, T_n steps of series n, P steps of a pattern, K classes.
"""

import math
from typing import NamedTuple

import numpy as np

from seqjax.data.series.ragged import Ragged

CLASSES = ("falling", "rising", "waving")
SHORTEST, LONGEST, STEPS = 16, 48, 8
SIZE = 4.5
"""|s_k|: of every pattern."""
TRAIN, TEST = 2400, 600


class Generated(NamedTuple):
    """Series and what is known of them."""

    train: Ragged
    test: Ragged
    certainty: np.ndarray
    """[TEST] the probability that the likeliest class of a series is the one that was drawn."""


def patterns() -> np.ndarray:
    """[K, P, 2]: two ramps, one the other's mirror image, and a wave."""
    ramp, wave = np.linspace(-1, 1, STEPS), np.sin(np.arange(STEPS) * math.pi / 2)
    found = np.stack([np.stack([-ramp, ramp], 1), np.stack([ramp, -ramp], 1), np.stack([wave, wave], 1)])
    return SIZE * found / np.linalg.norm(found, axis=(1, 2), keepdims=True)


def series(seed: int = 0) -> Generated:
    """TRAIN + TEST series."""
    rng = np.random.default_rng(seed)
    count = TRAIN + TEST
    drawn = rng.permutation(np.arange(count) % len(CLASSES))
    known = patterns()
    values = []
    for k in drawn:
        own = rng.standard_normal((rng.integers(SHORTEST, LONGEST + 1), 2))
        start = rng.integers(len(own) - STEPS + 1)
        own[start : start + STEPS] += known[k]
        values.append(own)
    labels = [CLASSES[k] for k in drawn]
    train = Ragged(values[:TRAIN], labels[:TRAIN], ("x", "y"), range(1, TRAIN + 1))
    test = Ragged(values[TRAIN:], labels[TRAIN:], ("x", "y"), range(1, TEST + 1))
    return Generated(train, test, np.array([posterior(own).max() for own in test.values]))


def posterior(values: np.ndarray) -> np.ndarray:
    """[K]: the probabilities of the classes of a series [T, 2] to whoever knows the patterns."""
    windows = np.lib.stride_tricks.sliding_window_view(values, STEPS, axis=0)  # [places, 2, P]
    scores = np.einsum("ajt,ktj->ka", windows, patterns()) - SIZE**2 / 2
    likelihoods = np.exp(scores - scores.max()).sum(axis=1)
    return likelihoods / likelihoods.sum()
