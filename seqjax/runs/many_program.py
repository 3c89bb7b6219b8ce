"""The program of many runs: the train step, vmapped over their states, and how their requests are answered together.

A run's numbers need not be bit for bit those of its own single one: vmap changes the shapes of the products, and with
them the order of their sums. Measured after 40 steps in float32 on a CPU, as a share of a parameter (of 0.01 for
smaller ones): nothing for jena_dense and jena_lstm_dropout; 1e-5 for jena_conv1d, whose convolutions become one with
groups. The tests allow 1e-4. Differences grow with training, as those of any other order of summation do; what an
accelerator does has not been measured.

Legend: N runs, K steps in one dispatch, B batch.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.data.dataset import Arrays, Dataset
from seqjax.data.pipeline import Batches
from seqjax.errors import RunStoppedError, UserError
from seqjax.experiment import Experiment
from seqjax.layers import composite
from seqjax.runs.swept import Sweep, as_number
from seqjax.training.fit import Answer, Evaluate, Request, Train, Training
from seqjax.training.interrupt import Interrupt
from seqjax.training.program import Program, Settings
from seqjax.training.state import float_means
from seqjax.training.workdir import Row


def _joined(trees: Sequence[Any]) -> Any:
    """N trees -> one, whose arrays begin with the axis N."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _apart(tree: Any, count: int) -> list[Any]:
    """The reverse of `_joined`."""
    return [jax.tree.map(lambda leaf, k=k: leaf[k], tree) for k in range(count)]


class ManyProgram(Program):
    """The program of N runs: it takes and returns lists of N trees where `Program` has one; stacks are [K, B, N].

    A state, or the parameters that are evaluated, come in a pair with the run's value of the swept knob (any number
    where none is swept). It is compiled once for each N: when a run has failed, and when runs have caught up.
    """

    def __init__(self, experiment: Experiment, dataset: Dataset, settings: Settings, sweep: Sweep | None = None):
        """Args: experiment: any run's. dataset, settings: of all. sweep: makes each run's, where they differ."""
        super().__init__(experiment, dataset, settings)
        self.sweep = sweep

    def _experiment(self, value: jax.Array) -> Experiment:
        return self.experiment if self.sweep is None else self.sweep.experiment(value)

    def train_steps(self, states: Any, stack: Any, arrays: Arrays, length: int | None) -> tuple[Any, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """As `Program.train_steps`."""
        one = super().train_steps

        def train(pair: Any, stack: Any) -> tuple[Any, Any]:
            state, report = one(pair[0], stack, arrays, length, self._experiment(pair[1]))
            return (state, pair[1]), report

        stack = jax.tree.map(lambda array: jnp.moveaxis(array, -1, 0), stack)
        pairs, report = self._over_runs(train, _joined(states), stack)
        return _apart(pairs, len(states)), _apart(report, len(states))

    def evaluate_steps(self, tallies: Any, stack: Any, params: Any, arrays: Arrays, length: int | None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """As `Program.evaluate_steps`; every run meets the same batches, [K, B]."""
        one = super().evaluate_steps
        evaluate = lambda tally, pair: one(tally, stack, pair[0], arrays, length, self._experiment(pair[1]))
        return _apart(self._over_runs(evaluate, _joined(tallies), _joined(params)), len(tallies))

    def _over_runs(self, function: Callable[..., Any], *trees: Any) -> Any:
        # JAX has no rule to vmap cuDNN's LSTM: its runs take turns within the program.
        if any(choice.backend == "cudnn" for _, choice in composite.choices(self.experiment.model)):
            return jax.lax.map(lambda one: function(*one), trees)
        return jax.vmap(function)(*trees)

    def answer(self, requests: Sequence[Request], values: Sequence[float]) -> list[Any]:
        """What N runs want that stand at the same place, computed in one call; values: theirs of the swept knob."""
        first, numbers = requests[0], [as_number(value) for value in values]
        if isinstance(first, Train):
            wanted = [request for request in requests if isinstance(request, Train)]
            pairs = zip((request.state for request in wanted), numbers, strict=True)
            pairs, reports = self.train(list(pairs), side_by_side([request.batch for request in wanted]))
            return list(zip((state for state, _ in pairs), reports, strict=True))
        if isinstance(first, Answer):  # once a run: one by one
            return [self.answers(request.params, first.part) for request in requests if isinstance(request, Answer)]
        wanted = [request for request in requests if isinstance(request, Evaluate)]
        pairs = list(zip((request.params for request in wanted), numbers, strict=True))
        return [float_means(t.sums) for t in self.tally(pairs, first.part, [request.tally for request in wanted])]


def side_by_side(batches: Sequence[Batches]) -> Batches:
    """The k-th batches of N orders as one, ids and weights [K, B, N], cut to the longest example of all."""
    lengths = [batch.length for batch in batches if batch.length is not None]
    ids, weights = (np.stack(arrays, axis=-1) for arrays in zip(*((b.ids, b.weights) for b in batches), strict=True))
    return Batches(batches[0].step, ids, weights, max(lengths, default=None))


def outcomes(
    runs: Mapping[str, Training],
    values: Mapping[str, float],
    program: ManyProgram,
    interrupt: Interrupt,
    noted: Interrupt,
) -> Iterator[tuple[str, Row | Exception]]:
    """Train runs to their ends.

    Args:
      runs: by name; each asks `noted` whether to leave.
      values: of the swept knob, by name.
      program: answers them.
      interrupt: notes signals when they come.
      noted: is told of them here, so that all the runs hear of one at the same step.

    Yields:
      a run's name and what it returned, or the error that ended it, when it ends. After a signal, runs that waited for
      others to catch up do not come: they stand as their checkpoints say.
    """
    work = {name: run.work() for name, run in runs.items()}
    requests: dict[str, Request] = {}
    answers: dict[str, Any] = dict.fromkeys(runs)
    while answers:
        noted.signal = interrupt.signal
        left = False
        for name, answer in answers.items():
            try:
                requests[name] = work[name].send(answer)
            except StopIteration as finished:
                yield name, finished.value
            except (RunStoppedError, UserError) as error:
                left = left or (noted.signal is not None and getattr(error, "exit_code", 0) == 128 + noted.signal)
                yield name, error
        if left or not requests:
            return
        group = _alike(requests)
        answered = program.answer([requests.pop(name) for name in group], [values[name] for name in group])
        answers = dict(zip(group, answered, strict=True))


def _alike(requests: Mapping[str, Request]) -> list[str]:
    """Whose requests can be answered in one call: of those furthest behind, all of the first one's kind."""
    kind = lambda request: (request.place, "" if isinstance(request, Train) else request.part, type(request).__name__)
    least = min(map(kind, requests.values()))
    return [name for name, request in requests.items() if kind(request) == least]
