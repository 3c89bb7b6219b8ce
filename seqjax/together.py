"""Many seeds of an experiment trained by one program: the train step, vmapped over their states.

Each seed is an ordinary run (`fit.Training`) in its own folder, with its own initial values, order of batches and
dropout, its own checkpoints and end. It asks for what is to be computed next, and those that ask for the same at the
same step are answered by one call. Those behind, because an earlier process left them so, come first until they have
caught up. So a set of seeds that one way of training has begun the other can go on with.

A seed's numbers need not be bit for bit those of its own single run: vmap changes the shapes of the products, and with
them the order of their sums. Measured after 40 steps in float32 on a CPU, as a share of a parameter (of 0.01 for
smaller ones): nothing for jena_dense and jena_lstm_dropout; 1e-5 for jena_conv1d, whose convolutions become one with
groups. The tests allow 1e-4. Differences grow with training, as those of any other order of summation do; what an
accelerator does has not been measured.

Meant for accelerators; see `seqjax.members` for which way is taken when.

Legend: N seeds, K steps in one dispatch, B batch.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax import commands
from seqjax import experiment as experiments
from seqjax.data.dataset import Arrays, Dataset
from seqjax.data.pipeline import Batches
from seqjax.errors import RunStoppedError, UserError
from seqjax.experiment import Experiment
from seqjax.fit import Request, Train, Training
from seqjax.interrupt import Interrupt
from seqjax.members import Member, stopped
from seqjax.models import composite
from seqjax.progress import Progress
from seqjax.train import Program, Settings, float_means, no_sums
from seqjax.workdir import Row, Workdir


def _joined(trees: Sequence[Any]) -> Any:
    """N trees -> one, whose arrays begin with the axis N."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _apart(tree: Any, count: int) -> list[Any]:
    """The reverse of `_joined`."""
    return [jax.tree.map(lambda leaf, k=k: leaf[k], tree) for k in range(count)]


class SeedsProgram(Program):
    """The program of N seeds: it takes and returns lists of N trees where `Program` has one; stacks are [K, B, N].

    It is compiled once for each N: when a seed has failed, and when seeds have caught up.
    """

    def train_steps(self, states: Any, stack: Any, arrays: Arrays, length: int | None) -> tuple[Any, Any]:
        """As `Program.train_steps`."""
        one = super().train_steps
        stack = jax.tree.map(lambda array: jnp.moveaxis(array, -1, 0), stack)
        function = lambda state, stack: one(state, stack, arrays, length)
        state, report = self._over_seeds(function, _joined(states), stack)
        return _apart(state, len(states)), _apart(report, len(states))

    def evaluate_steps(self, sums: Any, stack: Any, params: Any, arrays: Arrays, length: int | None) -> Any:
        """As `Program.evaluate_steps`; every seed meets the same batches, [K, B]."""
        one = super().evaluate_steps
        function = lambda sums, params: one(sums, stack, params, arrays, length)
        return _apart(self._over_seeds(function, _joined(sums), _joined(params)), len(sums))

    def _over_seeds(self, function: Callable[..., Any], *trees: Any) -> Any:
        # JAX has no rule to vmap cuDNN's LSTM: its seeds take turns within the program.
        if any(choice.backend == "cudnn" for _, choice in composite.choices(self.experiment.model)):
            return jax.lax.map(lambda one: function(*one), trees)
        return jax.vmap(function)(*trees)

    def answer(self, requests: Sequence[Request]) -> list[Any]:
        """What N runs want that stand at the same place, computed in one call."""
        first = requests[0]
        if isinstance(first, Train):
            batch = side_by_side([request.batch for request in requests if isinstance(request, Train)])
            states, reports = self.train([request.state for request in requests if isinstance(request, Train)], batch)
            return list(zip(states, reports, strict=True))
        params = [request.params for request in requests if not isinstance(request, Train)]
        return [float_means(sums) for sums in self.sums(params, first.part, [no_sums(self.experiment)] * len(params))]


def side_by_side(batches: Sequence[Batches]) -> Batches:
    """The k-th batches of N orders as one, ids and weights [K, B, N], cut to the longest example of all."""
    lengths = [batch.length for batch in batches if batch.length is not None]
    ids, weights = (np.stack(arrays, axis=-1) for arrays in zip(*((b.ids, b.weights) for b in batches), strict=True))
    return Batches(batches[0].step, ids, weights, max(lengths, default=None))


def outcomes(
    runs: Mapping[str, Training], program: SeedsProgram, interrupt: Interrupt, noted: Interrupt
) -> Iterator[tuple[str, Row | Exception]]:
    """Train runs to their ends.

    Args:
      runs: by name; each asks `noted` whether to leave.
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
        answers = dict(zip(group, program.answer([requests.pop(name) for name in group]), strict=True))


def _alike(requests: Mapping[str, Request]) -> list[str]:
    """Whose requests can be answered in one call: of those furthest behind, all of the first one's kind."""
    kind = lambda request: (request.place, "train" if isinstance(request, Train) else request.part)
    least = min(map(kind, requests.values()))
    return [name for name, request in requests.items() if kind(request) == least]


@dataclasses.dataclass(frozen=True)
class Together:
    """Trains members in this process: the seeds of a value together, values one after the other."""

    name: str
    """Of the experiment."""
    path: Path
    """The common workdir's."""
    options: Sequence[str]
    """`knob=value` each, for all."""
    data: str
    data_dir: Path
    settings: Settings
    tuned: Mapping[str, str]
    """What `seqjax.runtime.tune` has applied."""

    def __call__(self, members: Sequence[Member]) -> dict[str, int]:
        """Exit codes by folder. Raises RunStoppedError: a signal came."""
        codes = {}
        with Interrupt() as interrupt:
            for source_file, group in self._groups(members):
                if interrupt.signal is None:
                    codes |= self._train(source_file, group, interrupt)
        if interrupt.signal is not None:
            raise stopped(interrupt.signal)
        return {member.folder: codes[member.folder] for member in members}

    def _groups(self, members: Sequence[Member]) -> list[tuple[Path, list[Member]]]:
        """Members of the same value and the same experiment file, which a run keeps as it began."""
        current = experiments.find(self.name)
        groups: dict[tuple[str | None, bytes], tuple[Path, list[Member]]] = {}
        for member in members:
            source_file = commands.own_copy(self._workdir(member), current)
            groups.setdefault((member.value, source_file.read_bytes()), (source_file, []))[1].append(member)
        return list(groups.values())

    def _workdir(self, member: Member) -> Workdir:
        return Workdir(self.path / member.folder)

    def _train(self, source_file: Path, members: Sequence[Member], interrupt: Interrupt) -> dict[str, int]:
        """Exit codes by folder; what went wrong is printed."""
        codes = {member.folder: 0 for member in members}
        with contextlib.ExitStack() as stack:
            try:
                function = experiments.load(source_file)
                each = {m.folder: [*self.options, *m.settings] for m in members}
                asked = {f: commands.asked(self.name, function, each[f], self.data, self.settings) for f in codes}
                found = {folder: function(**asked[folder]["options"]) for folder in codes}
                dataset = self._dataset(found)
            except UserError as error:
                return {folder: _failed(folder, error) for folder in codes}
            configs = {}
            for member in members:
                try:
                    config = asked[member.folder] | commands.found(found[member.folder], dataset, self.tuned)
                    self._claim(member, config, dataset, source_file, stack)
                except UserError as error:
                    codes[member.folder] = _failed(member.folder, error)
                    continue
                if self._workdir(member).results() is None:
                    configs[member.folder] = config
                else:
                    print(f"{member.folder}: is finished already", flush=True)
            return codes | self._fit({folder: found[folder] for folder in configs}, configs, dataset, interrupt)

    def _dataset(self, found: Mapping[str, Experiment]) -> Dataset:
        """The data of all the seeds. Raises UserError: they do not differ in their seed alone."""
        first, *others = found.values()
        for name in ("source", "model", "epochs", "batch_size"):
            if any(getattr(other, name) != getattr(first, name) for other in others):
                raise UserError(f"{name} depends on the seed: train these seeds with --members=processes")
        dataset = first.source.load(self.data, self.data_dir)
        commands.check_model(first, dataset)
        return dataset

    def _claim(self, member: Member, config: Any, dataset: Dataset, source_file: Path, stack: Any) -> None:
        """Make the member's folder its own and hold it until `stack` is closed."""
        workdir = self._workdir(member)
        workdir.check(config)
        stack.enter_context(workdir.lock())
        commands.claim(workdir, config, dataset, source_file)

    def _fit(
        self, found: Mapping[str, Experiment], configs: Mapping[str, Any], dataset: Dataset, interrupt: Interrupt
    ) -> dict[str, int]:
        """Train what is not finished."""
        if not found:
            return {}
        codes = {}
        experiment = next(iter(found.values()))
        program = SeedsProgram(experiment, dataset, self.settings)
        print(f"{self.name}: {len(found)} seeds in one program; {dataset.description}; {commands.device()}", flush=True)
        examples = len(found) * experiment.epochs * len(dataset.parts["train"])
        with contextlib.ExitStack() as stack:
            progress, noted = Progress(examples, 0), Interrupt()
            stack.callback(progress.close)
            share = functools.partial(Share, progress, {})
            runs = {}
            for folder, own in found.items():
                try:
                    workdir = Workdir(self.path / folder)
                    runs[folder] = Training(own, program, workdir, noted, functools.partial(share, folder))
                except (RunStoppedError, UserError) as error:
                    codes[folder] = _failed(folder, error)
                    continue
                stack.callback(runs[folder].close)
            for folder, outcome in outcomes(runs, program, interrupt, noted):
                codes[folder] = _failed(folder, outcome) if isinstance(outcome, Exception) else 0
                if not isinstance(outcome, Exception):
                    commands.finish(found[folder], dataset, Workdir(self.path / folder), configs[folder], outcome)
        return codes


def _failed(folder: str, error: Exception) -> int:
    print(f"{folder}: {error}", flush=True)
    return getattr(error, "exit_code", 1)


class Share:
    """A run's part in the common progress: its examples count, its lines come under its name."""

    def __init__(self, common: Progress, done: dict[str, int], name: str, examples: int, already: int):
        """Args: common: of all. done: examples by run, shared. name: the run's. examples: its own. already: done."""
        del examples
        self._common, self._done, self._name = common, done, name
        done[name] = already

    def update(self, examples: int, title: str, values: Mapping[str, float]) -> None:
        """As `Progress.update`."""
        self._done[self._name] = examples
        self._common.update(sum(self._done.values()), f"{self._name}: {title}", values)

    def line(self, text: str) -> None:
        """As `Progress.line`."""
        self._common.line(f"{self._name}: {text}")

    def close(self) -> None:
        """The common progress is closed when all runs are."""
