"""How far back does a model look? What it says when the past is taken from it, beyond the last k steps.

    cut        what stood there is replaced, by a mean or by nothing
    shuffled   the same steps in another order: what is left is what an unordered past can tell

A model that looks back m steps says the same for every k of at least m. The change is that of a score, example by
example, with Student's 95 % interval over the examples.

Legend: N examples, T steps, k steps that are kept.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from seqjax.errors import UserError, check_least
from seqjax.runs import statistics

HOWS = ("cut", "shuffled")


@dataclasses.dataclass(frozen=True)
class Look:
    """What keeping k steps comes to."""

    kept: int
    score: float
    """The mean over the examples."""
    change: float
    """To that of the whole past, ..."""
    half: float | None
    """... and half the interval around it; None of one example."""
    moved: float
    """The share of examples whose score is another: of decisions, those that are turned over."""
    same: bool
    """Whether every answer is the same to the last bit."""


def cut(inputs: np.ndarray, kept: int, fill: Any) -> np.ndarray:
    """[N, T, ...] with `fill`, [...] or a number, at all steps but the last k."""
    check_least("kept", kept, 0)
    steps = inputs.shape[1]
    left = inputs.copy()
    left[:, : max(0, steps - kept)] = fill
    return left


def shuffled(inputs: np.ndarray, kept: int, seed: int = 0) -> np.ndarray:
    """[N, T, ...] with all steps but the last k in a random order, another one for each example."""
    check_least("kept", kept, 0)
    count, steps = inputs.shape[:2]
    past = max(0, steps - kept)
    order = np.random.default_rng(seed).random((count, past)).argsort(axis=1)
    found = inputs.copy()
    found[:, :past] = inputs[np.arange(count)[:, None], order]
    return found


def cut_words(text: str, kept: int) -> str:
    """The last k words."""
    check_least("kept", kept, 0)
    return " ".join(text.split()[-kept:] if kept else [])


def shuffled_words(text: str, kept: int, rng: np.random.Generator) -> str:
    """All words but the last k in a random order."""
    check_least("kept", kept, 0)
    words = text.split()
    past = max(0, len(words) - kept)
    return " ".join([*(words[k] for k in rng.permutation(past)), *words[past:]])


def looks(
    answer: Callable[[Any], Any],
    score: Callable[[Any], Any],
    whole: Any,
    changed: Callable[[int], Any],
    kept: Sequence[int],
) -> list[Look]:
    """What a model's score comes to when only the last k steps are left as they were.

    Args:
      answer: inputs of N examples -> its answers, [N, ...].
      score: answers -> a score of each, [N].
      whole: the inputs.
      changed: k -> these with the past beyond k steps changed.
      kept: each k.

    Raises:
      UserError: no k.
    """
    if not kept:
        raise UserError("kept: give at least one number of steps")
    before = np.asarray(answer(whole))
    scores = np.asarray(score(before), float)
    found = []
    for k in kept:
        after = np.asarray(answer(changed(k)))
        own = np.asarray(score(after), float)
        mean = statistics.mean(list(own - scores))
        moved = float((own != scores).mean())
        found.append(Look(k, float(own.mean()), mean.mean, mean.half, moved, bool(np.array_equal(before, after))))
    return found
