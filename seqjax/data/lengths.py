"""Few lengths for many sequences: what each is padded to where batches are made of sequences of like length.

A masked model gives the same output for any padding, so padding is only a cost: 600 steps a review of 235 words. Each
length in use is a shape that is compiled once (seconds), so there are few.
"""

import numpy as np

GROUPS = 6
MULTIPLE = 8


def group_lengths(lengths: np.ndarray, longest: int, groups: int = GROUPS, multiple: int = MULTIPLE) -> np.ndarray:
    """The least of a few lengths that holds each sequence.

    The few are the quantiles at 1/groups, 2/groups, ... of `lengths`, rounded up, so that the groups are about equally
    large; the last is `longest`.

    Args:
      lengths: [N], each 0 to `longest`.
      longest: to which all are padded now.
      groups: how many at most.
      multiple: of which each is one, but for `longest`.

    Returns:
      [N] int32.
    """
    edges = np.quantile(lengths, np.arange(1, groups) / groups)
    edges = np.minimum(np.ceil(edges / multiple).astype(np.int32) * multiple, longest)
    edges = np.unique(np.append(np.maximum(edges, 1), longest)).astype(np.int32)
    return edges[np.searchsorted(edges, lengths)]
