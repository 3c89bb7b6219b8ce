"""Example ids -> batches of ids, by tf.data. Batch k is a function of (seed, k), so resuming needs no saved iterator.

Several consecutive batches come stacked, for several steps in one dispatch; a stack never crosses the end of an
epoch. The last batch of an epoch is padded to full size with weight 0: every example counts exactly once.

TensorFlow takes seconds to import, so a run does not wait for it: the same function makes the first stacks directly
while TensorFlow is imported in a thread, and tf.data goes on from the stack at which it is ready.

With lengths, a batch holds examples of like length: the epoch's order is sorted by length and cut into batches, and
these come in random order. What does not fill a batch is drawn first and comes last, as without.

Legend: B batch, K batches in a stack, S steps in an epoch.
"""

import functools
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

PATIENCE = 3.0
"""Seconds of training before TensorFlow's import begins. It occupies a core for 2 to 8 s, and a second more when the
process ends: a run that is over sooner is better off without it."""

Part = tuple[np.ndarray, np.ndarray, np.int32]
"""Of a stack: ids [K, B], weights [K, B], steps that hold the longest example."""


class Batches(NamedTuple):
    """K consecutive batches of one epoch."""

    step: int
    """The number of the first one, counted from the start of training."""
    ids: np.ndarray
    """Example ids, int32 [K, B]."""
    weights: np.ndarray
    """1, or 0 for padding, float32 [K, B]."""
    length: int | None = None
    """Steps that hold the longest of the examples; None: of all."""


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Batches in an epoch, the padded last one included."""
    return -(-examples // batch_size)


def order(seed: int | None, epoch: int, batch_size: int, examples: int, lengths: np.ndarray | None) -> np.ndarray:
    """Positions 0 to `examples` - 1 in the order of an epoch; see `batches`."""
    rng = None if seed is None else np.random.default_rng((seed, epoch))
    drawn = np.arange(examples) if rng is None else rng.permutation(examples)
    if lengths is None:
        return drawn
    whole = examples // batch_size * batch_size
    rows = drawn[:whole][np.argsort(lengths[drawn[:whole]], kind="stable")].reshape(-1, batch_size)
    if rng is not None:
        rows = rng.permutation(rows)
    return np.append(rows, drawn[whole:])


def batches(
    ids: np.ndarray,
    *,
    batch_size: int,
    start: int,
    stop: int,
    seed: int | None = None,
    stack: int = 1,
    lengths: np.ndarray | None = None,
) -> Iterator[Batches]:
    """Batches number `start` to `stop` of an endless sequence of epochs over `ids`, in stacks of up to `stack`.

    Args:
      ids: example ids of one part, [N].
      batch_size: of each, over all devices and processes together.
      start: where to begin.
      stop: number of the batch after the last.
      seed: of the order, a new one each epoch; None keeps the order of `ids`.
      stack: the most batches to stack.
      lengths: of the examples `ids`, [N]; None: all alike.

    Yields:
      Batches, read ahead by tf.data in its own thread once TensorFlow is there, until then made when asked for. Where
      only batches without a seed are asked for (evaluation, prediction), it is never imported; where it is not
      installed, all are made when asked for: the same.

    Raises:
      ImportError: TensorFlow is there and cannot be imported; or what else its import makes of itself.
    """
    epoch_steps = steps_per_epoch(len(ids), batch_size)

    @functools.lru_cache(maxsize=2)
    def order_of(epoch: int) -> np.ndarray:
        return order(seed, epoch, batch_size, len(ids), lengths)

    def stack_at(first: np.ndarray, last: np.ndarray) -> Part:
        epoch, step = divmod(int(first), epoch_steps)
        positions = np.arange(step * batch_size, (step + int(last - first)) * batch_size)
        valid = positions < len(ids)
        places = order_of(epoch)[np.minimum(positions, len(ids) - 1)]
        chosen = ids[places].astype(np.int32).reshape(-1, batch_size)
        weights = valid.astype(np.float32).reshape(-1, batch_size)
        longest = np.int32(0 if lengths is None else lengths[places].max())
        return chosen, weights, longest

    wanted = seed is not None and importlib.util.find_spec("tensorflow") is not None
    firsts, lasts = _stacks(start, stop, epoch_steps, stack)
    for first, chosen, weights, longest in _made(stack_at, firsts, lasts, wanted=wanted):
        yield Batches(int(first), chosen, weights, None if lengths is None else int(longest))


def _made(
    stack_at: Callable[[np.ndarray, np.ndarray], Part], firsts: np.ndarray, lasts: np.ndarray, *, wanted: bool
) -> Iterator[tuple[np.ndarray, *Part]]:
    """The stacks with the number of each one's first batch: directly until TensorFlow is there, then by tf.data.

    Args:
      stack_at: first and last + 1 of a stack -> what is in it.
      firsts: of every stack.
      lasts: of every stack.
      wanted: TensorFlow is worth importing.
    """
    for position, (first, last) in enumerate(zip(firsts, lasts, strict=True)):
        tf = _TENSORFLOW.by_now(wanted=wanted)
        if tf is not None:
            yield from _read_ahead(tf, stack_at, firsts[position:], lasts[position:])
            return
        yield first, *stack_at(first, last)


def _read_ahead(tf: Any, stack_at: Callable, firsts: np.ndarray, lasts: np.ndarray) -> Iterator[Any]:
    """`_made` by tf.data."""

    def stack_of(first: Any, last: Any) -> Any:
        return first, *tf.numpy_function(stack_at, (first, last), (tf.int32, tf.float32, tf.int32), stateful=False)

    tf.config.set_visible_devices([], "GPU")  # the accelerator's memory is JAX's
    dataset = tf.data.Dataset.from_tensor_slices((firsts, lasts)).map(stack_of).prefetch(tf.data.AUTOTUNE)
    return dataset.as_numpy_iterator()


def _stacks(start: int, stop: int, epoch_steps: int, stack: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last + 1 of every stack: cut every `stack` steps from the start of each epoch."""
    epochs = np.arange(start // epoch_steps, -(-stop // epoch_steps)) * epoch_steps
    firsts = (epochs[:, None] + np.arange(0, epoch_steps, stack)[None, :]).reshape(-1)
    lasts = np.minimum(firsts + stack, (firsts // epoch_steps + 1) * epoch_steps)
    keep = (lasts > start) & (firsts < stop)
    return np.maximum(firsts[keep], start), np.minimum(lasts[keep], stop)


class LateTensorflow:
    """TensorFlow without waiting for it."""

    def __init__(self):
        self._wanted_since: float | None = None
        self._import: Future[Any] | None = None

    def by_now(self, *, wanted: bool) -> Any | None:
        """The module if it is imported, or None: not yet.

        Args:
          wanted: where it has been wanted for `PATIENCE` seconds, begin to import it, in a thread. A process that ends
            meanwhile waits for the thread: an import cannot be broken off.

        Raises:
          ImportError: the import has failed; or what else it makes of itself.
        """
        if self._import is None:
            if sys.modules.get("tensorflow") is not None:
                return import_tensorflow()
            if not wanted:
                return None
            self._wanted_since = self._wanted_since or time.monotonic()
            if time.monotonic() - self._wanted_since < PATIENCE:
                return None
            thread = ThreadPoolExecutor(1, "import_tensorflow")
            self._import = thread.submit(import_tensorflow)
            thread.shutdown(wait=False)  # it ends with its task
        return self._import.result() if self._import.done() else None


_TENSORFLOW = LateTensorflow()
"""This process's."""


def import_tensorflow() -> Any:
    """TensorFlow, without the Keras that it imports for its own use: 7 seconds instead of 10 on a slow core.

    `tf.keras` is there all the same, imported when it is first used.

    Raises:
      ImportError: there is none.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # it computes nothing here, and says less on stderr
    eager = "keras.src.optimizers"  # None in its place cannot be imported, and TensorFlow goes on without
    hide = "keras" not in sys.modules
    if hide:
        sys.modules[eager] = None  # type: ignore[assignment]
    try:
        import tensorflow
    finally:
        if hide:
            sys.modules.pop(eager, None)  # another thread may have imported it as well
    return tensorflow
