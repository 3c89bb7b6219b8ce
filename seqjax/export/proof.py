"""That an exported model computes what the run's does, and how long both take.

Legend: B batch, T time.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from seqjax.errors import UserError
from seqjax.interop.layers import shapes
from seqjax.interop.trials import Padding, trials

TOLERANCE = 1e-5
"""The largest difference that passes, relative to the largest output if that is above 1."""
ROUNDS = 30
Run = Callable[[Any], Any]
"""Inputs [B, ...] -> outputs [B, ...]; trees."""


class Proof(NamedTuple):
    """The largest absolute differences."""

    real: float
    examples: int
    other: float
    """On random, padded and masked inputs, of other batch sizes too."""

    def said(self) -> str:
        """In words."""
        return (
            f"differs from JAX by at most {self.real:.1e} on {self.examples} real examples, and by {self.other:.1e} on "
            "random, padded and masked ones"
        )


def prove(model: Any, params: Any, examples: Any, other: Run, title: str) -> Proof:
    """Compare.

    Args:
      model: a Linen module.
      params: its own.
      examples: inputs of it, real ones.
      other: what was exported.
      title: of that, for messages.

    Raises:
      UserError: they differ by more than the tolerance.
    """
    apply = jax.jit(lambda params, inputs: model.apply({"params": params}, inputs))
    ours: Run = lambda inputs: apply(params, inputs)
    count = len(jax.tree.leaves(examples)[0])
    real, rest = difference(ours, other, examples, f"real examples ({title})"), 0.0
    for name, inputs in variants(model, examples):
        rest = max(rest, difference(ours, other, inputs, f"{name} ({title})"))
    return Proof(real, count, rest)


def variants(model: Any, examples: Any) -> Iterator[tuple[str, Any]]:
    """Further inputs of the examples' form, and what they are."""
    few = jax.tree.map(lambda leaf: np.asarray(leaf)[:4], examples)
    yield "one example", jax.tree.map(lambda leaf: leaf[:1], few)
    for trial in trials(few, shapes(model, few), Padding((0,), True)):
        if trial.counts:
            yield trial.title, trial.inputs


def difference(ours: Run, other: Run, inputs: Any, title: str) -> float:
    """The largest one. Raises UserError: above the tolerance, or outputs of another shape."""
    pairs = list(zip(jax.tree.leaves(ours(inputs)), jax.tree.leaves(other(inputs)), strict=True))
    largest = 0.0
    for a, b in ((np.asarray(a), np.asarray(b)) for a, b in pairs):
        if a.shape != b.shape:
            raise UserError(f"on {title} the outputs are of shape {b.shape}, but JAX's {a.shape}")
        apart = np.abs(a.astype(np.float64) - b)
        found = float(np.max(apart[~(np.isnan(a) & np.isnan(b))], initial=0))
        if not found <= TOLERANCE * max(1.0, float(np.max(np.abs(a), initial=0))):
            raise UserError(f"on {title} the outputs differ from JAX's by {found:.3g}: nothing was written")
        largest = max(largest, found)
    return largest


def latency(runs: Mapping[str, Run], examples: Any) -> list[str]:
    """A line for a batch of 1 and of 32: the median of milliseconds of each, one thread of the host's or many."""
    lines = []
    for size in (1, 32):
        rows = jax.tree.map(lambda leaf, size=size: np.resize(leaf, (size, *np.shape(leaf)[1:])), examples)
        said = [f"{name} {1000 * _median(run, rows):.3f} ms" for name, run in runs.items()]
        lines.append(f"batch {size}: {', '.join(said)}")
    return lines


def _median(run: Run, inputs: Any) -> float:
    seconds = []
    for _ in range(ROUNDS + 3):
        start = time.perf_counter()
        jax.block_until_ready(run(inputs))
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[3:])
