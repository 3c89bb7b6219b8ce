"""Pairs of words within windows, in plain Python."""

import jax
import numpy as np

from seqjax.data.text.blocks import keep_probabilities, noise_table

RNG = np.random.default_rng(0)
TOKENS = np.array([[3, 5, 2, 7, 3, 0, 0], [4, 2, 9, 1, 5, 6, 2]], np.int32)
VECTORS, CONTEXTS = RNG.normal(size=(2, 10, 4)).astype(np.float32)


def window_pairs(kept, reach):
    """[B, L, L]: whether word j lies in the window of word i, in plain Python: drop first, then lay windows."""
    pairs = np.zeros((*kept.shape, kept.shape[1]), bool)
    for block, keeps, reaches in zip(pairs, kept, reach, strict=True):
        left = np.flatnonzero(keeps)
        for number, place in enumerate(left):
            for near in range(max(0, number - reaches[place]), min(len(left), number + reaches[place] + 1)):
                block[place, left[near]] = near != number
    return pairs


def apply(model, inputs, params, train=False, seed=0):
    rngs = {"dropout": jax.random.key(seed)}
    return jax.jit(lambda *both: model.apply({"params": both[0]}, both[1], train=train, rngs=rngs))(params, inputs)


def inputs(**more):
    counts = np.bincount(TOKENS.ravel(), minlength=10)
    counts[:2] = 0
    return {"tokens": TOKENS, "keep": keep_probabilities(counts, 0), "noise": noise_table(counts, 0.75), **more}
