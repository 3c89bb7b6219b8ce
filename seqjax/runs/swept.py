"""A number that is swept, as one value for all the runs that are trained together.

An experiment's function is called once with a `Swept` in place of the knob. What it makes of it is arithmetic, which
goes on with a traced number, and comparisons (`0 <= rate < 1`, `rate > 0`), which have the answer that all values
agree on. Where they do not agree, or where the number decides a shape, one experiment cannot stand for all, and the
values are trained one after the other.
"""

import dataclasses
import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.data.dataset import Dataset
from seqjax.errors import UserError
from seqjax.experiment import Experiment
from seqjax.training.state import create_state, make_evaluate_step, make_train_step


class Swept:
    """Acts as `traced` in arithmetic, and as all of `values` in comparisons."""

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __init__(self, values: Sequence[float], traced: jax.Array):
        """Args: values: of all runs. traced: that of one of them, within a program."""
        self.values, self.traced = values, traced

    def __jax_array__(self) -> jax.Array:
        return self.traced

    def _compare(self, compare: Callable[[Any, Any], bool], other: Any) -> bool:
        others = other.values if isinstance(other, Swept) else [other] * len(self.values)
        answers = {bool(compare(value, one)) for value, one in zip(self.values, others, strict=True)}
        if len(answers) > 1:
            raise TypeError(f"{compare.__name__}({other}) has not one answer for all of {list(self.values)}")
        return answers.pop()


def _of_the_traced(name: str) -> Callable[..., Any]:
    def method(self: Swept, *others: Any) -> Any:
        plain = (other.traced if isinstance(other, Swept) else other for other in others)
        return getattr(operator, name)(self.traced, *plain)

    return method


def _reflected(name: str) -> Callable[[Swept, Any], Any]:
    return lambda self, other: getattr(operator, name)(other, self.traced)


for _name in ("add", "sub", "mul", "truediv", "pow"):
    setattr(Swept, f"__{_name}__", _of_the_traced(_name))
    setattr(Swept, f"__r{_name}__", _reflected(_name))
for _name in ("neg", "abs"):
    setattr(Swept, f"__{_name}__", _of_the_traced(_name))
for _name in ("lt", "le", "eq", "ne", "ge", "gt"):
    setattr(Swept, f"__{_name}__", functools.partialmethod(Swept._compare, getattr(operator, _name)))


@dataclasses.dataclass(frozen=True)
class Sweep:
    """An experiment as a function of one of its knobs."""

    function: Callable[..., Experiment]
    knobs: Mapping[str, Any]
    """Of any of the runs."""
    knob: str
    values: Sequence[float]
    """Of all the runs."""

    def experiment(self, traced: jax.Array) -> Experiment:
        """That of a value known only within a program."""
        return self.function(**{**self.knobs, self.knob: Swept(self.values, traced)})

    def fits(self, found: Sequence[Experiment], dataset: Dataset) -> bool:
        """Whether one program can train all values: `found` are their experiments. Nothing is computed."""
        if not all(type(value) is float for value in self.values):
            return False
        first = found[0]
        if any(
            (one.source, one.epochs, one.batch_size) != (first.source, first.epochs, first.batch_size) for one in found
        ):
            return False

        def steps(state: Any, traced: jax.Array, batch: Any, arrays: Any) -> Any:
            experiment = self.experiment(traced)
            state, _ = make_train_step(experiment, dataset.gather)(state, batch, arrays)
            sums = make_evaluate_step(experiment, dataset.gather)(state.tally(), batch, state.params, arrays)
            return state, sums

        ids = np.resize(dataset.parts["train"], first.batch_size)
        try:
            state = jax.eval_shape(lambda: create_state(first, dataset.example(), None, dataset.target()))
            after, _ = jax.eval_shape(steps, state, as_number(0.5), (ids, jnp.ones(len(ids))), dict(dataset.arrays))
        except (TypeError, ValueError, AttributeError, UserError):
            return False
        return jax.tree.structure(after) == jax.tree.structure(state) and all(
            (a.shape, a.dtype) == (b.shape, b.dtype)
            for a, b in zip(jax.tree.leaves(after), jax.tree.leaves(state), strict=True)
        )


def as_number(value: float) -> jax.Array:
    """As programs take it: in the precision that Python's numbers have in JAX."""
    return jnp.asarray(value, jnp.result_type(float))
