"""The inputs on which a module and its peer are compared, so that whatever one has and the other lacks shows.

Two models may agree on every full sequence and differ on every padded one. So besides the example and random inputs of
its form, such inputs are tried as a mask would look for: ids of 0 and steps of zeros (or what the peer's own masks look
for) at the end and, if the peer's masks may have holes, at the start and in between. Large inputs tell a bounded
activation from an unbounded one.

Legend: B batch, T time, V vocabulary.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

LARGE = 30.0
"""Times a normal number."""


class Padding(NamedTuple):
    """What a peer's masks look for."""

    values: tuple[float, ...] = (0,)
    """An id, or what every feature of a step is."""
    anywhere: bool = False
    """Whether a masked step may be followed by one that is not: PyTorch's packed sequences know only their lengths."""
    said: tuple[str, ...] = ()
    """What the peer has that a module may lack, in words."""


class Trial(NamedTuple):
    """Inputs of the module [B, ...] that are tried."""

    title: str
    inputs: Any
    padded: bool = False
    counts: bool = True
    """Whether the difference is reported: it grows with the size of the inputs."""
    tolerance: float = 1.0
    """Times that of the adapter."""


def trials(example: Any, like: Mapping[str, Any], padding: Padding) -> list[Trial]:
    """Those for inputs of the form of the example; like: the module's parameters by path."""
    vocabulary_size = next((want.shape[0] for want in like.values()), 1)
    random = random_inputs(example, vocabulary_size)
    found = [Trial("the example inputs", example), Trial("random inputs", random)]
    several = any(path.endswith("embedding") for path in like)  # else they may be sets, that hold an id once
    places = ("at the end", "at the start", "in between") if padding.anywhere else ("at the end",)
    for value in dict.fromkeys(padding.values):
        for place in places:
            inputs = jax.tree.map(lambda array, v=value, p=place: _pad(array, v, p, several, vocabulary_size), random)
            if not all(map(_same, jax.tree.leaves(inputs), jax.tree.leaves(random))):
                found.append(Trial(f"random inputs padded with {value:g} {place}", inputs, padded=True))
    if any(np.issubdtype(array.dtype, np.floating) for array in jax.tree.leaves(example)):
        large = jax.tree.map(lambda a: a * a.dtype.type(LARGE) if np.issubdtype(a.dtype, np.floating) else a, random)
        found.append(Trial("large random inputs", large, counts=False, tolerance=10.0))
    return found


def _same(a: Any, b: Any) -> bool:
    return np.array_equal(a, b)


def random_inputs(example: Any, vocabulary_size: int) -> Any:
    """Random arrays of the same form: normal numbers; True; ids in 1 to V - 1, no two equal in a row if V > T.

    (No two equal, because a multi-hot vector holds a word once; not 0, because that may be padding.)
    """
    rng = np.random.default_rng(0)

    def draw(array: Any) -> np.ndarray:
        if array.dtype == np.bool_:
            return np.ones(array.shape, np.bool_)
        if not np.issubdtype(array.dtype, np.integer):
            return rng.normal(size=array.shape).astype(array.dtype)
        *rows, length = array.shape
        words = np.arange(min(1, vocabulary_size - 1), vocabulary_size)
        ids = [rng.choice(words, length, replace=length > len(words)) for _ in range(int(np.prod(rows)))]
        return np.reshape(ids, array.shape).astype(array.dtype)

    return jax.tree.map(draw, example)


def _pad(array: np.ndarray, value: float, place: str, several: bool, vocabulary_size: int) -> np.ndarray:
    """A copy with masked steps: of ids [B, ..., T], of vectors [B, T, ...], of a mask [B, T] False; others as they are.

    A row keeps at least one step, and no row is longer than the one before, as PyTorch wants it.
    """
    integers, mask = np.issubdtype(array.dtype, np.integer), array.dtype == np.bool_
    if array.ndim < (2 if integers or mask else 3):
        return array
    axis = array.ndim - 1 if integers else 1
    if array.shape[axis] < 2 or (integers and not (0 <= value < vocabulary_size and value == int(value))):
        return array
    rows, steps = np.arange(array.shape[0])[:, None], np.arange(array.shape[axis])[None, :]
    count = steps.shape[1]
    last = 1 if several or not integers else count - 1
    lengths = np.round(np.linspace(count - 1, last, len(rows)))[:, None]
    masked = {"at the end": steps >= lengths, "at the start": steps < count - lengths}.get(place)
    if masked is None:
        masked = steps == (rows + 1) % count
    shape = [len(rows), *[1] * (array.ndim - 1)]
    shape[axis] = count
    return np.where(masked.reshape(shape), array.dtype.type(False if mask else value), array)
