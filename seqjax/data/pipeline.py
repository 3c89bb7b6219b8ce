"""Example ids -> batches of ids, by tf.data. Batch k is a function of (seed, k), so resuming needs no saved iterator.

Several consecutive batches come stacked, for several steps in one dispatch; a stack never crosses the end of an
epoch. The last batch of an epoch is padded to full size with weight 0: every example counts exactly once.

Legend: B batch of this host, K batches in a stack, S steps in an epoch.
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class Batches(NamedTuple):
    """K consecutive batches of one epoch."""

    step: int
    """The number of the first one, counted from the start of training."""
    ids: np.ndarray
    """Example ids, int32 [K, B]."""
    weights: np.ndarray
    """1, or 0 for padding, float32 [K, B]."""


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Batches in an epoch, the padded last one included."""
    return -(-examples // batch_size)


@functools.lru_cache(maxsize=4)
def _order(seed: int | None, epoch: int, examples: int) -> np.ndarray:
    if seed is None:
        return np.arange(examples)
    return np.random.default_rng((seed, epoch)).permutation(examples)


def batches(
    ids: np.ndarray,
    *,
    batch_size: int,
    start: int,
    stop: int,
    seed: int | None = None,
    stack: int = 1,
    host: int = 0,
    hosts: int = 1,
) -> Iterator[Batches]:
    """Batches number `start` to `stop` of an endless sequence of epochs over `ids`, in stacks of up to `stack`.

    Args:
      ids: example ids of one part, [N].
      batch_size: over all hosts together.
      start: where to begin; a stack boundary (a multiple of `stack` within its epoch).
      stop: number of the batch after the last.
      seed: of the order, a new one each epoch; None keeps the order of `ids`.
      stack: the most batches to stack.
      host: number of this host; host h takes columns h * B to (h + 1) * B of the one global batch.
      hosts: number of hosts; divides `batch_size`.

    Yields:
      Batches, read ahead by tf.data in its own thread.
    """
    import tensorflow as tf

    if batch_size % hosts:
        raise ValueError(f"batch_size {batch_size} does not divide over {hosts} hosts")
    epoch_steps = steps_per_epoch(len(ids), batch_size)
    columns = slice(host * batch_size // hosts, (host + 1) * batch_size // hosts)

    def stack_at(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        epoch, step = divmod(int(first), epoch_steps)
        order = _order(seed, epoch, len(ids))
        positions = np.arange(step * batch_size, (step + int(last - first)) * batch_size)
        valid = positions < len(ids)
        chosen = ids[order[np.where(valid, positions, 0)]].astype(np.int32)
        shape = (-1, batch_size)
        return chosen.reshape(shape)[:, columns], valid.astype(np.float32).reshape(shape)[:, columns]

    def stack_of(first, last):
        return first, *tf.numpy_function(stack_at, (first, last), (tf.int32, tf.float32), stateful=False)

    tf.config.set_visible_devices([], "GPU")  # the accelerator's memory is JAX's
    firsts, lasts = _stacks(start, stop, epoch_steps, stack)
    dataset = tf.data.Dataset.from_tensor_slices((firsts, lasts)).map(stack_of).prefetch(tf.data.AUTOTUNE)
    for first, chosen, weights in dataset.as_numpy_iterator():
        yield Batches(int(first), chosen, weights)


def _stacks(start: int, stop: int, epoch_steps: int, stack: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last + 1 of every stack: cut every `stack` steps from the start of each epoch."""
    epochs = np.arange(start // epoch_steps, -(-stop // epoch_steps)) * epoch_steps
    firsts = (epochs[:, None] + np.arange(0, epoch_steps, stack)[None, :]).reshape(-1)
    lasts = np.minimum(firsts + stack, (firsts // epoch_steps + 1) * epoch_steps)
    keep = (firsts >= start) & (firsts < stop)
    return firsts[keep], np.minimum(lasts[keep], stop)
