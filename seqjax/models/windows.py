"""The words that subsampling leaves in a batch of blocks, closed up into rows, each with the words around it.

A window reaches a few words to each side. Of all pairs in a block of 64, of which 40 words are left, it holds one in
twenty. So what is left is laid in rows of C words, one block behind the other, and a row meets itself and the W words
before and behind it alone: 42 words for each of its 32, instead of 64 for each of 64.

Legend: B blocks, L tokens of a block, W window, R rows, C words of a row.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Rows(NamedTuple):
    """Places are those of a batch of blocks in one line, b * L + i; B * L is nothing."""

    middle: jax.Array
    """[R, C] the place of each word of the rows."""
    around: jax.Array
    """[R, W + C + W] the same with the words before and behind."""
    pairs: jax.Array
    """[R, C, W + C + W] bool: which word of `around` is in the window of which in `middle`."""


def rows(kept: jax.Array, reach: jax.Array, window: int, width: int, count: int) -> Rows:
    """Close up.

    Args:
      kept: [B, L] bool: words that are there at all.
      reach: [B, L] int: of the window, in kept words; 1 to `window`.
      window: W.
      width: C.
      count: R; words that do not fit into so many rows are left out.
    """
    size, block = kept.size, kept.shape[1]
    slots = jnp.where(kept.reshape(-1), jnp.cumsum(kept) - 1, count * width)
    slots = jnp.where(slots < count * width, slots + window, count * width + 2 * window)  # there it is dropped
    line = jnp.full(count * width + 2 * window, size, jnp.int32)
    line = line.at[slots].set(jnp.arange(size, dtype=jnp.int32), mode="drop")
    around = line[jnp.arange(count)[:, None] * width + jnp.arange(width + 2 * window)[None]]
    middle = around[:, window : window + width]
    apart = jnp.abs(jnp.arange(-window, width + window)[None] - jnp.arange(width)[:, None])  # [C, W + C + W]
    reach = jnp.append(reach.reshape(-1), 0)[middle]  # nothing reaches nothing
    near = (apart > 0)[None] & (apart[None] <= reach[:, :, None])
    return Rows(middle, around, near & (middle[:, :, None] // block == around[:, None, :] // block))
